"""The voice as a Serve deployment: an engine by its name, and its one method passed on."""

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
from streaming.stages import Spoken, StageError, Voice

HUNG_S = 30.0
"""One piece of speech takes less than a second; calls before it may have to be finished first."""


class Speech:
    """One replica."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        self._replica = Replica("tts", engine, arguments, HUNG_S, recorder().record)
        self._engine: Voice = self._replica.engine

    async def speak(
        self,
        text: str,
        voice: str,
        language: str,
        seed: int,
        recording: bytes | None = None,
        *,
        call: Envelope = ALONE,
    ) -> AsyncIterator[Spoken]:
        """``streaming.stages.Voice.speak``; engines yield 100-200 ms a piece, 5-10 kB, which is a good message.

        ``recording``: PCM16 at 24 kHz of a voice that somebody brought, for an engine that said VoiceAbsent.
        """
        if recording is not None:
            self._learn(recording)
        stream = self._engine.speak(text, voice, language, seed)
        async with aclosing(self._replica.over(stream, None, call)) as pieces:
            async for piece in pieces:
                yield piece

    def _learn(self, recording: bytes) -> None:
        learn = getattr(self._engine, "learn", None)
        if learn is None:
            raise StageError("this voice engine copies no voices; choose one that does (tts.engine)")
        learn(recording)

    async def check_health(self) -> None:
        """Raise if the engine hangs; Serve then replaces this replica."""
        self._replica.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policy."""
        return self._replica.stats()


deployment = serve.deployment(Speech, name="tts")
