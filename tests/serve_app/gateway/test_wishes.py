"""What a client chose, as the conversation is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.gateway.wishes import ClientError, Wishes, usual_detection
from streaming.events import Agreed
from streaming.media import MIC_RATE
from streaming.pace import Pace
from streaming.session import Driving
from streaming.stages import Tool


def detecting(detection: Any, *, judged: bool = True, answers: bool = False) -> Agreed:
    wishes = Wishes().with_update({"audio": {"input": {"turn_detection": detection}}})
    return wishes.agreed(Pace.blind(), answers=answers, judged=judged)


def pace_of(agreed: Agreed) -> Pace:
    assert agreed.pace is not None
    return agreed.pace


def test_silence_and_padding_are_the_clients() -> None:
    agreed = detecting({"type": "server_vad", "silence_duration_ms": 700, "prefix_padding_ms": 100})
    assert (pace_of(agreed).end_of_turn, pace_of(agreed).pre_roll) == (MIC_RATE * 7 // 10, MIC_RATE // 10)
    assert not pace_of(agreed).judging
    assert (agreed.live, agreed.answers, agreed.interrupts) == (True, True, True)


@pytest.mark.parametrize(("eagerness", "seconds"), [("low", 8), ("medium", 4), ("auto", 4), ("high", 2)])
def test_eagerness_is_how_long_an_incomplete_sentence_is_waited_for(eagerness: str, seconds: int) -> None:
    pace = pace_of(detecting({"type": "semantic_vad", "eagerness": eagerness}))
    assert pace.judging and pace.end_incomplete == seconds * MIC_RATE


def test_without_a_judge_semantic_detection_is_the_usual_silence() -> None:
    pace = pace_of(detecting({"type": "semantic_vad"}, judged=False))
    assert not pace.judging and pace.end_of_turn == Pace().end_of_turn


def test_turns_may_be_left_unanswered_and_replies_uninterrupted() -> None:
    agreed = detecting({"type": "semantic_vad", "create_response": False, "interrupt_response": False})
    assert (agreed.answers, agreed.interrupts) == (False, False)


@pytest.mark.parametrize("answers", [False, True])
def test_without_detection_turns_are_ended_by_the_client(answers: bool) -> None:
    agreed = detecting(None, answers=answers)
    assert (agreed.live, agreed.answers, agreed.interrupts) == (False, answers, False)


def test_an_eagerness_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ClientError, match="not 'wild'"):
        detecting({"type": "semantic_vad", "eagerness": "wild"})


def test_instructions_and_tools_go_with_every_call() -> None:
    tool = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    wishes = Wishes().with_update({"instructions": "Be brief.", "tools": [tool]})
    usual = Driving(voice="v", instructions="Be long.")
    assert wishes.driving(usual) == Driving(
        voice="v", instructions="Be brief.", tools=(Tool("look", "Looks.", {"type": "object"}),)
    )
    assert Wishes().driving(usual) == usual


def test_too_many_words_and_tools_are_refused() -> None:
    with pytest.raises(ClientError, match="32,000"):
        Wishes().with_update({"instructions": "x" * 40_000})
    with pytest.raises(ClientError, match="128"):
        Wishes().with_update({"tools": [{"name": "x"}] * 129})


def test_what_we_have_no_use_for_is_shown_again() -> None:
    wishes = Wishes().with_update({"type": "realtime", "tracing": "auto", "temperature": 0.7, "id": "theirs"})
    assert wishes.rest == {"tracing": "auto", "temperature": 0.7}


def test_a_client_that_says_nothing_keeps_the_services_own_pace() -> None:
    patient = Pace(end_of_turn=MIC_RATE * 8 // 10, pre_roll=MIC_RATE // 5)
    wishes = Wishes(detection=usual_detection(patient)).with_update({"instructions": "Be brief."})
    agreed = wishes.agreed(patient, answers=False, judged=False)
    assert pace_of(agreed) == patient
    judging = Pace().with_eagerness("low")
    assert usual_detection(judging)["eagerness"] == "low"
    wishes = Wishes(detection=usual_detection(judging))
    assert pace_of(wishes.agreed(judging, answers=False, judged=True)) == judging


def hearing(update: dict[str, Any]) -> tuple[str, str]:
    """The language that the conversation is told, and the hints that go with each call, after a first choice."""
    first = {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "es", "prompt": "Hibari"}}}}
    wishes = Wishes().with_update(first).with_update(update)
    agreed = wishes.agreed(Pace(), answers=False, judged=False)
    return agreed.language, wishes.driving(Driving(hints="Silero")).hints


def test_the_language_and_the_names_that_will_be_said_are_the_clients() -> None:
    assert hearing({}) == ("es", "Hibari")
    assert hearing({"input_audio_transcription": {"language": "zh"}}) == ("zh", "Silero")
    assert hearing({"input_audio_transcription": None}) == ("", "Silero")
    assert hearing({"avatar": {"language": "en"}}) == ("es", "Hibari")
    assert hearing({"avatar": {"language": "en"}, "input_audio_transcription": None}) == ("en", "Silero")
    button = Wishes().with_update({"turn_detection": None, "avatar": {"language": "es"}})
    assert button.agreed(Pace(), answers=True, judged=False).language == "es"


@pytest.mark.parametrize(
    ("transcription", "param", "sentence"),
    [
        ("whisper-1", "", "an object or null"),
        ({"language": "Spanish"}, ".language", "two or three letters, not 'Spanish'"),
        ({"language": 7}, ".language", "not 7"),
        ({"prompt": ["Hibari"]}, ".prompt", "a text of at most 2,000 characters"),
        ({"prompt": "x" * 2001}, ".prompt", "a text of at most 2,000 characters"),
    ],
)
def test_a_transcription_that_cannot_be_is_refused(transcription: Any, param: str, sentence: str) -> None:
    with pytest.raises(ClientError, match=sentence) as refused:
        Wishes().with_update({"audio": {"input": {"transcription": transcription}}})
    assert refused.value.param == f"audio.input.transcription{param}"
