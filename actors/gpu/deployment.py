"""Several stages in one process, as one Serve deployment: one CUDA context, and no processes that take turns on a GPU.

Each stage is the same class as in a deployment of its own; only the process is shared, and so is its fate: an engine
that hangs takes the others with it.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from ray import serve

from actors.asr.deployment import Recognition
from actors.face.deployment import Picture
from actors.tts.deployment import Speech
from streaming.calls import ALONE, Envelope
from streaming.media import FramePacket
from streaming.stages import Avatar, FaceState, Span, Spoken, Transcript

STAGES: dict[str, Any] = {"asr": Recognition, "tts": Speech, "face": Picture}
"""Which stages can share a process, and the replica's class of each."""


class Shared:
    """One replica; of the methods below those are called whose stage is in it."""

    async def __init__(self, engines: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:  # type: ignore[misc]
        """``engines``: stage -> its engine's name and arguments. They load one after another: a GPU has one memory."""
        self._stages: dict[str, Any] = {}
        for stage, (engine, arguments) in engines.items():
            self._stages[stage] = await asyncio.to_thread(STAGES[stage], engine, arguments)

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
        stream = self._stages["asr"].transcribe(pcm16k, language, final, words, hints, call=call)
        async with aclosing(stream) as transcripts:
            async for transcript in transcripts:
                yield transcript

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
        """``actors.tts.deployment.Speech.speak``."""
        async with aclosing(self._stages["tts"].speak(text, voice, language, seed, recording, call=call)) as pieces:
            async for piece in pieces:
                yield piece

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None, *, call: Envelope = ALONE
    ) -> AsyncIterator[list[FramePacket | FaceState]]:
        """``streaming.stages.Face.animate``, in lists."""
        async with aclosing(self._stages["face"].animate(span, avatar, state, call=call)) as groups:
            async for group in groups:
                yield group

    async def idle(self, avatar: Avatar) -> bytes:
        """``actors.face.deployment.Picture.idle``."""
        return await self._stages["face"].idle(avatar)

    async def check_health(self) -> None:
        """Raise if one of the engines hangs; Serve then replaces this replica, all of it."""
        for stage in self._stages.values():
            await stage.check_health()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policy: the calls of all stages, and the worst of their waits."""
        told = [stage.record_autoscaling_stats() for stage in self._stages.values()]
        worst = {name: max(one[name] for one in told) for name in ("wait_s", "late_s")}
        return {"load": sum(one["load"] for one in told), **worst}


deployment = serve.deployment(Shared, name="gpu")
