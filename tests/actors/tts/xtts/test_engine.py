"""The stage with small networks: whose voice, which texts, who waits, and what a machine without the model is told."""

from __future__ import annotations

import tests.actors.tts.xtts.needs  # isort: skip  # noqa: F401  # skips this file where coqui-tts is missing

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import actors.tts.deployment
from actors.engines import resolve
from actors.handles import RemoteVoice
from actors.tts import voices
from actors.tts.xtts.engine import Xtts
from streaming.stages import BadInput, Spoken, StageError
from tests.actors.serve_local import local
from tests.actors.tts.xtts import recordings, tiny

TEXT = "Hello there, my friend."


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def engine() -> Xtts:
    return tiny.xtts()


async def said(voice: Any, text: str = TEXT, name: str = "default", language: str = "en", seed: int = 1) -> bytes:
    return b"".join([piece.pcm24k async for piece in voice.speak(text, name, language, seed)])


# ---- whose voice -------------------------------------------------------------------------------------------


async def test_a_stored_voice_reaches_the_engine_and_is_another_than_the_next(engine: Xtts) -> None:
    anna, berta = recordings.brought(1), recordings.brought(2)
    first, second, own = [await said(engine, name=name) for name in (anna, berta, tiny.OWN)]
    assert len({first, second, own}) == 3
    assert await said(engine, name=anna) == first
    assert await said(engine) == own, "the usual voice is the model's first own one"
    assert len(list(voices.own_folder().glob("*.safetensors"))) == 2
    another = tiny.xtts(voice=berta)
    assert await said(another) == second, "a replica that starts later reads what was made, and speaks alike"


async def test_the_encoder_tells_whose_voice_a_sound_is(engine: Xtts) -> None:
    first, again, other = (engine.embedding(voices.find(recordings.brought(seed)).pcm24k()) for seed in (1, 1, 2))
    assert first.shape == (512,) and (first == again).all()
    assert (first != other).any()


async def test_an_erased_voice_is_gone_from_disk_and_from_memory(engine: Xtts) -> None:
    anna = recordings.brought(3)
    await said(engine, name=anna)
    voices.remove(anna)
    assert list(voices.own_folder().iterdir()) == []
    with pytest.raises(BadInput, match=f"no voice is called '{anna}'; GET /voices lists"):
        await said(engine, name=anna)


async def test_a_stored_voice_reaches_an_engine_on_another_machine(
    engine: Xtts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serve's local mode: everything of ours but Ray. The engine is made to see no library."""
    anna = recordings.brought(4)
    expected = await said(engine, name=anna)
    monkeypatch.setattr(voices, "here", lambda _: False)
    deployment: Any = actors.tts.deployment.deployment
    bound = deployment.bind("xtts", {"models": str(tiny.folder()), "device": "cpu"})
    remote = RemoteVoice(local(bound, "tts"))
    for path in voices.own_folder().glob("*.safetensors"):
        path.unlink()
    monkeypatch.setattr("actors.handles.find", lambda name: voices.Brought(name, "", "en", "", "", True, {}))
    assert await said(remote, name=anna) == expected
    assert list(voices.own_folder().glob("*.safetensors")) == [], "what travelled is kept in memory only"


# ---- several at once ---------------------------------------------------------------------------------------


async def test_more_clips_than_rows_are_all_spoken_and_a_listener_that_rests_keeps_nobody_out() -> None:
    engine = tiny.xtts(rows=2)
    alone = await said(engine)
    resting = engine.speak(TEXT, "default", "en", 2)
    async with aclosing(resting) as pieces:  # type: ignore[type-var]
        await anext(pieces)
        async with asyncio.timeout(60):
            assert await asyncio.gather(*(said(engine) for _ in range(5))) == [alone] * 5
        rest = b"".join([piece.pcm24k async for piece in pieces])
    assert rest and (await said(engine, seed=2)).endswith(rest)


async def test_a_clip_that_is_cut_off_steps_no_further(engine: Xtts) -> None:
    stream: AsyncIterator[Spoken] = engine.speak(TEXT, "default", "en", 1)
    async with aclosing(stream) as pieces:  # type: ignore[type-var]
        await anext(pieces)
    engine._executor.submit(lambda: None).result()  # what was under way is over
    assert engine._together._rows == [None] * engine._gpt.rows
    assert not engine._together._waiting


async def test_no_piece_of_a_long_text_is_longer_than_the_model_reads(engine: Xtts) -> None:
    tokens = engine._tokens("word " * 60, "en")
    assert len(tokens) > engine._model.args.gpt_max_text_tokens
    assert len(await said(engine, "word " * 60)) > len(await said(engine, "word")) * 2


# ---- what is not there -------------------------------------------------------------------------------------


def test_without_a_model_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVATAR_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for arguments in ({}, {"models": str(tmp_path / "nowhere")}):
        with pytest.raises(StageError, match=r"no XTTS model .*; run: avatar models pull xtts-v2 --accept-licence$"):
            resolve("tts", "xtts")(**arguments)
    with pytest.raises(StageError, match=r"no config.json.*models pull"):
        Xtts(tmp_path, device="cpu")


async def test_refusals_name_what_there_is(engine: Xtts) -> None:
    with pytest.raises(BadInput, match=r"does not speak 'de'; choose one of en, es, zh"):
        await said(engine, language="de")
    with pytest.raises(BadInput, match=f"there is no voice 'shimmer'; .*its own are {tiny.OWN}"):
        await said(engine, name="shimmer")
    with pytest.raises(StageError, match=r"cannot run on 'tpu'"):
        tiny.xtts(device="tpu")
    with pytest.raises(BadInput, match=r"there is no voice 'nobody'"):
        tiny.xtts(voice="nobody")
