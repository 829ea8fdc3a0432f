"""How many want to talk: written by the gateway's policy, read by the stages' own, all of them in Serve's controller.

A module of its own, because Ray sends a policy's module to the controller by value, once for each deployment: what lies
there is not shared, and what it imports is.
"""

from __future__ import annotations

import math

FRESH_S = 30.0
"""A gateway that tells nothing for so long is counted as empty; Serve replaces it sooner."""


class Board:
    """One number, and when it was written."""

    def __init__(self) -> None:
        self._demand, self._at = 0.0, -math.inf

    def write(self, demand: float, at: float) -> None:
        """Places taken, and the last minute's knocks for which nobody was let in."""
        self._demand, self._at = demand, at

    def read(self, at: float) -> float:
        """What was written last; 0 if that is too long ago to be true, or was written before the clock was put back."""
        return self._demand if abs(at - self._at) <= FRESH_S else 0.0


_BOARD = Board()


def shared() -> Board:
    """The one of this process."""
    return _BOARD
