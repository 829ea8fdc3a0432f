"""Nobody speaks for long after a reply: the avatar speaks by itself."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.commands import Ask, Command, Remember, Show, State, StateChanged, UserCaption, Waited
from streaming.conversation import Conversation
from streaming.events import Agreed, Heard, ReplyEnded, ReplyText, SpeechStarted, Tick, Typed
from streaming.pace import Pace
from streaming.stages import Said
from tests.streaming.stories import MS, pcm

PATIENT = Pace().with_idle_timeout(5_000)


def answered(pace: Pace = PATIENT, **agreed: Any) -> Conversation:
    """A conversation whose first reply, text only, was over at 1 s; the microphone has sent 1 s by then."""
    talk = Conversation("story", pace)
    talk.on(Agreed(silent=True, pace=pace, **agreed))
    talk.on(Typed("hello"))
    talk.on(Heard(pcm(1_000 * MS, 0), 0))
    talk.on(Tick(1_000))
    talk.on(ReplyText(1, "Hi."))
    talk.on(ReplyEnded(1))
    return talk


def at(talk: Conversation, seconds: int) -> list[Command]:
    talk.on(Heard(pcm(1_000 * MS, 0), (seconds - 1) * 1_000 * MS))
    return talk.on(Tick(seconds * 1_000))


def test_the_silence_is_an_empty_turn_that_is_answered_every_time() -> None:
    talk = answered()
    assert [at(talk, second) for second in range(2, 6)] == [[]] * 4
    silence = Said("user", "", 2)
    assert at(talk, 6) == [
        Show(Waited(16_000, 96_000)),
        Show(UserCaption("", final=True)),
        Remember(silence),
        Show(StateChanged("thinking", 2)),
        Ask(2, (Said("user", "hello", 1), Said("assistant", "Hi.", 1), silence)),
    ]
    assert at(talk, 20) == []
    talk.on(ReplyEnded(2))
    assert at(talk, 24) == [] and Show(Waited(20 * 16_000, 25 * 16_000)) in at(talk, 25)


def test_whoever_speaks_is_not_hurried() -> None:
    talk = answered()
    at(talk, 5)
    talk.on(SpeechStarted(5_000 * MS))
    assert talk.state == "listening"
    assert at(talk, 9) == []


@pytest.mark.parametrize(
    ("pace", "agreed"),
    [(Pace(), {}), (PATIENT.with_idle_timeout(None), {}), (PATIENT, {"answers": False}), (PATIENT, {"live": False})],
)
def test_it_waits_for_ever_unless_it_was_told_and_may_answer(pace: Pace, agreed: dict[str, bool]) -> None:
    assert at(answered(pace, **agreed), 60) == []


def test_it_does_not_speak_first() -> None:
    talk = Conversation("story", PATIENT)
    state: State = talk.state
    assert (at(talk, 60), state) == ([], "idle")


def test_a_client_without_a_microphone_is_spoken_to_as_well() -> None:
    talk = Conversation("story", PATIENT)
    talk.on(Agreed(silent=True, pace=PATIENT))
    talk.on(Typed("hello"))
    talk.on(ReplyEnded(1))
    assert talk.on(Tick(5_000))[0] == Show(Waited(0, 0))
