"""Calls of the stages for an evaluation: what came, how long it took by the clock and in CPU time, and what failed.

A call that fails, or takes too long, is noted and gives nothing; the evaluation goes on. CPU time is this process's:
of an engine elsewhere it says nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from serve_app.errors import UserError
from serve_app.evaluating.cases import Case
from serve_app.evaluating.figures import Figure
from serve_app.settings import Settings
from streaming.media import MIC_RATE, RATE, FramePacket, frames_for, samples
from streaming.session import Stages
from streaming.stages import FaceState, Phone, Span, StageError, StageLost, Transcriber

CALL_S = 120.0
"""Longest one call may take, in seconds."""
MOST_HANGING = 3
"""Calls of a run that may come to no end: a stage that hangs would hold up a large set for days."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A case as the voice spoke it."""

    pcm24k: bytes
    phones: tuple[Phone, ...]
    """Empty where the voice does not tell them."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return samples(self.pcm24k) / RATE


@dataclass(slots=True)
class Spent:
    """What the calls of one stage took, for how much sound."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    sound_s: float = 0.0

    def figures(self, stage: str) -> list[Figure]:
        """Seconds for a second of sound."""
        if not self.sound_s:
            note = "nothing was done"
            return [Figure(f"{stage}, real time", "real time", (), note), Figure(f"{stage}, CPU", "work", (), note)]
        note = f"{self.sound_s:.1f} s of sound a run"
        return [
            Figure(f"{stage}, real time", "real time", (self.wall_s / self.sound_s,), note),
            Figure(f"{stage}, CPU", "work", (self.cpu_s / self.sound_s,), note),
        ]


@dataclass(slots=True)
class Calls:
    """All calls of one run."""

    stages: Stages
    settings: Settings
    failures: list[str] = field(default_factory=list[str])
    """One sentence each, with the case's id."""
    spent: dict[str, Spent] = field(default_factory=dict[str, Spent])
    hanging: int = 0
    """Calls that came to no end."""

    async def speak(self, case: Case, seed: int) -> Utterance | None:
        """The voice's reading of a text; None if it failed."""
        voice = self.stages.voice.speak(case.text, self.settings.tts.voice, case.language, seed)
        with self._timed("voice") as spent:
            pieces = await self._all(case, "voice", voice)
        if not pieces or not any(piece.pcm24k for piece in pieces):
            if pieces is not None:
                self.failures.append(f"{case.id}: voice: no sound came")
            return None
        pcm = b"".join(piece.pcm24k for piece in pieces)
        spent.sound_s += samples(pcm) / RATE
        return Utterance(pcm, tuple(phone for piece in pieces for phone in piece.phones))

    async def hear(self, case: Case, pcm16k: bytes, with_: Transcriber | None = None) -> str:
        """What recognition, or another recogniser, understands; empty if it failed."""
        stage = "recognition" if with_ is None else "second recogniser"
        transcripts = (with_ or self.stages.transcriber).transcribe(pcm16k, case.language, True)
        with self._timed(stage) as spent:
            found = await self._all(case, stage, transcripts)
        if found is None:
            return ""
        spent.sound_s += samples(pcm16k) / MIC_RATE
        return found[-1].text if found else ""

    async def draw(self, case: Case, said: Utterance, seed: int) -> list[FramePacket]:
        """The face's pictures of an utterance, drawn at once; none if it failed."""
        assert self.stages.face is not None
        count = frames_for(samples(said.pcm24k))
        span = Span("eval", 1, 0, said.pcm24k, count, said.phones, True, seed, "", "h264", 0, 0)
        with self._timed("face") as spent:
            found = await self._all(case, "face", self.stages.face.animate(span, self.stages.avatar, None))
        if found is None:
            return []
        spent.sound_s += said.seconds
        return [packet for packet in found if not isinstance(packet, FaceState)]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[Spent]:
        spent = self.spent.setdefault(stage, Spent())
        wall, cpu = time.perf_counter(), time.process_time()
        yield spent
        spent.wall_s += time.perf_counter() - wall
        spent.cpu_s += time.process_time() - cpu

    async def _all(self, case: Case, stage: str, stream: AsyncIterator[Any]) -> list[Any] | None:
        try:
            async with asyncio.timeout(CALL_S), aclosing(stream) as items:  # type: ignore[type-var]
                return [item async for item in items]
        except TimeoutError:
            self._gave_up(f"{case.id}: {stage}: nothing came to an end within {CALL_S:g} s")
        except (StageError, StageLost) as error:
            self.failures.append(f"{case.id}: {stage}: {error}")
        return None

    def _gave_up(self, failure: str) -> None:
        self.failures.append(failure)
        self.hanging += 1
        if self.hanging >= MOST_HANGING:
            raise UserError(f"{failure}, and {self.hanging - 1} calls before; `avatar doctor` may say what is missing")
