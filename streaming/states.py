"""What a conversation may be doing, and what may follow: the table, and what breaks it.

This file knows no conversation.
"""

from __future__ import annotations

from streaming.commands import State
from streaming.drawing import IDLE_FRAMES
from streaming.media import FPS, FRAME

TRANSITIONS: dict[State, frozenset[State]] = {
    "idle": frozenset({"listening", "thinking"}),
    "listening": frozenset({"idle", "thinking"}),
    "thinking": frozenset({"speaking", "held", "listening", "idle", "thinking"}),
    "speaking": frozenset({"held", "idle", "listening", "thinking"}),
    "held": frozenset({"speaking", "thinking", "listening", "idle"}),
}
"""Where each state may lead. The picture in docs/design.md is drawn from this table."""


class IdleLoop:
    """Where the idle loop of a client is, so that a reply begins in the same pose."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None

    def reported(self, pts: int, now: int) -> None:
        """The client shows sample ``pts`` (24 kHz) of the loop at ``now`` (ms)."""
        self._seen = pts // FRAME, now

    def frame(self, now: int, later: int) -> int:
        """Frame that it will show ``later`` frames after ``now``; 0 if it never reported."""
        if self._seen is None:
            return 0
        frame, at = self._seen
        return (frame + (now - at) * FPS // 1000 + later) % IDLE_FRAMES


class FutureTurn(RuntimeError):
    """An event belongs to a reply that was never begun: a bug in whoever sent it, never a late message."""
