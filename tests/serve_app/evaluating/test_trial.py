"""One run with stages of which every figure is known beforehand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from serve_app.bench import latency
from serve_app.bench.latency import Eye, Timing
from serve_app.bench.questions import LEAD_IN, Question
from serve_app.errors import UserError
from serve_app.evaluating import calls, lips, trial, waits
from serve_app.evaluating.cases import Case, GoldSet
from serve_app.evaluating.figures import Figure
from serve_app.evaluating.second import Second
from serve_app.evaluating.trial import Trial
from serve_app.inspecting.mouth import NoMouth
from streaming.stages import Avatar, FaceState, Span, Spoken
from tests.serve_app.evaluating.stubs import Actor, Reader, Speaker, bench, loud, stages

EYE = cast(Eye, object())  # nobody looks through it here


def gold(*cases: Case) -> GoldSet:
    return GoldSet("story", cases, 7, "d")


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


async def figures_of(*cases: Case, **others: Any) -> tuple[dict[str, Figure], Trial]:
    done = await trial.run(bench(gold(*cases), **others))
    return by_name(done.figures), done


# ---- words ---------------------------------------------------------------------------------------------------


async def test_a_text_is_spoken_and_heard_and_its_errors_counted() -> None:
    voice = Speaker()
    texts = ["The cat sat.", "A bat ran off."]
    found, done = await figures_of(
        Case("a", texts[0], "en"),
        Case("b", texts[1], "en"),
        voice=voice,
        transcriber=Reader(texts, {"cat": "hat", "off": "off now"}),
    )
    assert voice.asked == [(texts[0], "en", 7), (texts[1], "en", 7)]
    figure = found["round trip, WER en"]
    assert figure.value == pytest.approx(100 * 2 / 7) and figure.note == "2 of 7, 2 cases"
    assert [row.heard for row in done.understood] == ["The hat sat.", "A bat ran off now."]
    assert done.failures == []


async def test_what_one_recogniser_mishears_is_not_laid_at_the_voices_door() -> None:
    texts = ["The cat sat on a mat."]
    other = Second("other", Reader(texts, {"cat": "bat", "mat": "map"}))
    found, _ = await figures_of(
        Case("a", texts[0], "en"), second=other, transcriber=Reader(texts, {"sat": "sad", "mat": "nap"})
    )
    assert found["round trip, WER en"].value == pytest.approx(100 * 2 / 6)
    assert found["round trip, WER en, second recogniser"].value == pytest.approx(100 * 2 / 6)
    assert found["round trip, WER en, wrong with both"].value == pytest.approx(100 / 6)


async def test_without_a_second_recogniser_its_figures_say_why() -> None:
    found, _ = await figures_of(Case("a", "Hi", "en"), transcriber=Reader(["Hi"]))
    assert found["round trip, WER en, wrong with both"] == Figure(
        "round trip, WER en, wrong with both", "errors", (), "none is here"
    )


async def test_an_english_only_second_recogniser_is_not_asked_for_mandarin() -> None:
    other = Second("whisper tiny.en", Reader([]), english=True)
    found, _ = await figures_of(Case("a", "你好", "zh"), second=other, transcriber=Reader(["你妈"]))
    assert found["round trip, CER zh"].value == 50
    assert found["round trip, CER zh, second recogniser"].note == "whisper tiny.en does not hear zh"


async def test_a_language_that_the_voice_does_not_speak_is_left_out_and_told() -> None:
    found, done = await figures_of(Case("a", "Hola", "es"), Case("b", "Hi", "en"), transcriber=Reader(["Hi"]))
    assert found["round trip, WER es"].note == "the voice hibari does not speak es"
    assert found["round trip, WER es"].value is None and found["round trip, WER en"].value == 0
    assert done.failures == []


async def test_a_voice_that_fails_counts_as_not_understood_and_is_told() -> None:
    found, done = await figures_of(
        Case("a", "I am hoarse", "en"), Case("b", "I am fine", "en"), transcriber=Reader(["I am fine"])
    )
    assert found["round trip, WER en"].value == 50
    assert done.failures == ["a: voice: hoarse; rest"]


async def test_a_recording_is_heard_and_not_spoken(tmp_path: Any) -> None:
    voice = Speaker()
    case = Case("a", "Hello there", "en", tmp_path / "a.wav")
    made = bench(gold(case), voice=voice, transcriber=Reader(["Hello dear"]))
    made.recordings = {"a": loud(1)}
    found = by_name((await trial.run(made)).figures)
    assert voice.asked == []
    assert found["recordings, WER en"].value == 50
    assert "round trip, WER en" not in found
    assert found["recognition, real time"].note == "1.0 s of sound a run"


async def test_a_call_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Speaker):
        async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
            await asyncio.Event().wait()
            yield Spoken(b"")

    monkeypatch.setattr(calls, "CALL_S", 0.01)
    found, done = await figures_of(Case("a", "Hi", "en"), voice=Hanging())
    assert done.failures == ["a: voice: nothing came to an end within 0.01 s"]
    assert found["round trip, WER en"].value == 100 and found["voice, real time"].value is None
    with pytest.raises(UserError, match=r"^2: voice: nothing came to an end within 0.01 s, and 2 calls before"):
        await figures_of(*(Case(str(number), "Hi", "en") for number in range(9)), voice=Hanging())


async def test_every_stage_is_timed_for_a_second_of_sound() -> None:
    found, _ = await figures_of(Case("a", "Hi", "en"), transcriber=Reader(["Hi"]))
    for name in ("voice, real time", "voice, CPU", "recognition, real time", "recognition, CPU"):
        value = found[name].value
        assert value is not None and 0 < value < 5, name


# ---- likeness ------------------------------------------------------------------------------------------------


async def test_likeness_is_not_measured_without_an_encoder() -> None:
    found, _ = await figures_of(Case("a", "Hi", "en"), transcriber=Reader(["Hi"]))
    assert found["likeness of the voice"].note == "the voice hibari offers no speaker encoder"


async def test_likeness_is_the_cosine_with_the_recording_that_the_voice_was_made_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Cloned(Speaker):
        def embedding(self, pcm24k: bytes) -> list[float]:
            return [3.0, 4.0] if pcm24k == b"recorded" else [4.0, 0.0]

    class Recording:
        def pcm24k(self) -> bytes:
            return b"recorded"

    found, _ = await figures_of(Case("a", "Hi", "en"), transcriber=Reader(["Hi"]), voice=Cloned())
    assert found["likeness of the voice"].note == "the voice 'default' was made of no recording"
    monkeypatch.setattr("actors.tts.voices.find", lambda name: Recording())
    found, _ = await figures_of(Case("a", "Hi", "en"), transcriber=Reader(["Hi"]), voice=Cloned())
    assert found["likeness of the voice"].value == pytest.approx(0.6)


# ---- lips ----------------------------------------------------------------------------------------------------


async def test_lips_that_follow_the_voice_agree_with_it_and_late_ones_are_seen() -> None:
    case, text = Case("a", "Hi", "en"), ["Hi"]
    good, _ = await figures_of(case, voice=Speaker(3), face=Actor(), transcriber=Reader(text))
    late, _ = await figures_of(case, voice=Speaker(3), face=Actor(120), transcriber=Reader(text))
    on_time, behind = (found["lips, late to the phonemes"].value for found in (good, late))
    assert on_time is not None and behind is not None
    assert abs(on_time) < 30 and behind - on_time == pytest.approx(120, abs=30)
    assert (good["lips, r with the phonemes"].value or 0) > 0.75 > (late["lips, r with the phonemes"].value or 0)
    assert good["lips, shut at p b m"].value == 100 and good["face, real time"].value is not None


async def test_a_voice_without_phonemes_leaves_the_lips_to_the_ear() -> None:
    class Mute(Speaker):
        async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
            yield Spoken(self.speech.pcm)

    class Told(Actor):
        """Knows the phones that the voice did not tell."""

        async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
            phones = Speaker(3).speech.labels.phones
            told = Span("", 1, 0, span.pcm24k, span.want_frames, phones, True, 0, "", "h264", 0, 0)
            async for item in super().animate(told, avatar, state):
                yield item

    found, _ = await figures_of(Case("a", "Hi", "en"), voice=Mute(6), face=Told(), transcriber=Reader(["Hi"]))
    assert found["lips, r with the phonemes"].note == "the voice does not tell its phonemes"
    assert found["lips, r with the phonemes"].value is None
    assert (found["lips, r with the loudness"].value or 0) > 0.4


async def test_without_a_face_or_with_a_broken_one_the_lips_are_not_measured() -> None:
    found, _ = await figures_of(Case("a", "Hi", "en"), transcriber=Reader(["Hi"]))
    assert found["lips, shut at p b m"].note == "the profile shows no face"

    class Broken(Actor):
        async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
            yield FaceState("broken", 0, b"")

    found, _ = await figures_of(Case("a", "Hi", "en"), face=Broken(), transcriber=Reader(["Hi"]))
    assert found["lips, shut at p b m"].note == "no picture was drawn"


async def test_no_more_is_drawn_than_a_film_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    async def draw(self: Any, case: Case, said: Any, seed: int) -> list[Any]:
        drawn.append(case.id)
        self.spent.setdefault("face", calls.Spent())
        return []

    monkeypatch.setattr(calls.Calls, "draw", draw)
    monkeypatch.setattr(lips, "ENOUGH_S", 5.0)
    cases = [Case(str(number), "Hi", "en") for number in range(9)]
    await figures_of(*cases, face=Actor(), transcriber=Reader(["Hi"] * 9), voice=Speaker(2))
    assert drawn == ["0", "1"]


# ---- waits ---------------------------------------------------------------------------------------------------


async def test_questions_are_asked_and_their_waits_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([Timing(100, 110, 200, 220, 230, 300), TimeoutError(), Timing(200, 210, 300, 320, 330, 500)])

    async def answer_to(question: Question, *_: Any) -> Timing:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(waits, "answer_to", answer_to)
    texts = ["Who?", "Why?", "Yes.", "When?"]
    cases = [Case(text, text, "en", None, text != "Yes.") for text in texts]
    made = bench(gold(*cases), transcriber=Reader(texts))
    made.eye = EYE
    done = await trial.run(made)
    found = by_name(done.figures)
    assert found["questions answered"].value == pytest.approx(200 / 3)
    assert done.failures == ["Why?: no answer came"]
    assert found["wait for the first moving lip, p50"].value == 400
    assert found["wait for the transcript, p95"].value == pytest.approx(195)


async def test_the_end_of_a_question_is_known_from_phones_or_heard() -> None:
    pcm = bytes(32_000) + loud(1) + bytes(16_000)
    heard = await waits.question_of(stages(), "Hi", pcm, None, LEAD_IN)
    assert heard is not None and heard.voiced_until == 32_000
    said = calls.Utterance(b"", Speaker(1).speech.labels.phones)
    last = max(phone.start + phone.samples for phone in said.phones if phone.symbol)
    known = await waits.question_of(stages(), "Hi", pcm, said, LEAD_IN)
    assert known is not None and known.voiced_until == LEAD_IN + last * 2 // 3
    assert await waits.question_of(stages(), "Hi", bytes(32_000), None, LEAD_IN) is None
    found, failures = await waits.measured([("a", None)], stages(), bench().settings, EYE)
    assert failures == ["a: no voice is heard in the question"] and found[0].value == 0


async def test_without_an_eye_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await waits.eye_of(stages()) == "the profile shows no face"

    async def nothing_moves(stages: Any) -> Eye:
        raise NoMouth

    monkeypatch.setattr(waits, "look", nothing_moves)
    found, failures = await waits.measured([], stages(), bench().settings, EYE)
    assert found[0].note == "no case of the set is a question (ask = true)" and failures == []
    assert await waits.eye_of(stages(face=Actor())) == ("no mouth was found: nothing moves as a mouth does")


async def test_a_question_that_is_not_answered_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "PATIENCE_S", 0.05)
    monkeypatch.setattr(latency, "CLOSED_S", 0.0)
    before = asyncio.all_tasks()
    with pytest.raises(TimeoutError):
        await latency.answer_to(Question("Hi", bytes(640), 320), stages(), bench().settings, EYE)
    assert asyncio.all_tasks() == before
