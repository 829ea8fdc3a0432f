"""What every voice must do, whichever engine speaks: streaming/stages.py says it, and this is how it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from importlib.util import find_spec
from typing import Any

import pytest

from actors.tts import ENGINES, SKILLS
from streaming.media import samples
from streaming.stages import BadInput, Spoken, StageError
from tests.actors.tts.kokoro.needs import speaks

TEXT = "Hello there. Your train leaves at nine, from the second platform."


def hibari() -> Any:
    from actors.tts.hibari import Hibari

    return Hibari()


def xtts() -> Any:
    from tests.actors.tts.xtts.tiny import xtts as tiny

    return tiny()


def kokoro() -> Any:
    from actors.tts.kokoro.engine import Kokoro

    return Kokoro()


def polyglot() -> Any:
    from actors.tts.polyglot import Polyglot

    return Polyglot("hibari")


MAKERS: dict[str, Callable[[], Any]] = {"hibari": hibari, "kokoro": kokoro, "polyglot": polyglot, "xtts": xtts}
THERE = {"xtts": find_spec("TTS") is not None, "kokoro": speaks()}
INSTALLED = [name for name in MAKERS if THERE.get(name, True)]


@pytest.fixture(scope="module", params=INSTALLED)
def engine(request: pytest.FixtureRequest) -> Any:
    return MAKERS[request.param]()


async def said(
    voice: Any, text: str = TEXT, seed: int = 1, language: str = "en", name: str = "default"
) -> list[Spoken]:
    return [piece async for piece in voice.speak(text, name, language, seed)]


def sound(pieces: list[Spoken]) -> bytes:
    return b"".join(piece.pcm24k for piece in pieces)


def test_every_engine_is_tried_and_tells_its_skill() -> None:
    assert set(MAKERS) == set(ENGINES) == set(SKILLS)


async def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(engine: Any) -> None:
    first, again, other = await said(engine), await said(engine), await said(engine, seed=2)
    assert first == again
    assert samples(sound(first)) > 24_000
    assert sound(other) != sound(first)


async def test_clips_that_are_spoken_at_the_same_time_do_not_touch_each_other(engine: Any) -> None:
    alone = [await said(engine), await said(engine, "No.", 7)]
    together = await asyncio.gather(*(said(engine, *asked) for asked in ((TEXT, 1), ("No.", 7)) * 3))
    assert together == alone * 3


async def test_a_piece_is_a_good_message_and_arrives_before_the_next_is_made(engine: Any) -> None:
    pieces = await said(engine)
    lengths = [samples(piece.pcm24k) for piece in pieces]
    assert len(pieces) > 2
    assert all(0 < length <= 9_600 for length in lengths), "up to 400 ms, 19 kB"


async def test_phones_cover_the_clip_without_a_gap_and_words_lie_within_it(engine: Any) -> None:
    """An engine may know neither; the face then listens to the sound."""
    pieces = await said(engine)
    total, at = samples(sound(pieces)), 0
    phones = [phone for piece in pieces for phone in piece.phones]
    for phone in phones:
        assert phone.start == at
        at += phone.samples
    assert at == (total if phones else 0)
    words = [word for piece in pieces for word in piece.words]
    assert all(0 <= word.start < word.start + word.samples <= total for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert not words or " ".join(word.text for word in words).startswith("Hello there")


@pytest.mark.parametrize("heard", [0, 1, 3])
async def test_a_clip_may_be_cut_off_anywhere_and_the_next_is_as_if_it_had_not_been(engine: Any, heard: int) -> None:
    alone = await said(engine, "No.", 7)
    stream: AsyncIterator[Spoken] = engine.speak(TEXT * 4, "default", "en", 1)
    async with aclosing(stream) as pieces:  # type: ignore[type-var]
        for _ in range(heard):
            await anext(pieces)
    assert await said(engine, "No.", 7) == alone


@pytest.mark.parametrize("text", ["", "  \n", "...", "🙂", "a" * 2_001])
async def test_what_cannot_be_said_is_bad_input_that_says_what_to_do(engine: Any, text: str) -> None:
    with pytest.raises(BadInput, match=r"send|cut it"):
        await said(engine, text)


async def test_a_long_clip_is_spoken_to_its_end(engine: Any) -> None:
    short, long = await said(engine, TEXT), await said(engine, " ".join([TEXT] * 6))
    assert samples(sound(long)) > 2 * samples(sound(short))


async def test_a_language_that_it_does_not_speak_and_a_voice_that_there_is_not_are_refused(engine: Any) -> None:
    for language in ("xx", "tlh-KX", ""):
        with pytest.raises(StageError, match=r"speaks English|choose one of en"):
            await said(engine, language=language)
    with pytest.raises(BadInput, match="nobody"):
        await said(engine, name="nobody")


async def test_it_speaks_every_language_that_it_says(engine: Any) -> None:
    greetings = {"en": "Hello.", "es": "¿Qué hora es?", "zh": "你好，世界。"}
    tried = [language for language in greetings if language in engine.languages]
    assert "en" in tried
    for language in tried:
        assert samples(sound(await said(engine, greetings[language], language=language))) > 2_400
    assert await said(engine, language="en_GB") == await said(engine)
