"""Five small stages that answer, break, hang and die as they are told: for tests of what joins them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from streaming.media import FRAME, FramePacket
from streaming.stages import (
    Avatar,
    FaceState,
    HearState,
    History,
    Phone,
    Span,
    Spoken,
    TextDelta,
    Tool,
    ToolCall,
    Transcript,
    Voicing,
    Word,
)
from tests.streaming.stories import pcm

AVATAR = Avatar("story", 384, 576, 384, 576)


class Ears:
    """Hears speech from the first block on, and its end in a block of zeros."""

    def hear(self, pcm16k: bytes, state: HearState) -> tuple[list[Voicing], HearState]:
        at = state.at + len(pcm16k) // 2
        loud = any(pcm16k)
        news = [] if loud == state.speaking else [Voicing(loud, state.at)]
        return news, HearState(at, loud, state.at, at if loud else state.voiced_until)


class Scribe:
    def __init__(self) -> None:
        self.finals: list[bool] = []

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        self.finals.append(final)
        if not final:
            await asyncio.Event().wait()
        yield Transcript("Hello", (), "en", False)
        yield Transcript("Hello there", (), "en", final)


class Echo:
    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall]:
        yield ToolCall("1", "look", "{}")
        yield TextDelta("You said: ")
        yield TextDelta(history[-1].text if history else "nothing")


class Hum:
    """100 ms a piece, five pieces a clip; each with a phone and a word."""

    fail: Exception | None = None
    """Raised once, after three pieces."""
    hang = False

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        for k in range(5):
            if k == 3 and self.hang:
                await asyncio.Event().wait()
            if k == 3 and self.fail:
                error, self.fail = self.fail, None
                raise error
            yield Spoken(pcm(2400, k + 1), (Phone("a", k * 2400, 2400),), (Word("w", k * 2400, 2400),))


class Mask:
    fail: Exception | None = None

    async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
        for k in range(span.skip, span.want_frames):
            pts = span.pts + k * FRAME
            if pts == 3 * FRAME and self.fail:
                error, self.fail = self.fail, None
                raise error
            yield FramePacket(pts, b"%d" % pts, k == 0)
        yield FaceState("mask", span.pts + span.want_frames * FRAME, b"")
