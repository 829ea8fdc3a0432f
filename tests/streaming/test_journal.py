"""A conversation written down, read, and held again."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming import journal as journals
from streaming.commands import Animate, Command, Speak
from streaming.conversation import Conversation
from streaming.events import (
    Event,
    FaceEnded,
    FramesReady,
    Heard,
    Joined,
    Played,
    ReplyEnded,
    ReplyText,
    SpeechReady,
    Tick,
    Typed,
)
from streaming.journal import (
    KINDS,
    Difference,
    Journal,
    JournalError,
    JournalTorn,
    canonical,
    decode,
    encode,
    read,
    replay,
)
from streaming.media import Flag, FramePacket, Kind, Unit
from streaming.pace import Pace
from streaming.stages import FaceState, Phone, Said, Tool, Word
from tests.streaming.stories import drawn, spoken


def held(media: bool = True) -> str:
    """A whole typed turn as a journal."""
    sink = io.StringIO()
    talk = Conversation("story", Pace.file(), seed=3)
    journal = Journal(sink, "story", talk.settings(), media=media)
    pending: list[Event] = [Joined(), Tick(5), Typed("hi"), ReplyText(1, "Hi there. "), ReplyEnded(1)]
    while pending:
        event = pending.pop(0)
        commands = talk.on(event)
        journal(event, commands)
        pending += _answers(commands)
    assert talk.state == "idle"
    return sink.getvalue()


def _answers(commands: list[Command]) -> list[Event]:
    events: list[Event] = []
    for command in commands:
        if isinstance(command, Speak):
            events += spoken(command, 24_000)
        if isinstance(command, Animate):
            events += drawn(command)
    return events


def test_a_recorded_conversation_replays_byte_for_byte() -> None:
    header, entries = read(held().splitlines())
    fresh = Conversation.like(header.session, header.settings)
    assert list(replay(entries, fresh)) == []
    assert fresh.history[-1] == Said("assistant", "Hi there.", 1)


def test_a_change_of_behaviour_is_found_where_it_happens() -> None:
    header, entries = read(held().splitlines())
    other = Conversation.like(header.session, {**header.settings, "codec": None})
    differences = list(replay(entries, other))
    assert differences
    assert isinstance(differences[0], Difference)
    assert any("Animate" in command for command in differences[0].recorded)


@pytest.mark.parametrize(
    "thing",
    [
        Heard(b"\0\1\2", 7, 3),
        SpeechReady(1, 2, b"\0\0", (Phone("a", 1, 2, 1),), (Word("x", 0, 9),)),
        FramesReady(1, 0, (FramePacket(0, b"x", True, 99),)),
        FaceEnded(1, FaceState("e", 960, b"\xff")),
        Played(0, 5),
        Tool("clock", "tells the time", {"type": "object", "properties": {}}),
        Tick(4),
    ],
)
def test_what_is_written_comes_back_as_it_was(thing: object) -> None:
    assert decode(json.loads(canonical(encode(thing)))) == thing


st.register_type_strategy(Tool, st.builds(Tool, st.text(), st.text(), st.dictionaries(st.text(), st.integers())))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(KINDS)).flatmap(lambda name: st.from_type(KINDS[name])))
def test_every_declared_kind_comes_back_as_it_was_and_equal_objects_give_equal_bytes(thing: object) -> None:
    written = canonical(encode(thing))
    back = decode(json.loads(written))
    assert back == thing
    assert canonical(encode(back)) == written
    assert written.isascii() and "\n" not in written


def test_any_text_is_one_line_in_any_file(tmp_path: Path) -> None:
    """Half a surrogate pair cannot be written in UTF-8, and U+2028 ends a line for some readers."""
    event = Typed("half \ud83d, a line\u2028end, 你好")
    with (tmp_path / "journal").open("w", encoding="ascii") as sink:
        Journal(sink, "story", {})(event, [])
    _, entries = read((tmp_path / "journal").read_text().splitlines())
    assert [entry.event for entry in entries] == [event]


def test_every_line_is_in_the_file_before_anything_is_done_about_it() -> None:
    class Sink(io.StringIO):
        safe = ""

        def flush(self) -> None:
            self.safe = self.getvalue()

    sink = Sink()
    journal = Journal(sink, "story", {"seed": 3})
    assert sink.safe == '{"journal":1,"session":"story","settings":{"seed":3}}\n'
    journal(Tick(5), [])
    assert sink.safe.splitlines()[1] == '{"commands":[],"event":{"kind":"Tick","now":5},"n":0}'


def test_commands_come_back_as_they_were() -> None:
    lines = [json.loads(line) for line in held().splitlines()[1:]]
    told = [command for line in lines for command in line["commands"]]
    assert {command["kind"] for command in told} >= {"Show", "Ask", "Speak", "Animate", "Remember"}
    assert [encode(decode(command)) for command in told] == told


def test_a_journal_without_media_is_small_and_says_why_it_cannot_be_replayed() -> None:
    small = held(media=False)
    assert len(small) < len(held()) / 5
    with pytest.raises(JournalError, match="without media"):
        list(read(small.splitlines())[1])


def test_without_media_the_commands_can_still_be_compared() -> None:
    known = {"bytes": 9, "crc": 0xCBF43926}  # the check value that CRC-32 is published with
    assert encode(Heard(b"123456789", 7), media=False)["pcm"] == known
    assert held(media=False) == held(media=False)


def before(value: Any, *, lacking: tuple[str, ...]) -> Any:
    """A journal's object as a release wrote it that had no such fields."""
    if isinstance(value, list):
        return [before(item, lacking=lacking) for item in value]
    if isinstance(value, dict):
        return {key: before(item, lacking=lacking) for key, item in value.items() if key not in lacking}
    return value


