"""One loaded voice for all tests of this folder: loading takes half a second, speaking some milliseconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from actors.tts.hibari import Hibari
from streaming.media import samples
from streaming.stages import Phone, Spoken, Word


@dataclass(frozen=True)
class Clip:
    """Everything that the voice gave for one clip."""

    blocks: list[Spoken]

    @property
    def pcm(self) -> bytes:
        return b"".join(block.pcm24k for block in self.blocks)

    @property
    def samples(self) -> int:
        return samples(self.pcm)

    @property
    def phones(self) -> list[Phone]:
        return [phone for block in self.blocks for phone in block.phones]

    @property
    def words(self) -> list[Word]:
        return [word for block in self.blocks for word in block.words]


Say = Callable[..., Coroutine[Any, Any, Clip]]


@pytest.fixture(scope="session")
def voice() -> Hibari:
    return Hibari()


@pytest.fixture
def say(voice: Hibari) -> Say:
    async def said(text: str, name: str = "default", language: str = "en", seed: int = 0) -> Clip:
        stream: AsyncIterator[Spoken] = voice.speak(text, name, language, seed)
        return Clip([block async for block in stream])

    return said
