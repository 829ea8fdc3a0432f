"""A greeting: a reply whose words are known, so that nobody is asked for them."""

from __future__ import annotations

from streaming.commands import Ask, Cancel, Cut, Ended, Remember, ReplyDelta, Show, Speak, StateChanged, UserCaption
from streaming.conversation import Conversation
from streaming.events import Joined, Played, Requested, SpeechReady, Tick, Typed
from streaming.pace import Pace
from streaming.session import Driving
from streaming.stages import Said, Word
from tests.streaming.stories import answer, pcm, shown

WELCOME = "Welcome to the museum."


def test_it_is_spoken_without_a_language_model_and_remembered_like_any_reply() -> None:
    talk = Conversation("story", Pace.file())
    assert talk.on(Joined()) == [Show(StateChanged("idle", 0))]
    told = talk.on(Requested(says=WELCOME))
    (speak,) = [order for order in told if isinstance(order, Speak)]
    assert speak.text == WELCOME
    assert told == [Show(StateChanged("thinking", 1)), Show(ReplyDelta(1, WELCOME)), speak]
    heard = answer(talk, told)
    assert heard[-3:] == [
        Show(Ended(1, 24_000, 25)),
        Remember(Said("assistant", WELCOME, 1)),
        Show(StateChanged("idle", 1)),
    ]
    assert not [order for order in heard if isinstance(order, Ask)]
    assert talk.on(Typed("Thanks"))[-1] == Ask(2, (Said("assistant", WELCOME, 1), Said("user", "Thanks", 2)))


def test_whoever_writes_over_it_is_answered_and_it_counts_as_far_as_it_was_heard() -> None:
    talk = Conversation("story", codec=None)
    talk.on(Requested(says=WELCOME))
    words = tuple(Word(text, k * 6000, 6000) for k, text in enumerate(WELCOME.split()))
    talk.on(SpeechReady(1, 0, pcm(24_000), (), words))
    talk.on(Played(1, 9000))
    cut, user = Said("assistant", "Welcome to", 1, cut=True), Said("user", "Where are you?", 2)
    assert talk.on(Typed("Where are you?")) == [
        Cancel(1),
        Show(Cut(1, 9000, "Welcome to")),
        Remember(cut),
        Show(UserCaption("Where are you?", final=True)),
        Remember(user),
        Show(StateChanged("thinking", 2)),
        Ask(2, (cut, user)),
    ]


def test_a_client_that_wants_text_only_reads_it() -> None:
    talk = Conversation("story", codec=None)
    told = [*talk.on(Requested(says=WELCOME, silent=True)), *talk.on(Tick(20))]
    assert [message.text for message in shown(told, ReplyDelta)] == [WELCOME]
    assert not [order for order in told if isinstance(order, Speak)]
    assert (talk.state, talk.history) == ("idle", (Said("assistant", WELCOME, 1),))


def test_what_a_persona_knows_goes_before_the_conversation_and_is_no_part_of_it() -> None:
    asked = (Said("user", "Where are you?", 1),)
    assert Driving().informed(asked) == asked
    assert Driving(knowledge="[[topic]]").informed(asked) == (Said("knowledge", "[[topic]]", 0), *asked)
