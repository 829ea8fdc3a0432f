"""The conversation as a list of items, and what a client may do to it."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.commands import Ask, Called, Cancel, Cut, Ended, ReplyDelta, Show, Speak, StateChanged, Trimmed
from streaming.conversation import Conversation
from streaming.events import (
    Added,
    Agreed,
    ClipEnded,
    Dropped,
    Heard,
    Played,
    Removed,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    Stopped,
    TalkPressed,
    TalkReleased,
    Truncated,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.items import REMEMBERED, with_item, with_less_heard, without
from streaming.media import MIC_RATE
from streaming.pace import Pace
from streaming.stages import Said, Tool, ToolCall, Word
from tests.streaming.stories import MS, answer, pcm, shown, silence_until

A, B = Said("user", "a", 1, id="a"), Said("assistant", "b c", 1)
LOOK = ToolCall("1", "look", "{}")


# ---- the list ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "place"), [(None, 2), ("", 0), ("a", 1), ("assistant_1", 2), ("nobody", 2)])
def test_an_item_is_put_behind_the_one_that_is_named(after: str | None, place: int) -> None:
    assert with_item((A, B), Said("user", "x", 2), after).index(Said("user", "x", 2)) == place


def test_an_item_is_taken_out_by_its_name() -> None:
    assert without((A, B), "a") == (B,)
    assert without((A, B), "nobody") == (A, B)


def test_less_of_a_reply_was_heard() -> None:
    shorter = Said("assistant", "b", 1, cut=True)
    assert with_less_heard((A, B), 1, "b") == ((A, shorter), shorter)
    assert with_less_heard((A, B), 1, "")[0] == (A,)
    assert with_less_heard((A, B), 2, "b") == ((A, B), None)


# ---- a client that asks for its replies --------------------------------------------------------------------


def stock(**agreed: Any) -> Conversation:
    """A conversation with a client that reports nothing and asks for what it wants."""
    talk = Conversation("stock", Pace.blind())
    talk.on(Agreed(**agreed))
    return talk


def speaking(talk: Conversation, count: int = 48_000, text: str = "One two.") -> Speak:
    """The reply that is under way is written and its voice has said ``count`` samples: a word each half."""
    talk.on(ReplyText(talk.turn, text))
    (speak,) = [c for c in talk.on(ReplyEnded(talk.turn)) if isinstance(c, Speak)]
    words = (Word("One", 0, count // 2), Word("two", count // 2, count // 2))
    talk.on(SpeechReady(speak.turn, speak.clip, pcm(count), (), words))
    talk.on(ClipEnded(speak.turn, speak.clip))
    return speak


def test_an_added_item_is_answered_only_when_a_reply_is_asked_for() -> None:
    talk = stock()
    assert [type(c).__name__ for c in talk.on(Added(A))] == ["Remember"]
    assert talk.on(Requested("Be brief.", (), True)) == [
        Show(StateChanged("thinking", 1)),
        Ask(1, (A,), "Be brief.", ()),
    ]


def test_an_item_may_be_removed_before_it_is_answered() -> None:
    talk = stock()
    talk.on(Added(A))
    talk.on(Removed("a"))
    assert talk.on(Requested())[-1] == Ask(1, ())


def test_a_silent_reply_is_written_and_not_spoken() -> None:
    talk = stock(silent=True)
    talk.on(Added(A))
    talk.on(Requested())
    assert talk.on(ReplyText(1, "Yes. ")) == [Show(ReplyDelta(1, "Yes. "))]
    assert shown(talk.on(ReplyEnded(1)), Ended) == [Ended(1, 0, 0)]
    assert talk.state == "idle"
    assert talk.history[-1] == Said("assistant", "Yes.", 1)


def test_a_silent_reply_counts_as_said_as_far_as_it_was_written() -> None:
    talk = stock()
    talk.on(Requested(silent=True))
    talk.on(ReplyText(1, "Yes and "))
    assert shown(talk.on(Stopped()), Cut) == [Cut(1, 0, "Yes and")]
    assert talk.state == "idle"


def test_a_reply_may_ask_for_a_function_and_go_on_with_what_it_gave() -> None:
    talk = stock()
    talk.on(Typed("What do you see?"))
    assert talk.on(ReplyCalled(1, LOOK)) == [Show(Called(1, "call_1_0", LOOK))]
    talk.on(ReplyEnded(1))
    call = Said("call", "{}", 1, id="call_1_0", call_id="1", function="look")
    assert talk.history[-1] == call
    gave = Said("tool", "a cat", 1, id="t", call_id="1")
    talk.on(Added(gave))
    assert talk.on(Requested(tools=(Tool("look", "", {}),)))[-1] == Ask(
        2, (Said("user", "What do you see?", 1), call, gave), None, (Tool("look", "", {}),)
    )


def test_a_second_reply_begins_when_the_first_was_sent_though_not_heard_to_its_end() -> None:
    talk = stock()
    talk.on(Requested())
    talk.on(ReplyText(1, "Hi."))
    (speak,) = [c for c in talk.on(ReplyEnded(1)) if isinstance(c, Speak)]
    answer(talk, [speak], 4_800)
    assert talk.state == "speaking"
    assert talk.on(Requested())[-1] == Ask(2, (Said("assistant", "Hi.", 1),))


def test_a_reply_that_is_asked_for_in_mid_reply_waits() -> None:
    talk = stock()
    talk.on(Requested())
    speaking(talk)
    assert talk.on(Requested()) == []
    assert [c for c in talk.on(Stopped()) if isinstance(c, Ask)] == [Ask(2, ())]


# ---- how turns are taken -----------------------------------------------------------------------------------


def said(talk: Conversation, text: str = "Go on with it") -> list[object]:
    """Somebody speaks for 0.6 s and falls silent until the turn is over."""
    talk.on(SpeechStarted(0))
    silence_until(talk, 0, 600 * MS)
    orders = [*talk.on(SpeechEnded(600 * MS)), *talk.on(UserSaid(text, "en", 600 * MS))]
    return [*orders, *silence_until(talk, 600 * MS, 1200 * MS)]


def test_a_turn_that_is_not_to_be_answered_becomes_an_item() -> None:
    talk = stock(answers=False)
    assert [c for c in said(talk) if isinstance(c, Ask)] == []
    assert talk.history == (Said("user", "Go on with it", 0, id=f"heard_{600 * MS}"),)
    assert talk.state == "idle"


def test_speech_that_may_not_interrupt_is_answered_when_the_reply_is_over() -> None:
    talk = stock(interrupts=False)
    talk.on(Requested())
    speaking(talk)
    orders = said(talk)
    assert not [c for c in orders if isinstance(c, Cancel | Ask)]
    assert talk.state == "speaking"
    assert [c.turn for c in talk.on(Stopped()) if isinstance(c, Ask)] == [2]


def test_a_turn_given_at_once_is_understood_before_the_reply_that_was_asked_for_begins() -> None:
    talk = stock(live=False, answers=False, interrupts=False)
    talk.on(TalkPressed(0, interrupts=False))
    talk.on(Heard(pcm(600 * MS), 0))
    assert len(talk.on(TalkReleased(600 * MS))) == 1
    assert talk.on(TalkReleased(600 * MS)) == [], "it is over once"
    assert talk.on(Requested()) == []
    orders = talk.on(UserSaid("Hello", "en", 600 * MS))
    assert orders[-1] == Ask(1, (Said("user", "Hello", 0, id=f"heard_{600 * MS}"),))


def test_a_press_that_may_not_interrupt_leaves_the_reply_alone() -> None:
    talk = stock(live=False)
    talk.on(Requested())
    speaking(talk)
    assert talk.on(TalkPressed(0, interrupts=False)) == []
    assert talk.state == "speaking"


def test_what_was_being_said_can_be_taken_back() -> None:
    talk = stock()
    talk.on(SpeechStarted(0))
    talk.on(Heard(pcm(MIC_RATE), 0))
    assert talk.on(Dropped()) == [Show(StateChanged("idle", 0))]
    assert talk.on(UserSaying("Hello", MIC_RATE)) == []


def test_the_limits_may_change_between_two_turns() -> None:
    talk = stock()
    talk.on(Agreed(pace=Pace(end_of_turn=MIC_RATE // 10)))
    talk.on(SpeechStarted(0))
    talk.on(SpeechEnded(600 * MS))
    talk.on(UserSaid("Go on", "en", 700 * MS))
    assert talk.state == "listening"
    silence_until(talk, 0, 700 * MS)
    assert talk.state == "thinking"


# ---- how much was heard ------------------------------------------------------------------------------------


def test_a_reply_under_way_ends_where_the_client_says_that_it_stopped_playing() -> None:
    talk = stock()
    talk.on(Requested())
    speaking(talk)
    orders = talk.on(Truncated(1, 9_000))
    assert shown(orders, Trimmed) == [Trimmed(1, 9_000, "")]
    assert orders[0] == Cancel(1)
    assert talk.state == "idle"


def test_a_reply_that_was_cut_is_shortened_to_what_the_client_says_it_played() -> None:
    talk = Conversation("own", Pace())
    talk.on(Requested())
    speaking(talk)
    talk.on(Played(1, 28_000))
    talk.on(Stopped())
    assert talk.history == (Said("assistant", "One", 1, cut=True),)
    talk.on(Truncated(1, 48_000))
    assert talk.history == (Said("assistant", "One two.", 1, cut=True),)
    orders = talk.on(Truncated(1, 20_000))
    assert shown(orders, Trimmed) == [Trimmed(1, 20_000, "One")]
    talk.on(Truncated(1, 0))
    assert talk.history == ()


def test_of_old_replies_nobody_knows_any_more_when_their_words_were_heard() -> None:
    talk = stock()
    for _ in range(REMEMBERED + 1):
        talk.on(Requested())
        talk.on(Stopped())
    assert talk.on(Truncated(1, 0)) == []
    assert talk.late["Truncated"] == 1
    assert shown(talk.on(Truncated(2, 0)), Trimmed) == [Trimmed(2, 0, "")]
