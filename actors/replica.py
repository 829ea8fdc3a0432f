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


class Hung(RuntimeError):
    """The engine gave nothing for too long; replace the replica."""


class Watch:
    """Knows which calls wait for their engine, and since when."""

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``limit_s``: longest time that an engine in good health needs for one item, calls before it included."""
        self._limit_s = limit_s
        self._clock = clock
        self._waiting: dict[object, float] = {}

    async def over(self, stream: AsyncIterator[T]) -> AsyncGenerator[T]:
        """The same stream, watched; whoever stops reading closes it."""
        call = object()
        self._waiting[call] = self._clock()
        try:
            async for item in stream:
                yield item
                self._waiting[call] = self._clock()
        finally:
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
