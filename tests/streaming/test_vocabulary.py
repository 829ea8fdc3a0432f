"""The words of the conversation: facts and orders that nobody can change, each in its place."""

from __future__ import annotations

import dataclasses
import typing
from types import ModuleType

import pytest

from streaming import commands, events, media, pace, stages
from streaming.commands import Command, Message
from streaming.events import Event, StageFailed, Tick
from streaming.journal import KINDS
from streaming.stages import Face, Judge, Listener, Responder, Transcriber, Voice
from streaming.states import TRANSITIONS

VOCABULARY = (events, commands, stages, media)


def own(module: ModuleType) -> list[type]:
    """The classes that a module itself defines and that carry data."""
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and dataclasses.is_dataclass(thing)
    ]


WORDS = [word for module in VOCABULARY for word in own(module)]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_every_word_is_frozen_slotted_and_says_what_it_means(word: type) -> None:
    assert word.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(word)
    assert "__dict__" not in dir(word), "a base class without slots would let anything be added"
    assert word.__doc__ and not word.__doc__.startswith(f"{word.__name__}(")


def test_what_happened_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Tick(1).now = 2  # type: ignore[misc]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_no_word_holds_what_could_change_under_way(word: type) -> None:
    """A tool's schema is the one mapping."""
    for name, hint in typing.get_type_hints(word).items():
        parts = {typing.get_origin(hint), *(typing.get_origin(part) for part in typing.get_args(hint)), hint}
        assert not parts & {list, set, dict, bytearray}, f"{word.__name__}.{name}"


def test_every_event_and_order_stands_in_its_union() -> None:
    assert set(typing.get_args(Event)) == set(own(events))
    assert set(typing.get_args(Command)) | set(typing.get_args(Message)) == set(own(commands))
    assert not set(typing.get_args(Command)) & set(typing.get_args(Message))


@pytest.mark.parametrize(
    "word", [word for word in own(events) if word not in (StageFailed,)], ids=lambda word: word.__name__
)
def test_every_event_about_a_reply_says_its_turn_first(word: type) -> None:
    reply = word.__name__.startswith(
        ("Reply", "Speech", "Clip", "Frames", "Face", "Played", "Truncated", "Stopped", "Rejoined")
    )
    heard = word.__name__ in ("SpeechStarted", "SpeechEnded")
    names = [field.name for field in dataclasses.fields(word)]
    assert (names[:1] == ["turn"]) == (reply and not heard)


@pytest.mark.parametrize("word", own(commands), ids=lambda word: word.__name__)
def test_every_order_about_a_reply_says_its_turn(word: type) -> None:
    without = {"Transcribe", "JudgeTurn", "Show", "Remember", "Forget", "HangUp", "UserCaption", "Waited"}
    names = {field.name for field in dataclasses.fields(word)}
    assert ("turn" in names) == (word.__name__ not in without)


def test_a_journal_knows_every_word_by_one_name() -> None:
    spoken = [*own(events), *own(commands), *own(stages), media.FramePacket, pace.Pace]
    assert sorted(KINDS) == sorted(word.__name__ for word in spoken), "two words of one name would be confused"
    for word in spoken:
        assert "kind" not in {field.name for field in dataclasses.fields(word)}, "the place of the word's own name"


@pytest.mark.parametrize("protocol", [Listener, Judge, Transcriber, Responder, Voice, Face], ids=lambda p: p.__name__)
def test_a_stage_is_one_method(protocol: type) -> None:
    assert len([name for name in vars(protocol) if not name.startswith("_")]) == 1


def test_every_state_leads_somewhere_and_is_led_to() -> None:
    states = set(typing.get_args(commands.State))
    assert set(TRANSITIONS) == states
    assert set().union(*TRANSITIONS.values()) == states
    assert all(TRANSITIONS.values())