def test_a_journal_of_an_earlier_release_reads_with_the_defaults_of_what_came_later() -> None:
    """``FaceState.load``, in events and in the states that commands carry: nobody told a load then."""
    lines = [json.loads(line) for line in held().splitlines()]
    older = [canonical(before(line, lacking=("load", "detected", "certainty", "guess"))) for line in lines]
    assert "load" not in "".join(older) and older != [canonical(line) for line in lines]
    header, entries = read(older)
    assert list(replay(entries, Conversation.like(header.session, header.settings))) == []


def test_a_command_without_media_stays_as_it_is() -> None:
    small = held(media=False).splitlines()
    command = next(told for line in small[1:] for told in json.loads(line)["commands"] if told["kind"] == "Animate")
    entry = {"n": 0, "event": encode(Tick(1)), "commands": [command]}
    _, [kept] = read([small[0], canonical(entry)])
    assert kept.commands == (canonical(command),)


def test_a_torn_last_line_may_be_forgiven(caplog: pytest.LogCaptureFixture) -> None:
    lines = held().splitlines()
    torn = [*lines[:3], lines[3][:20]]
    with caplog.at_level(logging.WARNING):
        _, entries = read(torn, torn_tail=True)
        assert [entry.n for entry in entries] == [0, 1]
    [told] = caplog.messages
    assert "torn line, 2 events before it are good: line 4: not whole" in told
    with pytest.raises(JournalTorn, match="line 4: not whole"):
        list(read(torn)[1])
    with pytest.raises(JournalTorn, match="line 4: not whole"):
        list(read([*torn, lines[4]], torn_tail=True)[1])


def test_a_whole_last_line_needs_no_newline_and_no_forgiveness(caplog: pytest.LogCaptureFixture) -> None:
    lines = io.StringIO(held().rstrip("\n"))
    _, entries = read(lines, torn_tail=True)
    assert len(list(entries)) == len(held().splitlines()) - 1
    assert caplog.messages == []


