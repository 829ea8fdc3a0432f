"""A voice whose samples are numbered and a face whose pictures show the number of their sound.

So a browser's canvas and its loudspeaker can be compared by what they hold, without believing a clock of ours. The
pictures are honest H.264 through the same encoder as any engine's. This file knows no browser.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Container, Sequence

import numpy as np

from actors.face.video import H264Encoder, JpegEncoder, Pixels, encoder
from streaming.media import FPS, FRAME, RATE, FramePacket
from streaming.stages import Avatar, FaceState, History, Span, Spoken, TextDelta, Tool, Word

CYCLE = 30_000
"""Samples after which the numbers begin anew: 1.25 s, far more than any skew that is still one."""
PIECE = RATE // 5
WORD_S = 0.3
"""How long a word takes."""

SOUND_BITS, TURN_BITS, CHECK_BITS = 15, 5, 4
BITS = SOUND_BITS + TURN_BITS + CHECK_BITS
CELL = 8
"""Pixels of half a bit. A bit is two halves, white-black for 1, so that a faded picture can still be read."""
ROWS = 16
LIGHT, DARK = 230, 20


def numbers(first: int, count: int) -> np.ndarray:
    """Samples ``first`` ... of the endless count: 1 to CYCLE, never 0, so that silence is no number."""
    return (np.arange(first, first + count) % CYCLE + 1).astype("<i2")


def code(sound: int, turn: int) -> int:
    """What a strip holds: the number of the sound (0 is silence), the turn modulo 32, and a check."""
    value = (sound << TURN_BITS) | (turn % (1 << TURN_BITS))
    return (value << CHECK_BITS) | check(value)


def check(value: int) -> int:
    """Four bits that a picture that is two pictures, or half of one, does not have by chance."""
    return (value * 7 + value // 16 * 11 + value // 256 * 13 + value // 4096 * 3 + value // 65536 * 5 + 9) % 16


def strip(value: int, width: int) -> Pixels:
    """The strip as (ROWS, width, 3) BGR."""
    bits = [value >> (BITS - 1 - k) & 1 for k in range(BITS)]
    halves = np.array([side for bit in bits for side in ((LIGHT, DARK) if bit else (DARK, LIGHT))], np.uint8)
    row = np.repeat(halves, CELL)[:width]
    row = np.pad(row, (0, width - len(row)), constant_values=DARK)
    return np.repeat(np.repeat(row[None, :, None], ROWS, 0), 3, 2)


class Lecturer:
    """Answers everything with so many words."""

    def __init__(self, words: int) -> None:
        self._words = words

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        """The words, in sentences of eight."""
        for k in range(self._words):
            yield TextDelta(f"word{k}" + (". " if k % 8 == 7 or k == self._words - 1 else " "))


class Counter:
    """Speaks numbers: whoever speaks next goes on where the last one stopped."""

    def __init__(self) -> None:
        self._next = 0

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """0.3 s a word, in pieces of 200 ms."""
        words = text.split()
        each = round(WORD_S * RATE)
        for start in range(0, len(words) * each, PIECE):
            count = min(PIECE, len(words) * each - start)
            pcm = numbers(self._next, count).tobytes()
            self._next += count
            begun = [k for k in range(len(words)) if start <= k * each < start + count]
            yield Spoken(pcm, (), tuple(Word(words[k], k * each, each) for k in begun))
            await asyncio.sleep(0)


class Strip:
    """A still picture with a strip on top. ``slow``: seconds of work for a second of pictures; 0 as fast as it goes.

    ``left_out``: frames of the reply that get no picture.
    """

    def __init__(self, slow: float = 0.0, left_out: Container[int] = ()) -> None:
        self._slow = slow
        self._left_out = left_out
        self._free = 0.0
        self._coders: dict[tuple[str, int, int], H264Encoder | JpegEncoder] = {}

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        """The span's pictures; each shows the number of the sound at its beginning."""
        begin = span.pts + span.skip * FRAME
        coder = self._coders.pop((span.session, span.turn, begin), None)
        coder = coder or encoder(span.codec, avatar.width, avatar.height)
        picture = np.full((avatar.height, avatar.width, 3), 90, np.uint8)
        for k in range(span.skip, span.want_frames):
            pts = span.pts + k * FRAME
            if pts // FRAME in self._left_out:
                continue
            await self._work()
            picture[:ROWS] = strip(code(_sound_at(span.pcm24k, k * FRAME), span.turn), avatar.width)
            picture[ROWS + k % 50 :: 50] = k % 200
            data, key = await asyncio.to_thread(coder.encode, picture, pts)
            yield FramePacket(pts, data, key)
        after = span.pts + span.want_frames * FRAME
        self._coders = {(span.session, span.turn, after): coder}
        yield FaceState("strip", after, b"")

    async def _work(self) -> None:
        self._free = max(self._free, time.monotonic()) + self._slow / FPS
        await asyncio.sleep(max(self._free - time.monotonic(), 0))


def _sound_at(pcm24k: bytes, sample: int) -> int:
    return int.from_bytes(pcm24k[2 * sample : 2 * sample + 2], "little")
