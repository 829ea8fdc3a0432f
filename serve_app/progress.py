"""One line on a terminal that says how far a long command is; nothing at all where nobody watches.

This file does not know what is done.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

WIDTH = 24
"""Characters of the bar."""

EVERY_S = 0.1
"""Seconds between two drawings: more would only flicker."""


class Progress:
    """A line on ``stream`` that is drawn over and over, and taken away at the end of its ``with`` block."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._shown = self._stream.isatty()
        self._length = 0
        self._drawn_at = float("-inf")
        self._label = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, label: str, done: float = 0.0, total: float = 0.0, note: str = "") -> None:
        """Say what is being done; with a ``total`` a bar says how much of it. A new label is drawn at once."""
        now = self._clock()
        if not self._shown or (label == self._label and now - self._drawn_at < EVERY_S):
            return
        self._label, self._drawn_at = label, now
        self._draw(f"{label:<10} {_bar(done / total) + ' ' if total else ''}{note}".rstrip())

    def close(self) -> None:
        """Take the line away, so that what follows begins on a clean one."""
        if self._length:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()
            self._length = 0

    def _draw(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)


def _bar(share: float) -> str:
    full = round(min(max(share, 0.0), 1.0) * WIDTH)
    return "[" + "#" * full + "." * (WIDTH - full) + "]"
