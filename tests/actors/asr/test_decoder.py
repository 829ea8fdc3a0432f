"""Several utterances in one batch: each gets the text that it would have got alone, whatever it is decoded with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.asr.decoder import HINTS_MOST, Attempt, Decoder, Job
from actors.asr.whisper import Whisper
from serve_app.bench.questions import SHORT
from streaming.stages import BadInput, StageError, Transcript
from tests.actors.asr.spoken import Sound, silence, spoken
from tests.actors.asr.test_whisper import QUESTIONS
from tests.actors.asr.tiny import make


@pytest.fixture(scope="module")
def tiny_en() -> Whisper:
    return Whisper()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Whisper:
    return Whisper(make(tmp_path_factory.mktemp("tiny")), wait_ms=200)


def utterances() -> list[Sound]:
    """Forty-eight of 0.5 to 6 s: whole questions, beginnings of questions, and questions in a noisy room."""
    whole = [spoken(text) for text in (*QUESTIONS, *SHORT)]
    cut = [sound[: len(sound) * 6 // 10] for sound in whole[:7]]
    noisy = [sound + silence(len(sound) / 16_000, level=200)[: len(sound)] for sound in whole[7:11]]
    return [*whole, *cut, *noisy]


def jobs(decoder: Decoder, sounds: Sequence[Sound], **how: Any) -> list[Job]:
    return [
        Job(
            decoder.features(sound.astype(np.float32) / np.float32(32768), 10),
            tokens=int(8 + 8 * len(sound) / 16_000),
            **how,
        )
        for sound in sounds
    ]


def told(attempt: Attempt | Exception) -> tuple[Any, ...]:
    """All of an attempt but the digits that are nothing but rounding."""
    assert isinstance(attempt, Attempt)
    doubts = (attempt.confidence, attempt.no_speech, attempt.certainty)
    return attempt.text, attempt.ids, attempt.detected, attempt.cut_off, *(round(doubt, 4) for doubt in doubts)


def all_alike(tiny_en: Whisper, some: Sequence[Sound]) -> None:
    """Each is understood alone as in batches of every size."""
    decoder = tiny_en._decoder
    asked = jobs(decoder, some, language="en")
    assert len({decoder.alike(job) for job in asked}) == 1
    alone = [told(decoder.attempts([job])[0]) for job in asked]
    assert len({one[0] for one in alone}) > len(asked) * 5 // 6
    for size, part in ((4, slice(None)), (8, slice(0, 16)), (3, slice(16, 28))):
        batches = [asked[part][k : k + size] for k in range(0, len(asked[part]), size)]
        assert [told(one) for batch in batches for one in decoder.attempts(batch)] == alone[part]


def test_utterances_are_understood_alike_alone_and_together(tiny_en: Whisper) -> None:
    all_alike(tiny_en, utterances()[::6])


@pytest.mark.system
@pytest.mark.timeout(600)
def test_so_are_forty_eight(tiny_en: Whisper) -> None:
    assert len(utterances()) == 48
    all_alike(tiny_en, utterances())


@pytest.mark.parametrize("language", [None, "es", "zh"])
def test_so_they_are_by_a_multilingual_model(tiny: Whisper, language: str | None) -> None:
    decoder = tiny._decoder
    asked = jobs(decoder, utterances()[::4], language=language, detect=True)
    alone = [told(decoder.attempts([job])[0]) for job in asked]
    assert [told(one) for one in decoder.attempts(asked)] == alone
    assert all(one[2] for one in alone)


def test_languages_may_differ_within_a_batch_and_hints_of_another_length_may_not(tiny: Whisper) -> None:
    decoder = tiny._decoder
    (job,) = jobs(decoder, [spoken("Stop.")], language="es")
    asked = [job, replace(job, language="zh"), replace(job, language=None)]
    assert len({decoder.alike(one) for one in asked}) == 1
    alone = [told(decoder.attempts([one])[0]) for one in asked]
    assert [told(one) for one in decoder.attempts(asked)] == alone
    hinted, other = replace(job, hints="Hibari"), replace(job, hints="Silero")
    assert decoder.alike(hinted) == decoder.alike(other) != decoder.alike(job) == decoder.alike(replace(job, hints=" "))
    assert decoder.alike(replace(job, encoded=True)) != decoder.alike(replace(job, encoded=True))


def test_of_long_hints_the_end_is_shown(tiny: Whisper) -> None:
    decoder = tiny._decoder
    shown = decoder._hinted("x" * 5_000 + " the end")
    assert len(shown) == HINTS_MOST + 1
    assert decoder.tokenizer("en").decode(list(shown[1:])).endswith("the end")
    (job,) = jobs(decoder, [spoken("Stop.")], language="es", hints="x" * 5_000)
    assert isinstance(decoder.attempts([replace(job, tokens=224)])[0], Attempt)


def test_one_that_runs_on_is_stopped_where_it_would_have_been_alone(tiny: Whisper) -> None:
    decoder = tiny._decoder
    one, other = jobs(decoder, [spoken("Stop."), spoken("Who are you?")], language="en")
    asked = [replace(one, tokens=3), replace(other, tokens=40)]
    alone = [told(decoder.attempts([job])[0]) for job in asked]
    assert [told(attempt) for attempt in decoder.attempts(asked)] == alone
    assert len(alone[0][1]) == 3 and alone[0][3]


@pytest.mark.parametrize("tokens", [3, 12, 40])
@pytest.mark.parametrize("hints", ["", "a few words", "a whole sentence of words that are likely to be said today"])
def test_as_many_tokens_are_written_as_were_allowed(tiny: Whisper, tokens: int, hints: str) -> None:
    decoder = Decoder(tiny._model)
    endless = replace(decoder._task("es"), never=[*decoder._task("es").never, decoder.tokenizer("es").eot])
    decoder._task = lambda language: endless
    (job,) = jobs(decoder, [spoken("Stop.")], language="es", hints=hints)
    (attempt,) = decoder.attempts([replace(job, tokens=tokens)])
    assert isinstance(attempt, Attempt) and (len(attempt.ids), attempt.cut_off) == (tokens, True)


def test_one_that_cannot_be_decoded_fails_alone(tiny: Whisper, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = tiny._decoder
    asked = jobs(decoder, [spoken(text) for text in QUESTIONS[:3]], language="en")
    expected = [told(attempt) for attempt in decoder.attempts(asked)]
    encode = decoder._model.encode

    def choosy(mel: Any) -> Any:
        if any((row == asked[1].mel).all() for row in mel):
            raise RuntimeError("this sound breaks the machine")
        return encode(mel)

    monkeypatch.setattr(decoder._model, "encode", choosy)
    first, bad, last = decoder.attempts(asked)
    assert [told(first), told(last)] == [expected[0], expected[2]]
    assert isinstance(bad, RuntimeError)


def test_a_language_that_whisper_does_not_know_is_refused(tiny: Whisper) -> None:
    with pytest.raises(BadInput, match="Whisper does not know the language 'xx'"):
        Decoder(tiny._model, ["en", "xx"])


def test_only_the_languages_that_are_looked_for_are_found(tiny: Whisper) -> None:
    decoder = Decoder(tiny._model, ["en", "es"])
    (attempt,) = decoder.attempts(jobs(decoder, [spoken("Who are you?")], language=None))
    assert isinstance(attempt, Attempt)
    assert attempt.detected == attempt.language and attempt.detected in ("en", "es") and attempt.certainty >= 0.5
    assert told(Decoder(tiny._model).attempts(jobs(decoder, [spoken("Who are you?")], language=None))[0])[2] != ""


def test_a_machine_that_cannot_run_the_model_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks = RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")
    monkeypatch.setattr(Decoder, "attempts", lambda self, jobs: [lacks])
    with pytest.raises(StageError, match=r"cannot run on this cpu: Library .*; pip install nvidia-cublas-cu12 brings"):
        Whisper(make(tmp_path))


# ---- through the stage ---------------------------------------------------------------------------------------


async def heard(whisper: Whisper, sound: Sound, language: str | None = None, **how: Any) -> Transcript:
    *_, last = [one async for one in whisper.transcribe(sound.tobytes(), language, how.pop("final", True), **how)]
    return last


async def test_four_sessions_hear_together_what_each_hears_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    attempts = Decoder.attempts

    def counted(self: Decoder, some: Sequence[Job]) -> list[Attempt | Exception]:
        batches.append(len(some))
        return attempts(self, some)

    monkeypatch.setattr(Decoder, "attempts", counted)
    whisper, sounds = Whisper(wait_ms=500), utterances()[::6]
    alone = [await heard(whisper, sound) for sound in sounds]
    assert set(batches) == {1}
    batches.clear()

    async def session(some: Sequence[Sound]) -> list[Transcript]:
        return [await heard(whisper, sound) for sound in some]

    four = await asyncio.gather(*(session(sounds[k::4]) for k in range(4)))
    assert [one for row in zip(*four, strict=True) for one in row] == alone
    assert max(batches) == 4 and len(batches) < len(sounds)


async def test_a_language_is_told_with_finals_and_kept_where_it_is_given(tiny: Whisper) -> None:
    sound = spoken("Who are you?")
    final, partial = await heard(tiny, sound, "es"), await heard(tiny, sound, "es", final=False)
    assert (final.language, partial.language) == ("es", "es")
    assert final.detected and 0 < final.certainty <= 1 and (partial.detected, partial.certainty) == ("", 0.0)
    found = await heard(tiny, sound)
    assert (found.language, found.detected, found.certainty) == (final.detected, final.detected, final.certainty)


async def test_one_language_alone_is_taken_for_granted_and_an_unknown_one_refused(tmp_path: Path) -> None:
    whisper = Whisper(make(tmp_path), languages=["es"])
    assert (await heard(whisper, spoken("Stop."))).language == "es"
    with pytest.raises(BadInput, match="does not know the language 'xx'"):
        await heard(whisper, spoken("Stop."), "xx")


async def test_words_of_every_language_lie_within_the_sound_in_order(tiny: Whisper) -> None:
    sound = spoken("Who are you?")
    for language in ("zh", "es", None):
        said = await heard(tiny, sound, language, words=True)
        assert said.words
        starts = [word.start for word in said.words]
        assert starts == sorted(starts)
        assert all(0 <= word.start and word.start + word.samples <= len(sound) for word in said.words)


async def test_one_who_leaves_is_dropped_and_the_others_are_served(tiny: Whisper) -> None:
    sound = spoken("Who are you?")
    calls = [asyncio.create_task(heard(tiny, sound, "en")) for _ in range(6)]
    await asyncio.sleep(0)
    calls[2].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(done[2], asyncio.CancelledError)
    assert {one.text for one in done if isinstance(one, Transcript)} == {(await heard(tiny, sound, "en")).text}


async def test_hints_are_how_names_and_terms_are_spelled(tiny_en: Whisper) -> None:
    sound = spoken("Ask Sarah about the colour of the theatre.")
    without, hinted = await heard(tiny_en, sound), await heard(tiny_en, sound, hints="colour, theatre, Sara")
    assert "Sarah about the color of the theater" in without.text
    assert "Sara about the colour of the theatre" in hinted.text
