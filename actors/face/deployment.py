"""The face as a Serve deployment: an engine by its name, its pictures sent a few together.

A picture alone is 1-5 kB and is drawn in some 10 ms, so a message for each would cost more than it carries.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from ray import serve

from actors.metering import recorder
from actors.replica import Replica, grouped
from streaming.calls import ALONE, Envelope
from streaming.media import FramePacket
from streaming.stages import Avatar, Face, FaceState, Span

HUNG_S = 30.0
"""One picture takes some 10 ms; calls before it may have to be finished first."""

TOGETHER = 4
"""Pictures of one message: 160 ms."""

FULL = 30_000
"""Bytes after which a message is sent: larger ones cost more than they save."""


class Picture:
    """One replica."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        self._replica = Replica("face", engine, arguments, HUNG_S, recorder().record)
        self._engine: Face = self._replica.engine

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None, *, call: Envelope = ALONE
    ) -> AsyncIterator[list[FramePacket | FaceState]]:
        """``streaming.stages.Face.animate``, in lists: the first picture alone, then up to four together."""
        items = self._replica.over(self._engine.animate(span, avatar, state), span.slack_ms / 1000, call)
        async with aclosing(grouped(items, TOGETHER, _size, FULL)) as groups:
            async for group in groups:
                yield group

    async def idle(self, avatar: Avatar) -> bytes:
        """The avatar's idle loop as MP4 where this engine draws its own; else nothing."""
        draw = getattr(self._engine, "idle", None)
        return await draw(avatar) if draw else b""

    async def check_health(self) -> None:
        """Raise if the engine hangs, or its device is lost; Serve then replaces this replica."""
        self._replica.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policy."""
        return self._replica.stats()


def _size(item: FramePacket | FaceState) -> int:
    return len(item.data)


deployment = serve.deployment(Picture, name="face")
