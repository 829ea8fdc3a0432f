"""A voice, two recognisers and a face of which every measure is known: what they say, mishear and show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from serve_app.evaluating import cases
from serve_app.evaluating.second import Second
from serve_app.evaluating.trial import Bench
from serve_app.settings import load
from streaming.media import RATE
from streaming.session import Stages
from streaming.stages import Avatar, FaceState, Span, Spoken, StageError, Transcript
from tests.serve_app import faces
from tests.stubs import AVATAR, Ears, Echo, Scribe

SILENT = cases.GoldSet("none", (cases.Case("a", "a", "en"),), 0, "d")


class Speaker:
    """Speaks the made-up language of tests/serve_app/faces.py, whatever the text; of ``hoarse`` it can say nothing."""

    languages = frozenset({"en", "zh"})

    def __init__(self, seconds: float = 0.5) -> None:
        self.speech = faces.speech(seconds)
        self.asked: list[tuple[str, str, int]] = []

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        self.asked.append((text, language, seed))
        if "hoarse" in text:
            raise StageError("hoarse; rest")
        half = len(self.speech.pcm) // 4 * 2
        yield Spoken(self.speech.pcm[:half], self.speech.labels.phones)
        yield Spoken(self.speech.pcm[half:])


class Reader:
    """Understands the next text of those it was given, with what it mishears put in."""

    def __init__(self, texts: Iterable[str], mishears: Mapping[str, str] | None = None) -> None:
        self._texts = iter(texts)
        self._mishears = mishears or {}

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        text = next(self._texts)
        for said, heard in self._mishears.items():
            text = text.replace(said, heard)
        yield Transcript(text, (), language or "en", final)


class Actor:
    """Draws a face whose lips do what the phones say, so many milliseconds late."""

    def __init__(self, late_ms: int = 0) -> None:
        self._late = late_ms

    async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
        later = tuple(replace(phone, start=phone.start + self._late * RATE // 1000) for phone in span.phones)
        opening = faces.Speech(faces.Labels(later), span.pcm24k).lips()
        for packet in faces.shot(opening):
            yield packet
        yield FaceState("actor", 0, b"")


def stages(**others: Any) -> Stages:
    return replace(Stages(Ears(), Scribe(), Echo(), Speaker(), None, AVATAR), **others)


def bench(gold: cases.GoldSet = SILENT, second: Second | None = None, **others: Any) -> Bench:
    """What a run needs, without a face and without questions unless they are given."""
    made = stages(**others)
    eye = "nobody asks"
    return Bench(gold, made, load("cpu"), second or Second("", why="none is here"), {}, eye)


def loud(seconds: float) -> bytes:
    """A microphone at 16 kHz in which somebody speaks."""
    return (np.full(round(seconds * 16_000), 900, "<i2")).tobytes()
