"""What the replicas of all stages have in common: they notice a hung engine, and they send small items together.

An engine works in a thread that nobody can kill. When one call waits too long for its next item, the replica
reports itself unhealthy and is replaced. This file knows no Ray; the deployments beside each engine do.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")

LONG_S = 3600.0
"""A deadline that nobody waits for."""


class Hung(RuntimeError):
    """The engine gave nothing for too long; replace the replica."""


class Watch:
    """Knows which calls wait for their engine, and since when."""

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``limit_s``: longest time that an engine in good health needs for one item, calls before it included."""
        self._limit_s = limit_s
        self._clock = clock
        self._waiting: dict[object, float] = {}
        self._new: dict[object, float] = {}
        self._worst = (0.0, -LONG_S)

    async def over(self, stream: AsyncIterator[T], slack_s: float = LONG_S) -> AsyncGenerator[T]:
        """The same stream, watched; whoever stops reading closes it. ``slack_s``: when its first item is too late."""
        call = object()
        self._waiting[call] = self._clock()
        self._new[call] = slack_s
        try:
            async for item in stream:
                self._began(call)
                yield item
                self._waiting[call] = self._clock()
        finally:
            self._began(call)
            del self._waiting[call]
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def check(self) -> None:
        """Raise Hung if some call has waited too long."""
        if not self._waiting:
            return
        longest = self._clock() - min(self._waiting.values())
        if longest > self._limit_s:
            raise Hung(f"the engine gave nothing for {longest:.0f} s, {self._limit_s:.0f} s are the limit")

    def stats(self) -> dict[str, float]:
        """For serve_app/scaling.py: calls now, and since the last question the longest wait for a first item and the
        worst lateness, both in seconds; a negative lateness is slack."""
        for call in self._new:
            self._note(call)
        (wait, late), self._worst = self._worst, (0.0, -LONG_S)
        return {"load": float(len(self._waiting)), "wait_s": wait, "late_s": late}

    def _began(self, call: object) -> None:
        if call in self._new:
            self._note(call)
            del self._new[call]

    def _note(self, call: object) -> None:
        waited = self._clock() - self._waiting[call]
        self._worst = (max(self._worst[0], waited), max(self._worst[1], waited - self._new[call]))


async def grouped(
    stream: AsyncGenerator[T], most: int, weight: Callable[[T], int], limit: int
) -> AsyncGenerator[list[T]]:
    """Items in lists: the first alone, for somebody waits for it, then up to ``most`` or ``limit`` bytes together."""
    group: list[T] = []
    room = 1
    async with aclosing(stream) as items:
        async for item in items:
            group.append(item)
            if len(group) >= room or sum(map(weight, group)) >= limit:
                yield group
                group, room = [], most
        if group:
            yield group
