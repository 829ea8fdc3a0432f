"""Kokoro itself: exact sounds and words in three languages, small pieces first, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from actors.tts.align import label_shift
from streaming.media import RATE, samples
from streaming.stages import BadInput, Phone, Spoken, StageError
from tests.actors.tts.kokoro.needs import speaking

pytestmark = [speaking, pytest.mark.timeout(600)]

SPANISH = "El tren sale a las 9:30 de la estación. ¿Quieres venir con nosotros?"
CHINESE = "火车9:30从北京出发。你想跟我们一起去吗？"


@pytest.fixture(scope="module")
def voice() -> Iterator[Any]:
    from actors.tts.kokoro.engine import Kokoro

    yield Kokoro()


async def said(voice: Any, text: str, language: str, name: str = "default", seed: int = 1) -> list[Spoken]:
    return [piece async for piece in voice.speak(text, name, language, seed)]


def sound(pieces: list[Spoken]) -> bytes:
    return b"".join(piece.pcm24k for piece in pieces)


def words(pieces: list[Spoken]) -> list[str]:
    return [word.text for piece in pieces for word in piece.words]


async def test_spanish_words_are_the_written_ones_and_figures_one_of_them(voice: Any) -> None:
    told = words(await said(voice, SPANISH, "es"))
    assert told == "El tren sale a las 9:30 de la estación Quieres venir con nosotros".split()


async def test_chinese_words_are_found_in_the_text_in_their_order(voice: Any) -> None:
    told, at = words(await said(voice, CHINESE, "zh")), 0
    assert told[0] == "火车" and "9:30" in told
    for word in told:
        at = CHINESE.index(word, at) + len(word)


@pytest.mark.parametrize(
    ("language", "name", "text"),
    [
        ("en", "af_heart", "Children play in the garden while their grandmother reads the paper. "),
        ("es", "em_alex", "La carretera atraviesa un valle muy verde y los trenes son silenciosos. "),
        ("zh", "zm_yunxi", "画家认真地调配颜色。这座桥是很久以前建的。风吹动了树上的叶子。"),
    ],
)
async def test_sounds_lie_where_they_are_heard(voice: Any, language: str, name: str, text: str) -> None:
    """Single sentences scatter; over half a minute it is within 20 ms."""
    pcm, phones = b"", list[Phone]()
    while len(pcm) < 28 * RATE * 2:
        pieces = await said(voice, text, language, name)
        at = samples(pcm)
        phones += [Phone(p.symbol, at + p.start, p.samples, p.stress) for piece in pieces for p in piece.phones]
        pcm += sound(pieces)
    assert abs(label_shift(pcm, phones)) <= 20


async def test_the_first_piece_of_a_long_sentence_ends_at_its_first_clause(voice: Any) -> None:
    text = "Mañana por la mañana, si no llueve, iremos todos juntos a la playa para pasar allí el día entero."
    stream = voice.speak(text, "default", "es", 1)
    first = await anext(stream)
    await stream.aclose()
    assert first.words[0].text == "Mañana"
    whole = await said(voice, text, "es")
    assert sound(whole).startswith(first.pcm24k)


async def test_another_seed_changes_the_last_bits_only(voice: Any) -> None:
    one, other = [np.frombuffer(sound(await said(voice, "Hola.", "es", seed=seed)), "<i2") for seed in (1, 2)]
    assert len(one) == len(other) and (one != other).any()
    assert np.abs(one.astype(int) - other).max() <= 3


async def test_every_voice_speaks_every_language(voice: Any) -> None:
    assert sound(await said(voice, "Hola.", "es", "af_heart")) != sound(await said(voice, "Hola.", "es", "ef_dora"))


async def test_latin_words_in_chinese_are_read_as_english(voice: Any) -> None:
    pieces = await said(voice, "我用iPhone。", "zh")
    assert words(pieces)[-1] == "iPhone"
    assert "f" in [phone.symbol for piece in pieces for phone in piece.phones]


@pytest.mark.parametrize(("text", "language"), [("你好", "es"), ("привет", "zh"), ("¿?", "es")])
async def test_what_has_no_sound_in_the_language_is_refused(voice: Any, text: str, language: str) -> None:
    with pytest.raises(BadInput, match="send words"):
        await said(voice, text, language)


def test_a_folder_without_the_network_and_a_speed_that_nobody_speaks_at_are_refused(tmp_path: Any) -> None:
    from actors.tts.kokoro.engine import Kokoro

    with pytest.raises(StageError, match="avatar models pull kokoro"):
        Kokoro(tmp_path)
    with pytest.raises(StageError, match=r"from 0\.5 to 2"):
        Kokoro(speed=3)
