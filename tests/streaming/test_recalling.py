"""A conversation is cut off, taken up out of what was noted of it, and goes on: nothing missed, nothing twice."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Set
from typing import Any

import pytest

from streaming.commands import (
    Animate,
    Ask,
    Audio,
    Called,
    Cancel,
    Command,
    Ended,
    Frames,
    Remember,
    ReplyDelta,
    Resume,
    Show,
    Speak,
    StateChanged,
)
from streaming.conversation import Conversation
from streaming.events import (
    Added,
    Agreed,
    ClipEnded,
    Event,
    Heard,
    Joined,
    Left,
    Played,
    Rejoined,
    Removed,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    StageFailed,
    StageName,
    Stopped,
    TalkReleased,
    Tick,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.media import FRAME, frames_for
from streaming.pace import Pace
from streaming.recalling import Recalling, checkpoint, note
from streaming.stages import Phone, Said, ToolCall, Word
from tests.streaming.stories import MS, drawn, pcm, shown, spoken

PIECE = 2400
Call = tuple[StageName, int]
"""A stage, and the clip or the span's first sample."""
ANSWER = ["Well. ", "A flute is made of silver, ", "or of wood, and a player ", "blows across it. ", "That is all."]


def voice(order: Speak) -> Iterator[Event]:
    """The same sound for the same order: each sample tells its clip and its place; a word every three pieces."""
    pieces = 2 + len(order.text) // 5
    words = order.text.split()
    for k in range(pieces):
        start = k * PIECE
        word = (Word(words[k // 3], start, PIECE),) if k % 3 == 0 and k // 3 < len(words) else ()
        if start + PIECE > order.skip:
            sound = b"".join((1 + order.clip * 1000 + k).to_bytes(2, "little") for _ in range(PIECE))
            yield SpeechReady(order.turn, order.clip, sound, (Phone("a", start, PIECE),), word)
    yield ClipEnded(order.turn, order.clip)


def writer(order: Ask, text: list[str]) -> Iterator[Event]:
    yield from (ReplyText(order.turn, piece) for piece in text)
    yield ReplyCalled(order.turn, ToolCall("c1", "look", "{}"))
    yield ReplyEnded(order.turn)


class World:
    """Stages that answer in an order that ``seed`` gives, and one client, which may be cut off."""

    def __init__(self, seed: int, text: list[str] = ANSWER) -> None:
        self.random = random.Random(seed)
        self.text = text
        self.talk = Conversation("story", Pace())
        self.settings = self.talk.settings()
        self.notes: list[dict[str, Any]] = []
        self.calls: list[tuple[Call, Iterator[Event]]] = []
        self.lost: set[Call] = set()
        self.wire: list[Command] = []
        self.sound = b""
        self.pictures: list[int] = []
        self.over = self.called = 0
        self.kept: list[Said] = []
        self.cuts = 0

    def happen(self, event: Event) -> None:
        commands = self.talk.on(event)
        if line := note(event, commands):
            self.notes.append(line)
        for command in commands:
            match command:
                case Ask():
                    self.calls.append((("llm", 0), writer(command, self.text)))
                case Speak(clip=clip):
                    self.calls.append((("tts", clip), voice(command)))
                case Animate(span=span):
                    self.calls.append((("face", span.pts), iter(drawn(command))))
                case Remember(item):
                    self.kept.append(item)
                case Show(Audio() | Frames() | Ended()):
                    self.wire.append(command)
                case Show(Called()):
                    self.called += 1
                case _:
                    pass

    def arrive(self) -> None:
        """The client gets the oldest message on its way."""
        match self.wire.pop(0):
            case Show(Audio(_, pts, sound)):
                assert pts * 2 == len(self.sound), "sound twice, or a gap"
                self.sound += sound
            case Show(Frames(_, packets)):
                for packet in packets:
                    assert packet.pts == len(self.pictures) * FRAME, "a picture twice, or a gap"
                    self.pictures.append(packet.pts)
            case _:
                self.over += 1

    def cut(self) -> None:
        """The connection breaks, and the process with it; another one takes up the conversation."""
        self.cuts += 1
        self.wire, self.calls, self.lost = [], [], set()
        recalling = Recalling("story", self.settings)
        for line in self.notes:
            recalling.take(json.loads(json.dumps(line)))
        self.talk = recalling.conversation()
        has = Rejoined(1, len(self.sound) // 2, len(self.pictures) * FRAME, ended=bool(self.over))
        self.happen(has)

    def lose(self) -> None:
        """The replica that works on the newest call dies; a call that is repeated and lost again would be given up."""
        if not self.calls or (call := self.calls[-1][0]) in self.lost or call[0] == "llm":
            return
        self.lost.add(call)
        self.calls.pop()
        self.happen(StageFailed(1, call[0], "its replica is gone", lost=True))

    def run(self, cut_at: set[int], lost_at: Set[int] = frozenset(), steps: int = 4000) -> None:
        for step in range(steps):
            if step in lost_at:
                self.lose()
            if step in cut_at:
                self.cut()
            choice = self.random.random()
            if choice < 0.3 and self.wire:
                self.arrive()
            elif choice < 0.4 and self.sound:
                self.happen(Played(1, self.random.randrange(len(self.sound) // 2 + 1)))
            elif self.calls:
                call = self.random.choice(self.calls)
                if event := next(call[1], None):
                    self.happen(event)
                else:
                    self.calls.remove(call)
            elif not self.wire and self.talk.state == "idle":
                return
            elif not self.wire:
                self.happen(Played(1, len(self.sound) // 2))
        raise AssertionError(f"the reply did not end; {self.talk.state}")


def told(seed: int, cut_at: set[int], lost_at: Set[int] = frozenset(), text: list[str] = ANSWER) -> World:
    world = World(seed, text)
    world.happen(Joined())
    world.happen(Typed("What is a flute?"))
    world.run(cut_at, lost_at)
    return world


@pytest.mark.parametrize("losses", [0, 6])
@pytest.mark.parametrize("seed", range(50))
def test_a_reply_that_is_cut_off_anywhere_arrives_whole_and_once(seed: int, losses: int) -> None:
    whole = told(seed, set())
    rng = random.Random(1000 + seed)
    cuts = {rng.randrange(1, 250) for _ in range(1 + seed % 3)}
    cut = told(seed, cuts, {rng.randrange(1, 250) for _ in range(losses)})
    assert cut.sound == whole.sound, "the same sound, once"
    assert cut.pictures == whole.pictures == [k * FRAME for k in range(frames_for(len(whole.sound) // 2))]
    assert cut.talk.history == whole.talk.history
    assert cut.kept == whole.kept
    assert (cut.over, cut.called) == (1, 1)


def test_a_cut_after_the_text_was_heard_does_not_ask_for_it_again() -> None:
    world = World(0)
    world.happen(Typed("hi"))
    for event in (ReplyText(1, "Well. "), ReplyEnded(1)):
        world.happen(event)
    world.calls = [call for call in world.calls if call[0][0] == "tts"]
    world.cut()
    ((_, call),) = world.calls
    assert next(call) == SpeechReady(1, 0, pcm(PIECE), (Phone("a", 0, PIECE),), (Word("Well.", 0, PIECE),))


def test_a_text_that_becomes_another_ends_where_it_was() -> None:
    world = World(3)
    world.happen(Typed("hi"))
    world.happen(ReplyText(1, "A flute is "))
    world.cut()
    world.happen(ReplyText(1, "A fl"))
    world.happen(ReplyText(1, "at is a home."))
    world.happen(ReplyText(1, "Indeed."))
    world.happen(ReplyEnded(1))
    world.run(set())
    assert Said("assistant", "A flute is", 1) in world.talk.history


def test_a_text_that_goes_on_longer_in_one_piece_goes_on() -> None:
    world = World(3)
    world.happen(Typed("hi"))
    world.happen(ReplyText(1, "A flute "))
    world.cut()
    commands = world.talk.on(ReplyText(1, "A flute is made"))
    assert shown(commands, ReplyDelta) == [ReplyDelta(1, "is made")]


# ---- what else is recalled -------------------------------------------------------------------------------------


def recalled(events: list[Event], pace: Pace | None = None) -> tuple[Conversation, Conversation]:
    """A conversation to which this happened, and what another makes of its notes."""
    talk = Conversation("story", pace or Pace())
    recalling = Recalling("story", talk.settings())
    for event in events:
        if line := note(event, talk.on(event)):
            recalling.take(json.loads(json.dumps(line)))
    assert recalling.turn == talk.turn
    assert recalling.replying == (talk.state in ("thinking", "speaking", "held"))
    return talk, recalling.conversation()


SPEECH = [Heard(pcm(20 * MS), 0), SpeechStarted(0), *(Heard(pcm(20 * MS), at) for at in range(320, 16_000, 320))]


def speaking() -> list[Event]:
    first = Speak(1, 0, "", 0)
    return [Typed("hi"), ReplyText(1, "Well then. "), ReplyEnded(1), *spoken(first, 48_000)]


def test_speech_that_was_not_over_is_lost_and_the_state_is_idle_again() -> None:
    _, again = recalled([Joined(), *SPEECH])
    assert again.state == "listening"
    assert again.on(Rejoined(0)) == [Show(StateChanged("idle", 0))]
    assert again.on(Rejoined(0)) == [Show(StateChanged("idle", 0))], "it says so in any case"


@pytest.mark.parametrize("pictures", [0, 24_000])
def test_a_reply_ends_where_the_client_has_it_if_its_sound_cannot_be_made_again(pictures: int) -> None:
    _, again = recalled(speaking())
    has = 28_800  # all that the send lead let through
    again.on(Rejoined(1, has, pictures))
    orders = again.on(StageFailed(1, "tts", "the voice is not there yet"))
    (end,) = [order.message for order in orders if isinstance(order, Show) and isinstance(order.message, Ended)]
    assert end.pts == has
    assert Show(StateChanged("idle", 1)) in again.on(Played(1, has))


def test_a_held_reply_goes_on() -> None:
    was, again = recalled([*speaking(), *SPEECH])
    assert was.state == again.state == "held"
    commands = again.on(Rejoined(1, 2400, 0))
    assert commands[:2] == [Resume(1), Show(StateChanged("speaking", 1))]


def test_a_reply_that_was_held_before_its_first_sound_thinks_on() -> None:
    was, again = recalled([Typed("hi"), *SPEECH])
    assert was.state == again.state == "held"
    assert again.on(Rejoined(0))[:2] == [Resume(1), Show(StateChanged("thinking", 1))]


def test_a_cough_is_over() -> None:
    events = [*speaking(), *SPEECH, SpeechEnded(15_000), StageFailed(0, "asr", "nothing")]
    was, again = recalled(events)
    assert was.state == again.state == "speaking"
    assert [c for c in again.on(Left()) if isinstance(c, Cancel)] == [Cancel(1)]


def test_an_interrupted_reply_holds_what_was_heard() -> None:
    words = (Word("Well", 0, 12_000), Word("then.", 12_000, 12_000))
    first = spoken(Speak(1, 0, "", 0), 48_000, words)
    events = [Typed("hi"), ReplyText(1, "Well then. "), ReplyEnded(1), *first, Played(1, 12_000)]
    was, again = recalled([*events, *SPEECH, UserSaying("wait please", 16_000)])
    assert again.history == was.history == (Said("user", "hi", 1), Said("assistant", "Well", 1, cut=True))


def test_a_reply_that_nobody_heard_is_no_item() -> None:
    was, again = recalled([*speaking(), Typed("stop")])
    assert again.history == was.history
    assert [said.role for said in again.history] == ["user", "user"]


def test_items_stay_where_they_were_put() -> None:
    items = [Added(Said("user", name, 1, id=name), after) for name, after in (("b", None), ("a", ""), ("c", "b"))]
    was, again = recalled([*items, Added(Said("user", "x", 1, id="x")), Removed("x")])
    assert again.history == was.history
    assert [said.id for said in again.history] == ["a", "b", "c"]


def test_less_was_heard_than_was_thought() -> None:
    said = Said("assistant", "Well then.", 1)
    recalling = Recalling("story", Conversation("story", Pace()).settings())
    for item in (said, Said("assistant", "Well", 1, cut=True)):
        line = note(Joined(), [Remember(item)])
        assert line
        recalling.take(json.loads(json.dumps(line)))
    assert recalling.conversation().history == (Said("assistant", "Well", 1, cut=True),)
    line = note(Joined(), [Remember(Said("assistant", "", 1, cut=True))])
    assert line
    recalling.take(json.loads(json.dumps(line)))
    assert recalling.conversation().history == ()


def test_what_was_agreed_holds() -> None:
    pace = Pace(end_of_turn=12_345)
    was, again = recalled([Agreed(silent=True, pace=pace), Agreed(silent=True), Requested("Rhyme.", silent=False)])
    assert was.settings() == again.settings()
    (ask,) = [c for c in again.on(Rejoined(0)) if isinstance(c, Ask)]
    assert ask == Ask(1, (), "Rhyme.")
    silent, again = recalled([Agreed(silent=True), Typed("hi"), ReplyText(1, "Yes."), ReplyEnded(1)])
    assert (silent.state, again.state) == ("idle", "idle")


def test_a_wish_for_a_reply_is_not_that_of_the_turn_that_overtook_it() -> None:
    events: list[Event] = [*SPEECH, Requested("Rhyme."), Typed("hi")]
    was, again = recalled(events)
    (ask,) = [c for c in again.on(Rejoined(0)) if isinstance(c, Ask)]
    assert (ask.turn, ask.instructions) == (was.turn, None)


def test_a_voice_that_failed_stays_silent_and_a_face_that_is_lost_is_asked_again() -> None:
    first = spoken(Speak(1, 0, "", 0), 48_000)
    events = [Typed("hi"), ReplyText(1, "Well then. "), *first[:1], StageFailed(1, "tts", "no voice")]
    _, again = recalled(events)
    commands = again.on(Rejoined(1, 4800, 0))
    assert not [c for c in commands if isinstance(c, Speak)]
    (draw,) = [c for c in commands if isinstance(c, Animate)]
    assert (draw.span.pts, draw.state) == (0, None)


def test_a_face_that_was_given_up_is_not_tried_again() -> None:
    first = spoken(Speak(1, 0, "", 0), 48_000)
    gone = StageFailed(1, "face", "its replica is gone", lost=True)
    was, again = recalled([Typed("hi"), ReplyText(1, "Well then. "), ReplyEnded(1), *first, gone, gone])
    for talk in (was, again):
        talk.on(Rejoined(1, 0, 0))
    assert not [c for c in again.on(Played(1, 1)) if isinstance(c, Animate)]
    assert not [c for c in again.on(Rejoined(1, 0, 0)) if isinstance(c, Animate)]


def test_a_question_that_waits_for_the_reply_before_it_is_answered_by_the_next_owner() -> None:
    patient = Agreed(interrupts=False)
    said = [SpeechEnded(15_000), UserSaid("And a drum?", "en", 16_000), TalkReleased(16_000)]
    was, again = recalled([patient, *speaking(), *SPEECH, *said])
    assert was.history == again.history == (Said("user", "hi", 1), Said("user", "And a drum?", 1, id="heard_16000"))
    (ask,) = [c for c in again.on(Rejoined(1, 48_000, 50 * FRAME, ended=True)) if isinstance(c, Ask)]
    assert ask.turn == 2 and ask.history[-2].text == "And a drum?"


@pytest.mark.parametrize(
    ("event", "asked"), [(Joined(), False), (Requested(says="Welcome."), True), (Typed("hi"), True)]
)
def test_it_is_known_whether_anything_was_asked_for_yet_the_greeting_too(event: Event, asked: bool) -> None:
    talk = Conversation("story", Pace())
    recalling = Recalling("story", talk.settings())
    if line := note(event, talk.on(event)):
        recalling.take(json.loads(json.dumps(line)))
    assert recalling.asked == asked


def test_what_comes_late_is_not_noted_twice() -> None:
    assert note(Played(0, 960), []) is None
    assert note(Tick(20), []) is None
    assert note(Heard(pcm(320), 0), []) is None
    _, again = recalled([*speaking(), Typed("stop"), ReplyText(1, "late"), Played(1, 9), StageFailed(1, "tts", "late")])
    assert again.turn == 2


def test_the_idle_frame_of_a_reply_is_recalled() -> None:
    events = [Played(0, 40 * FRAME), *speaking()]
    was, again = recalled(events)
    (speak,) = [c for c in again.on(Rejoined(0)) if isinstance(c, Speak)]
    drawings = [c for event in spoken(speak, 48_000) for c in again.on(event) if isinstance(c, Animate)]
    assert [drawing.span.idle_frame for drawing in drawings] == [45]
    assert was.state == again.state


def test_an_aside_does_not_disturb_what_is_taken_up_again() -> None:
    aside = Requested(silent=True, history=(), apart=True)
    _, again = recalled([*speaking(), aside, aside, ReplyText(-1, "No."), ReplyEnded(-1), Stopped(-2)])
    assert again.state == "speaking" and again.history == (Said("user", "hi", 1),)


# ---- from a checkpoint on ----------------------------------------------------------------------------------------


def after_a_reply() -> Conversation:
    """Somebody heard an answer out, and agreed on another pace."""
    talk = told(0, set()).talk
    talk.on(Agreed(answers=True, pace=Pace(end_of_turn=4_000)))
    return talk


def test_who_begins_at_a_checkpoint_knows_what_was_said_and_agreed() -> None:
    talk = after_a_reply()
    recalling = Recalling("story", Conversation("story").settings())
    recalling.take(json.loads(json.dumps({"checkpoint": checkpoint(talk)})))
    again = recalling.conversation()
    assert recalling.asked and not recalling.replying
    assert (again.turn, again.history) == (talk.turn, talk.history)
    assert again.settings()["pace"] == talk.settings()["pace"] != Conversation("story").settings()["pace"]
    for event in (Typed("And then?"), ReplyText(2, "That was all. "), ReplyEnded(2)):
        assert again.on(event) == talk.on(event)


@pytest.mark.parametrize("event", [Typed("And then?"), SpeechStarted(0)])
def test_while_somebody_has_the_turn_nothing_is_written_down(event: Event) -> None:
    talk = after_a_reply()
    assert checkpoint(talk)
    talk.on(event)
    assert checkpoint(talk) is None
