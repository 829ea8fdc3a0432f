"""What every Transcriber must do, whichever engine and model it is: streaming/stages.py says it, and this tries it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors import models
from actors.asr import ENGINES
from actors.asr.whisper import Whisper
from streaming.stages import BadInput, StageError, Transcript
from tests.actors.asr.spoken import Sound, silence, spoken
from tests.actors.asr.tiny import make

LISTENERS = {"silero", "smart_turn"}
"""Engines of this stage that write nothing down."""


def here(name: str) -> bool:
    try:
        return bool(models.folder(name))
    except (models.ModelMissing, models.ModelWrong):
        return False


MAKERS: dict[str, Callable[[Path], Any]] = {
    "whisper tiny random": lambda folder: Whisper(make(folder)),
    **{
        f"whisper {name}": lambda folder, name=name: Whisper(name)
        for name in models.MODELS
        if name.startswith("whisper-") and here(name)
    },
}


@pytest.fixture(scope="module", params=MAKERS)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return MAKERS[request.param](tmp_path_factory.mktemp("model"))


async def heard(engine: Any, sound: Sound, language: str | None = "en", final: bool = True, **how: Any) -> Any:
    return [one async for one in engine.transcribe(sound.tobytes(), language, final, **how)]


def test_every_engine_that_writes_down_what_is_said_is_tried() -> None:
    assert set(ENGINES) - LISTENERS == {name.split()[0] for name in MAKERS}


@pytest.mark.parametrize("final", [True, False])
async def test_one_or_more_transcripts_of_which_the_last_is_as_was_asked(engine: Any, final: bool) -> None:
    *before, last = await heard(engine, spoken("Who are you?"), final=final)
    assert isinstance(last, Transcript) and last.final is final and not any(one.final for one in before)
    assert (last.language, last.words) == ("en", ())


async def test_the_same_call_gives_the_same_answer(engine: Any) -> None:
    sound = spoken("How does this work?")
    assert await heard(engine, sound) == await heard(engine, sound)


async def test_calls_at_the_same_time_do_not_hear_each_other(engine: Any) -> None:
    sounds = [spoken("Who are you?"), silence(1), spoken("Stop."), spoken("How does this work?")]
    alone = [await heard(engine, sound) for sound in sounds]
    assert await asyncio.gather(*(heard(engine, sound) for sound in sounds)) == alone


@pytest.mark.parametrize("seconds", [0, 0.01, 2])
async def test_where_nobody_speaks_the_text_is_empty(engine: Any, seconds: float) -> None:
    ((only),) = await heard(engine, silence(seconds))
    assert (only.text, only.final) == ("", True)


async def test_a_language_that_is_found_out_comes_with_its_probability_or_not_at_all(engine: Any) -> None:
    (found,) = await heard(engine, spoken("How do the lips follow the sound?"), None)
    assert len(found.language) in (2, 3)
    assert (found.detected == "") == (found.certainty == 0.0) and 0 <= found.certainty <= 1


async def test_words_come_in_order_and_within_the_sound(engine: Any) -> None:
    sound = np.concatenate([silence(0.5), spoken("How does this work?")])
    (said,) = await heard(engine, sound, words=True)
    starts = [word.start for word in said.words]
    assert starts == sorted(starts) and all(word.start + word.samples <= len(sound) for word in said.words)


async def test_hints_are_taken_or_passed_over(engine: Any) -> None:
    (said,) = await heard(engine, spoken("Who are you?"), hints="Hibari, Silero")
    assert isinstance(said, Transcript)


async def test_a_call_that_is_given_up_leaves_the_engine_well(engine: Any) -> None:
    call = asyncio.create_task(heard(engine, spoken("Who are you?")))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    (said,) = await heard(engine, spoken("Who are you?"))
    assert said.final


async def test_bad_input_is_one_clear_sentence(engine: Any) -> None:
    with pytest.raises(BadInput, match="3 bytes"):
        await anext(engine.transcribe(b"abc", None, True))


def test_a_model_that_is_not_there_is_told_and_not_fetched() -> None:
    with pytest.raises(StageError):
        Whisper("nobody-made-this")
