"""Replies beside the conversation, and replies with a conversation of their own."""

from __future__ import annotations

import pytest

from streaming.commands import (
    AsideBegun,
    Ask,
    Called,
    Cancel,
    Cut,
    Ended,
    Failed,
    HangUp,
    ReplyDelta,
    Show,
    StateChanged,
)
from streaming.conversation import Conversation
from streaming.events import (
    Added,
    ClipEnded,
    Left,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechReady,
    StageFailed,
    Stopped,
    Typed,
)
from streaming.meter import Meter
from streaming.pace import Pace
from streaming.stages import Said, ToolCall, Usage
from streaming.states import FutureTurn
from tests.streaming.stories import pcm, shown

QUESTION = (Said("user", "Is this rude?", 0, id="q"),)
ASIDE = Requested("Judge.", None, True, QUESTION, True)


def test_an_aside_is_written_while_the_conversation_goes_on() -> None:
    talk = Conversation("story", Pace.file())
    talk.on(Typed("hello"))
    assert talk.on(ASIDE) == [Show(AsideBegun(-1)), Ask(-1, QUESTION, "Judge.")]
    assert talk.on(ReplyText(-1, "No.")) == [Show(ReplyDelta(-1, "No."))]
    assert talk.on(ReplyText(1, "Hi.")) == [Show(ReplyDelta(1, "Hi."))]
    assert talk.on(ReplyEnded(-1, Usage(9, 2))) == [Show(Ended(-1, 0, 0, Usage(9, 2)))]
    assert (talk.state, talk.turn) == ("thinking", 1)
    assert talk.history == (Said("user", "hello", 1),)


def test_an_aside_without_an_input_of_its_own_answers_the_conversation() -> None:
    talk = Conversation("story")
    talk.on(Added(Said("user", "hello", 1, id="a")))
    told = talk.on(Requested(silent=True, apart=True))
    assert told[1:] == [Ask(-1, (Said("user", "hello", 1, id="a"),))]
    assert talk.state == "idle"


def test_asides_are_numbered_and_one_is_stopped_without_the_others() -> None:
    talk = Conversation("story")
    for turn in (-1, -2):
        assert talk.on(ASIDE)[0] == Show(AsideBegun(turn))
    talk.on(ReplyText(-2, "Half "))
    assert talk.on(Stopped(-2)) == [Cancel(-2), Show(Cut(-2, 0, "Half"))]
    assert talk.on(Stopped(-2)) == []
    assert talk.on(ReplyText(-2, "late")) == [] and talk.late["ReplyText"] == 1
    assert talk.on(Left()) == [Cancel(-1), Show(Cut(-1, 0, "")), HangUp("the client left")]


def test_an_aside_may_call_a_function_and_may_fail() -> None:
    talk = Conversation("story")
    talk.on(ASIDE)
    call = ToolCall("c", "look", "{}")
    assert talk.on(ReplyCalled(-1, call)) == [Show(Called(-1, "call_-1_0", call))]
    told = talk.on(StageFailed(-1, "llm", "no server"))
    assert told == [Show(Failed(-1, "llm", "no server")), Show(Ended(-1, 0, 0))]
    assert talk.history == ()


def test_an_aside_that_was_never_begun_is_impossible() -> None:
    talk = Conversation("story")
    with pytest.raises(FutureTurn, match="for aside -1, but the newest is 0"):
        talk.on(ReplyText(-1, "No."))


def test_a_spoken_reply_apart_has_the_turn_and_is_forgotten() -> None:
    talk = Conversation("story", Pace.file(), codec=None)
    talk.on(Added(Said("user", "hello", 1, id="a")))
    told = talk.on(Requested(history=QUESTION, apart=True))
    assert told == [Show(StateChanged("thinking", 1)), Ask(1, QUESTION)]
    talk.on(ReplyText(1, "No. "))
    talk.on(ReplyEnded(1))
    talk.on(SpeechReady(1, 0, pcm(2_400)))
    assert shown(talk.on(ClipEnded(1, 0)), Ended) == [Ended(1, 2_400, 3)]
    assert talk.state == "idle"
    assert talk.history == (Said("user", "hello", 1, id="a"),)


def test_a_reply_to_an_input_of_its_own_enters_the_conversation() -> None:
    talk = Conversation("story")
    assert talk.on(Requested(silent=True, history=()))[-1] == Ask(1, ())
    talk.on(ReplyText(1, "Yes."))
    talk.on(ReplyEnded(1))
    assert talk.history == (Said("assistant", "Yes.", 1),)


def test_nobody_waits_for_an_aside_so_it_is_not_measured() -> None:
    told: list[str] = []
    talk = Conversation("story")
    meter = Meter(lambda name, value, labels: told.append(name), talk.late)
    for event in (ASIDE, ReplyText(-1, "No."), ReplyEnded(-1), ASIDE, Stopped(-2)):
        meter(event, talk.on(event))
    assert told == []
