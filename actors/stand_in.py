"""Engines that only take the time that real ones were measured to take: for loads, not for conversations.

Each is a lane, or several, that one call at a time goes through in the order of arrival, for ``first`` seconds and
``each`` for a second of sound; between two ``step`` seconds of sound the lane goes to whoever waits. So a service of
them queues as one of real engines does, without their models. What they say is made up, and of honest size.
"""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence

import numpy as np

from streaming.media import FPS, FRAME, MIC_RATE, RATE, FramePacket, samples
from streaming.stages import (
    Avatar,
    FaceState,
    Hearing,
    HearState,
    History,
    Phone,
    Span,
    Spoken,
    StageError,
    TextDelta,
    Tool,
    ToolCall,
    Transcript,
    Voicing,
    Word,
)

WORD_S = 0.3
"""How long a word is heard."""
WORDS = (14, 40)
"""Fewest and most of a reply: 4.2 to 12 s."""
SENTENCE = 8
"""Words of a sentence."""
LOUD = 300.0
"""Root mean square of a block, of 32,768, from which somebody is heard."""
PAUSE = MIC_RATE // 4
"""Samples at 16 kHz of quiet after which speech has paused."""
PICTURES = (4200, 3200, 3600, 3100, 4600)
"""Bytes of pictures as H.264 has them, in turn."""


class Lane:
    """So many workers, each with one piece of work at a time; first come, first served."""

    def __init__(self, first: float, each: float, step: float, lanes: int, *, burn: bool) -> None:
        """See the module. ``burn``: work on a core for that long, instead of sleeping."""
        if min(first, each, step) < 0 or lanes < 1:
            raise StageError("a stand-in takes first, each and step of 0 or more, and lanes of 1 or more")
        self._first, self._each, self._step, self._burn = first, each, step, burn
        self._free = asyncio.Semaphore(lanes)

    def steps(self, seconds: float) -> Iterator[tuple[float, float]]:
        """Seconds of sound up to which each step goes, and seconds of work that it is."""
        done, first = 0.0, self._first
        while True:
            until = min(done + self._step, seconds) if self._step else seconds
            yield until, first + self._each * (until - done)
            done, first = until, 0.0
            if done >= seconds - 1e-9:
                return

    async def work(self, seconds: float) -> None:
        """Wait for a worker, and take so much of its time."""
        async with self._free:
            if self._burn:
                await asyncio.to_thread(_burn, seconds)
            elif seconds:
                await asyncio.sleep(seconds)


def _burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))


class Ears:
    """Hears whatever is loud; see streaming.stages.Listener."""

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing:
        """Speech begins with the first loud block, and pauses after 250 ms of quiet ones."""
        at = state.at + samples(pcm16k)
        block = np.frombuffer(pcm16k, "<i2").astype(np.float32)
        loud = bool(block.size) and float(np.sqrt(np.mean(block * block))) >= LOUD
        if loud:
            news = [] if state.speaking else [Voicing(True, state.at)]
            return news, HearState(at, True, state.voiced_from if state.speaking else state.at, at)
        if state.speaking and at - state.voiced_until >= PAUSE:
            return [Voicing(False, state.voiced_until)], HearState(at, False, state.voiced_from, state.voiced_until)
        return [], HearState(at, state.speaking, state.voiced_from, state.voiced_until)


class Scribe:
    """Understands that something was said; see streaming.stages.Transcriber."""

    def __init__(
        self, first: float = 0.0, each: float = 0.0, step: float = 0.0, lanes: int = 1, burn: bool = False
    ) -> None:
        self._lane = Lane(first, each, step, lanes, burn=burn)

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        """One transcript, after its time; another sound gives another text."""
        for _, work in self._lane.steps(samples(pcm16k) / MIC_RATE):
            await self._lane.work(work)
        yield Transcript(f"Tell me about number {zlib.crc32(pcm16k) % 10_000}.", (), language or "en", final)


class Talker:
    """Answers with so many words that mean nothing; see streaming.stages.Responder."""

    def __init__(
        self, first: float = 0.0, each: float = 0.0, step: float = 0.0, lanes: int = 64, burn: bool = False
    ) -> None:
        self._lane = Lane(first, each, step, lanes, burn=burn)

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall]:
        """Sentences of eight words, as many as what was said last and how long the talk is say."""
        await self._lane.work(next(self._lane.steps(0.0))[1])
        last = history[-1].text if history else ""
        least, most = WORDS
        count = least + zlib.crc32(f"{len(history)} {last}".encode()) % (most - least + 1)
        for k in range(count):
            yield TextDelta("word" + (". " if k % SENTENCE == SENTENCE - 1 or k == count - 1 else " "))


class Hummer:
    """Speaks noise, three words in a bit less than a second; see streaming.stages.Voice."""

    def __init__(
        self, first: float = 0.0, each: float = 0.0, step: float = 0.0, lanes: int = 1, burn: bool = False
    ) -> None:
        self._lane = Lane(first, each, step, lanes, burn=burn)
        self._noise = os.urandom(2 * RATE)

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """A piece for each step, with the words that begin in it."""
        words, each = text.split(), round(WORD_S * RATE)
        sent = 0
        for until, work in self._lane.steps(len(words) * WORD_S):
            await self._lane.work(work)
            end = round(until * RATE)
            begun = [k for k in range(len(words)) if sent <= k * each < end]
            pcm = (self._noise * ((end - sent) // RATE + 1))[: 2 * (end - sent)]
            phones = tuple(Phone("a", k * each, each) for k in begun)
            yield Spoken(pcm, phones, tuple(Word(words[k], k * each, each) for k in begun))
            sent = end


class Drawer:
    """Pictures that no decoder can show; see streaming.stages.Face."""

    def __init__(
        self, first: float = 0.0, each: float = 0.0, step: float = 0.0, lanes: int = 1, burn: bool = False
    ) -> None:
        self._lane = Lane(first, each, step, lanes, burn=burn)
        self._data = [os.urandom(size) for size in PICTURES]

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        """The wanted pictures, those of a step together."""
        sent = span.skip
        for until, work in self._lane.steps((span.want_frames - span.skip) / FPS):
            await self._lane.work(work)
            end = min(span.skip + round(until * FPS), span.want_frames)
            for k in range(sent, end):
                pts = span.pts + k * FRAME
                yield FramePacket(pts, self._data[pts // FRAME % len(self._data)], k == span.skip)
            sent = end
        yield FaceState("stand-in", span.pts + span.want_frames * FRAME, b"")


ENGINES = {
    "asr": "actors.stand_in:Scribe",
    "llm": "actors.stand_in:Talker",
    "tts": "actors.stand_in:Hummer",
    "face": "actors.stand_in:Drawer",
}
"""Stage -> what stands in for its engine. Not in the stages' own tables: nobody is to choose one by mistake."""
