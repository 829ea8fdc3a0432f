"""Whether the voice kokoro can be understood: it speaks the sentences of roundtrip.toml, Whisper base writes them down.

The recogniser is told the language, as in a conversation that has found it out; what it takes the sound for is counted
beside. Compared are words in Spanish, characters in Chinese, without marks and capitals, figures read out, Chinese in
simplified characters. The recogniser's own mistakes count against the voice.
"""

from __future__ import annotations

import os
import time
import tomllib
import unicodedata
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec

from actors.asr.whisper import Whisper
from actors.models import ModelMissing, folder
from actors.tts.kokoro import mandarin_text, spanish_text
from serve_app.bench.questions import at_mic
from serve_app.bench.table import Bar, Result
from streaming.media import RATE, samples
from streaming.stages import Voice

NEEDED = ("jiwer", "misaki", "num2words", "hanziconv")
MISSING = (
    "roundtrip: left out; it needs the extras kokoro and bench (pip install 'realtime-avatar[kokoro,bench]') and the"
    " models (avatar models pull kokoro whisper-base)"
)
MOST = {"es": 10.0, "zh": 15.0}
"""Per cent of words, or of characters."""
NAMES = {"es": "Spanish, words", "zh": "Mandarin, characters"}


@dataclass(slots=True)
class Tried:
    """One language's sentences."""

    wanted: list[str] = field(default_factory=list[str])
    heard: list[str] = field(default_factory=list[str])
    found: int = 0
    """Sentences that sound like their language to the recogniser."""
    first_s: list[float] = field(default_factory=list[float])
    wall_s: float = 0.0
    cpu_s: float = 0.0
    sound_s: float = 0.0


def possible() -> bool:
    """True if everything it needs is on this machine."""
    try:
        folder("kokoro")
        folder("whisper-base")
    except ModelMissing:
        return False
    return all(find_spec(name) for name in NEEDED)


async def roundtrip(*, quick: bool = False) -> Result:
    """One row for each language. Raises StageError if the voice cannot be loaded."""
    from actors.tts.kokoro.engine import Kokoro

    told = tomllib.loads((files("serve_app") / "bench" / "roundtrip.toml").read_text("utf-8"))
    threads = os.cpu_count() or 1
    voice, ear = Kokoro(threads=min(threads, 4)), Whisper("base", threads=min(threads, 4))
    rows, bars, wrong = list[tuple[str, ...]](), list[Bar](), list[str]()
    for language, name in NAMES.items():
        given = told[language]
        sentences = given["sentences"][: 3 if quick else None]
        tried = await _tried(voice, ear, language, given["voice"], sentences, told["seed"])
        share = 100 * _errors(language, tried)
        bars.append(Bar(f"{name} that come back wrong", share, MOST[language], "%"))
        rows.append(_row(name, given["voice"], tried, share))
        wrong += [f"“{a}” came back as “{b}”" for a, b in zip(tried.wanted, tried.heard, strict=True) if a != b]
    header = (
        "language",
        "voice",
        "sentences",
        "wrong",
        "taken for it",
        "s of sound",
        "wall / s",
        "CPU / s",
        "first sound",
    )
    notes = (
        f"wall and CPU seconds of the voice for a second of sound, {min(threads, 4)} threads; first sound: p50 of the"
        " seconds from the call to the first piece of a sentence",
        *wrong,
    )
    return Result("roundtrip", header, tuple(rows), tuple(bars), notes)


async def _tried(voice: Voice, ear: Whisper, language: str, name: str, sentences: list[str], seed: int) -> Tried:
    tried = Tried()
    for k, sentence in enumerate(sentences):
        begun, spent, pcm, first = time.monotonic(), time.process_time(), b"", 0.0
        async for piece in voice.speak(sentence, name, language, seed + k):
            first = first or time.monotonic() - begun
            pcm += piece.pcm24k
        tried.wall_s += time.monotonic() - begun
        tried.cpu_s += time.process_time() - spent
        tried.sound_s += samples(pcm) / RATE
        tried.first_s.append(first)
        *_, last = [one async for one in ear.transcribe(at_mic(pcm, seed + k), language, True)]
        tried.wanted.append(plain(language, sentence))
        tried.heard.append(plain(language, last.text))
        tried.found += last.detected == language
    return tried


def plain(language: str, text: str) -> str:
    """What is compared: letters alone, figures read out; Chinese simplified and without spaces."""
    if language == "zh":
        from hanziconv import HanziConv  # pyright: ignore[reportMissingImports]

        text = mandarin_text.spoken_form(HanziConv.toSimplified(unicodedata.normalize("NFKC", text)))
        return "".join(sign for sign in text.casefold() if sign.isalnum())
    text = spanish_text.spoken_form(unicodedata.normalize("NFC", text)).casefold()
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text).split())


def _errors(language: str, tried: Tried) -> float:
    import jiwer

    count = jiwer.cer if language == "zh" else jiwer.wer
    return float(count(tried.wanted, tried.heard))


def _row(name: str, voice: str, tried: Tried, share: float) -> tuple[str, ...]:
    return (
        name,
        voice,
        str(len(tried.wanted)),
        f"{share:.1f} %",
        f"{tried.found} of {len(tried.wanted)}",
        f"{tried.sound_s:.0f}",
        f"{tried.wall_s / tried.sound_s:.2f}",
        f"{tried.cpu_s / tried.sound_s:.2f}",
        f"{sorted(tried.first_s)[len(tried.first_s) // 2]:.2f} s",
    )
