"""Recognition as a Serve deployment: an engine by its name, and its one method passed on."""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from ray import serve

from actors.metering import recorder
from actors.replica import Replica
from streaming.calls import ALONE, Envelope
from streaming.stages import Transcriber, Transcript

HUNG_S = 60.0
"""A minute of sound takes a small model a few seconds on one core."""


class Recognition:
    """One replica."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        self._replica = Replica("asr", engine, arguments, HUNG_S, recorder().record)
        self._engine: Transcriber = self._replica.engine

    async def transcribe(
        self,
        pcm16k: bytes,
        language: str | None,
        final: bool,
        words: bool = False,
        hints: str = "",
        *,
        call: Envelope = ALONE,
    ) -> AsyncIterator[Transcript]:
        """``streaming.stages.Transcriber.transcribe``."""
        stream = self._engine.transcribe(pcm16k, language, final, words, hints)
        async with aclosing(self._replica.over(stream, None, call)) as transcripts:
            async for transcript in transcripts:
                yield transcript

    async def check_health(self) -> None:
        """Raise if the engine hangs; Serve then replaces this replica."""
        self._replica.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policy."""
        return self._replica.stats()


deployment = serve.deployment(Recognition, name="asr")
