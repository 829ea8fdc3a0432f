"""One person of a load: a microphone that never stops, ears, and a manner.

Questions are spoken at the pace of speech through the SDK and the answers heard out, or interrupted. This file knows no
other session and no service's inside.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

from serve_app.bench.questions import Question
from serve_app.client import Avatar, AvatarError
from serve_app.loading.tally import Tally
from serve_app.playing import Playhead
from serve_app.units import Caption, Cut, Flush, Hold, Picture, Sound, State, Told, Trouble
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES, samples

Pattern = Literal["talk", "barge", "idle"]
"""Ask and hear out; interrupt the answers; or be there and say nothing."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the sessions speak."""

    sessions: int
    seconds: float
    """How long new questions are asked; an answer under way is heard out."""
    block_s: float = 0.02
    """Seconds of sound in one message, as a page sends it."""
    speed: float = 1.0
    """1 is the pace of speech; infinity waits for nothing."""
    apart_s: float = 0.25
    """Between the first words of two sessions."""
    patience_s: float = 20.0
    """Longest wait for an answer to begin, and to end after its last news."""
    pattern: Pattern = "talk"
    rest_s: tuple[float, float] = (0.0, 0.0)
    """Least and most quiet between an answer and the next question."""
    barge_s: tuple[float, float] = (1.0, 3.0)
    """Least and most that is heard of an answer before it is interrupted."""


class Caller:
    """One session."""

    def __init__(self, avatar: Avatar, manner: Manner, tally: Tally, number: int = 0) -> None:
        self._avatar = avatar
        self._manner = manner
        self._tally = tally
        self._chance = random.Random(number)
        self._block = round(manner.block_s * MIC_RATE) * SAMPLE_BYTES
        self._begun = time.monotonic()
        self._sent = 0
        self._news = self._begun
        self._ended = math.inf
        """When the last voiced sample of the question was spoken."""
        self._audio: float | None = None
        self._frame: float | None = None
        self._over = False
        self._silent = False
        """True if no sound can be waited for: something failed."""
        self._early = 0
        """The newest turn that was heard before the question was over: an interrupted answer, or one to half of it."""
        self._interrupting = False
        self._barged: float | None = None
        """When the first voiced sample of an interruption was spoken; None once the answer is silent."""
        self._playhead = Playhead(self._begun)

    async def hold(self, questions: Sequence[Question], until: float) -> None:
        """Ask questions until then, but one at least. Raises AvatarError if the conversation breaks."""
        reading = asyncio.create_task(self._read(), name="answers")
        try:
            if self._manner.pattern == "idle":
                await self._quiet(until - time.monotonic(), reading)
                return
            for question in cycle(questions):
                await self._turn(question, reading)
                if time.monotonic() >= until or reading.done():
                    break
                if not self._interrupting:
                    await self._quiet(self._chance.uniform(*self._manner.rest_s), reading)
        finally:
            reading.cancel()
            gone = (await asyncio.gather(reading, return_exceptions=True))[0]
        if isinstance(gone, AvatarError):
            raise gone

    async def _turn(self, question: Question, reading: asyncio.Task[None]) -> None:
        await self._ask(question)
        heard_s = self._chance.uniform(*self._manner.barge_s) if self._manner.pattern == "barge" else math.inf
        while not (self._over or reading.done()):
            if self._audio is not None and time.monotonic() - self._audio >= heard_s:
                self._interrupting = True
                break
            if time.monotonic() - self._news > self._manner.patience_s:
                late = "went on" if self._audio else "began"
                self._tally.failures[f"no answer {late} within {self._manner.patience_s:g} s"] += 1
                break
            await self._give(bytes(self._block))
        self._count()

    async def _ask(self, question: Question) -> None:
        """Speak it, over an answer if that is to be interrupted."""
        interrupting, self._interrupting = self._interrupting, False
        self._over = self._silent = False
        self._audio = self._frame = None
        self._ended = math.inf
        size = self._block
        blocks = [question.pcm16k[at : at + size].ljust(size, b"\0") for at in range(0, len(question.pcm16k), size)]
        for number, block in enumerate(blocks):
            await self._give(block)
            spoken = (number + 1) * size // SAMPLE_BYTES
            if interrupting and spoken > question.voiced_from:
                interrupting, self._barged = False, time.monotonic()
            if self._ended == math.inf and spoken >= question.voiced_until:
                self._ended = self._news = time.monotonic()
        self._tally.asked += 1

    def _count(self) -> None:
        self._tally.answered += self._over and self._audio is not None
        for came, waits in ((self._audio, self._tally.audio_s), (self._frame, self._tally.frame_s)):
            if came is not None and self._ended < math.inf:
                waits.append(came - self._ended)
        if self._barged is not None:
            self._tally.failures["an interruption was not noticed"] += 1
            self._barged = None

    async def _quiet(self, seconds: float, reading: asyncio.Task[None]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not reading.done():
            await self._give(bytes(self._block))

    async def _give(self, block: bytes) -> None:
        self._sent += 1
        due = self._begun + self._sent * self._manner.block_s / self._manner.speed
        await asyncio.sleep(max(due - time.monotonic(), 0.0))
        await self._avatar.hear(block)

    async def _read(self) -> None:
        async for unit in self._avatar:
            self._took(unit)

    def _took(self, unit: Told) -> None:
        now = self._news = time.monotonic()
        match unit:
            case Caption(final=True):  # a breath in mid-question began an answer that nobody waited for
                self._audio = self._frame = None
            case Sound(turn, _, pcm):
                self._tally.heard_s += samples(pcm) / RATE
                self._early = turn if self._ended == math.inf else self._early
                if self._audio is None and turn > self._early:
                    self._audio = now
            case Picture(turn):
                if self._frame is None and turn > self._early:
                    self._frame = now
                self._see(unit, now)
            case Hold() | Flush() | Cut() if self._barged is not None:
                self._tally.silence_s.append(now - self._barged)
                self._barged = None
            case State("idle", turn) if self._ended < math.inf:
                early = turn == self._early > 0
                self._over = early or self._silent or self._audio is not None
                self._tally.early += early and self._audio is None
            case Trouble(error):  # of a reply without sound or pictures too
                self._silent = True
                self._tally.failures[error] += 1
            case _:
                pass
        self._playhead.take(unit, now)

    def _see(self, picture: Picture, now: float) -> None:
        """A picture after the first is late if the playhead stands where it belongs, and waits."""
        turn, pts = self._playhead.at(now)
        self._tally.pictures += 1
        self._tally.late += turn == picture.turn and 0 < picture.pts <= pts