def bad(change: Any) -> str:
    lines = held().splitlines()
    return "\n".join(change(lines))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [], "line 1: not whole"),
        (lambda lines: ['{"journal":9}'], "line 1: not a journal of version 1"),
        (lambda lines: [lines[0], "[]"], "line 2: not an object"),
        (lambda lines: [lines[0], lines[1], lines[3]], "line 3: event 1 is missing"),
        (lambda lines: [*lines[:3], lines[3][:20]], "line 4: not whole"),
        (lambda lines: [lines[0], lines[1], lines[1]], "line 3: event 1 is missing; here is 0"),
        (lambda lines: ['{"journal":1}'], "line 1: lacks the session's name or its settings"),
        (lambda lines: ['{"journal":1,"session":"x","settings":[]}'], "line 1: lacks"),
        (lambda lines: [lines[0], '{"n":' + "9" * 5000 + "}"], "line 2: no journal's"),
        (lambda lines: [lines[0], "[" * 100_000], "line 2: no"),
        (lambda lines: [lines[0], '{"n":0}'], "line 2: expected an object with a kind, not NoneType"),
    ],
)
def test_a_journal_that_cannot_be_read_says_where_and_why(change: Any, says: str) -> None:
    with pytest.raises(JournalError, match=says):
        list(read(bad(change).splitlines())[1])


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ('{"kind":"Nonsense"}', "unknown kind 'Nonsense'"),
        ('{"kind":["Tick"]}', "unknown kind"),
        ('{"kind":"Speak","turn":1,"clip":0,"text":"","seed":0,"skip":0}', "Speak has no place here"),
        ("5", "expected an object with a kind, not int"),
        ('{"kind":"Tick"}', "Tick lacks 'now'"),
        ('{"kind":"Tick","now":"soon"}', "Tick.now: expected int, not 'soon'"),
        ('{"kind":"Tick","now":true}', "Tick.now: expected int, not True"),
        ('{"kind":"Tick","now":1,"then":2}', "Tick has no 'then'; was it written by another release"),
        ('{"kind":"Heard","pcm":"!!","at":0,"quiet":0}', "Heard.pcm: "),
        ('{"kind":"Heard","pcm":5,"at":0,"quiet":0}', "Heard.pcm: expected sound or pictures in base64"),
        ('{"kind":"FramesReady","turn":1,"pts":0,"packets":5}', "FramesReady.packets: expected list, not 5"),
        (
            '{"kind":"FramesReady","turn":1,"pts":0,"packets":[{"kind":"Tick","now":1}]}',
            "FramesReady.packets: Tick has no place here",
        ),
        (
            '{"kind":"StageFailed","turn":1,"stage":"nose","reason":"","lost":false}',
            "StageFailed.stage: expected 'asr' or 'llm' or 'tts' or 'face', not 'nose'",
        ),
    ],
)
def test_an_event_that_is_none_says_why(event: str, says: str) -> None:
    header = canonical({"journal": 1, "session": "story", "settings": {}})
    with pytest.raises(JournalError) as told:
        list(read([header, '{"n":0,"event":' + event + ',"commands":[]}'])[1])
    assert str(told.value).startswith("line 2: " + says)


@pytest.mark.parametrize(
    ("commands", "says"),
    [
        ("null", "lacks the list of commands"),
        ("[5]", "not int"),
        ('[{"kind":"Tick","now":1}]', "Tick has no place here"),
    ],
)
def test_commands_that_are_none_say_why(commands: str, says: str) -> None:
    header = canonical({"journal": 1, "session": "story", "settings": {}})
    with pytest.raises(JournalError, match=f"line 2: .*{says}"):
        list(read([header, '{"n":0,"event":{"kind":"Tick","now":1},"commands":' + commands + "}"])[1])


def test_what_nobody_declared_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="not object"):
        encode(object())
    with pytest.raises(TypeError, match="not Unit"):
        encode(Unit(Kind.AUDIO, Flag.KEY, 1, 2, 3, 4))
    with pytest.raises(TypeError, match="not Tick"):
        encode(Impostor.Tick())


class Impostor:
    @dataclass(frozen=True, slots=True)
    class Tick:
        """Not the declared one."""


def test_a_new_kind_of_field_must_be_taught_before_it_is_journalled(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, slots=True)
    class Coloured:
        hue: complex

    monkeypatch.setitem(journals.KINDS, "Coloured", Coloured)
    with pytest.raises(TypeError, match="nobody told how a journal holds <class 'complex'>"):
        encode(Coloured(1j))
