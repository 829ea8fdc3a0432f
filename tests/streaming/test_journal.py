"""A conversation written down, read, and held again."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

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
from streaming.journal import Difference, Journal, JournalError, canonical, decode, encode, read, replay
from streaming.media import FramePacket
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
def test_everything_comes_back_as_it_was(thing: object) -> None:
    assert decode(json.loads(canonical(encode(thing)))) == thing


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
        (lambda lines: [lines[0], '{"n":0,"event":{"kind":"Nonsense"},"commands":[]}'], "unknown kind 'Nonsense'"),
        (lambda lines: [lines[0], '{"n":0,"event":{"kind":"Tick"},"commands":[]}'], "Tick lacks 'now'"),
        (lambda lines: [lines[0], '{"n":0,"event":5,"commands":[]}'], "not int"),
    ],
)
def test_a_journal_that_cannot_be_read_says_where_and_why(change: Any, says: str) -> None:
    with pytest.raises(JournalError, match=says):
        list(read(bad(change).splitlines())[1])


def test_what_nobody_declared_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="not object"):
        encode(object())
