"""What the recogniser makes of speech, silence, noise, long recordings and bad input, with the real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest

from actors.asr.whisper import Whisper
from actors.models import ModelMissing
from streaming.stages import BadInput, StageError, Transcript
from tests.actors.asr.spoken import Sound, human_clips, plain, silence, spoken

QUESTIONS = (
    "Who are you?",
    "How does this work?",
    "Does it need a graphics card?",
    "Can I interrupt you?",
    "How do the lips follow the sound?",
    "Stop.",
    "Goodbye and have a nice day.",
)


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper(threads=2)


async def understood(whisper: Whisper, sound: Sound, final: bool = True) -> list[Transcript]:
    return [transcript async for transcript in whisper.transcribe(sound.tobytes(), "en", final)]


async def test_human_speech_is_understood(whisper: Whisper) -> None:
    clips = human_clips()
    heard = [(await understood(whisper, sound))[-1].text for _, sound in clips]
    assert jiwer.wer([plain(text) for text, _ in clips], [plain(text) for text in heard]) <= 0.05


async def test_short_questions_are_understood_to_the_word(whisper: Whisper) -> None:
    sounds = [np.concatenate([silence(0.3), spoken(text), silence(0.25)]) for text in QUESTIONS]
    heard = [await understood(whisper, sound) for sound in sounds]
    assert [plain(one.text) for (one,) in heard] == [plain(text) for text in QUESTIONS]
    assert heard[0][0] == Transcript(heard[0][0].text, (), "en", True)


async def test_a_partial_is_not_final(whisper: Whisper) -> None:
    (partial,) = await understood(whisper, spoken("How does this work?")[:16_000], final=False)
    assert partial.text and not partial.final


async def test_a_sentence_cut_in_the_middle_is_not_said_twice(whisper: Whisper) -> None:
    """Without room after the sound a short window makes the decoder begin again; the cut is where it hurts most."""
    for text in ("Tell me about the face.", "Hello, can you hear me?", "Who made this and is it free?"):
        sound = spoken(text)
        (heard,) = await understood(whisper, sound[: len(sound) * 7 // 10])
        assert len(plain(heard.text).split()) <= len(plain(text).split()) + 1, heard.text


@pytest.mark.parametrize("level", [0, 30, 300, 3000])
async def test_noise_is_no_words(whisper: Whisper, level: float) -> None:
    assert await understood(whisper, silence(3, level=level)) == [Transcript("", (), "en", True)]


async def test_a_cough_is_no_words(whisper: Whisper) -> None:
    burst = np.random.default_rng(5).normal(0, 9000, 4000) * np.exp(-np.arange(4000) / 900)
    sound = np.concatenate([silence(0.5), np.clip(burst, -32768, 32767).astype("<i2"), silence(1)])
    assert [one.text for one in await understood(whisper, sound)] == [""]


async def test_what_slips_past_the_voice_detector_is_judged_by_the_decoder(
    whisper: Whisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper._silero, "track", lambda sound: np.ones(-(-len(sound) // 512), np.float32))
    for level in (30, 300, 3000):
        assert [one.text for one in await understood(whisper, silence(2, level=level))] == [""]


async def test_nothing_at_all_is_an_empty_text(whisper: Whisper) -> None:
    assert await understood(whisper, silence(0)) == [Transcript("", (), "en", True)]
    assert (await understood(whisper, spoken("Stop.")[:20]))[-1].text == ""


async def test_a_long_recording_grows_piece_by_piece(whisper: Whisper) -> None:
    once = np.concatenate([np.concatenate([spoken(text), silence(0.5)]) for text in QUESTIONS])
    sound = np.concatenate([once, once, once])
    heard = await understood(whisper, sound)
    texts = [one.text for one in heard]
    assert len(sound) > 30 * 16_000 and len(heard) >= 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert [one.final for one in heard] == [False] * (len(heard) - 1) + [True]
    assert jiwer.wer(plain(" ".join(QUESTIONS * 3)), plain(texts[-1])) <= 0.05


async def test_half_a_sample_is_refused(whisper: Whisper) -> None:
    with pytest.raises(BadInput, match="3 bytes; PCM16 has 2 for each sample"):
        await anext(whisper.transcribe(b"abc", None, True))


async def test_more_than_fifteen_minutes_are_refused(whisper: Whisper) -> None:
    with pytest.raises(BadInput, match=r"at most 15 minutes at once, not 15.1: cut it"):
        await anext(whisper.transcribe(bytes(2 * 16_000 * 906), None, True))


async def test_a_final_is_done_before_partials_that_wait(whisper: Whisper) -> None:
    done: list[str] = []
    sound = spoken("Stop.")

    async def listen(name: str, transcripts: AsyncIterator[Transcript]) -> None:
        async for _ in transcripts:
            done.append(name)

    async with asyncio.TaskGroup() as group:
        for name in ("first partial", "second partial", "third partial"):
            group.create_task(listen(name, whisper.transcribe(sound.tobytes(), None, False)))
        group.create_task(listen("final", whisper.transcribe(sound.tobytes(), None, True)))
    assert done.index("final") <= 1 and len(done) == 4


async def test_the_next_call_works_after_one_was_given_up(whisper: Whisper) -> None:
    calls = whisper.transcribe(np.concatenate([spoken("Stop."), silence(20), spoken("Stop.")]).tobytes(), None, True)
    await anext(calls)
    await calls.aclose()  # type: ignore[attr-defined]
    assert (await understood(whisper, spoken("Who are you?")))[-1].text == "Who are you?"


def test_a_model_is_one_of_the_manifest_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    with pytest.raises(StageError, match=r"'huge'; name one of tiny\.en, base, turbo, large-v3, or a folder"):
        Whisper("huge")
    with pytest.raises(ModelMissing, match=r"whisper-turbo/model\.bin is missing .*: avatar models pull whisper-turbo"):
        Whisper("turbo")


def test_a_folder_that_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="recognition cannot load the Whisper model"):
        Whisper(tmp_path)
