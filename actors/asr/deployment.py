"""Recognition as a Serve deployment: an engine by its name, and its one method passed on."""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from ray import serve

from actors.caps import limit_torch
from actors.engines import resolve
from actors.replica import Watch
from streaming.stages import Transcriber, Transcript

HUNG_S = 60.0
"""A minute of sound takes a small model a few seconds on one core."""


class Recognition:
    """One replica."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        limit_torch()
        self._engine: Transcriber = resolve("asr", engine)(**arguments)
        self._watch = Watch(HUNG_S)

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False
    ) -> AsyncIterator[Transcript]:
        """``streaming.stages.Transcriber.transcribe``."""
        call = self._engine.transcribe(pcm16k, language, final, words)
        async with aclosing(self._watch.over(call)) as transcripts:
            async for transcript in transcripts:
                yield transcript

    async def check_health(self) -> None:
        """Raise if the engine hangs; Serve then replaces this replica."""
        self._watch.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policy."""
        return self._watch.stats()


deployment = serve.deployment(Recognition, name="asr")
