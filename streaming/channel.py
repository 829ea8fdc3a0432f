"""The one queue: bounded, named, closing, with statistics.

The size is a required argument: whoever makes a channel says there how much may wait and why. A full channel
makes its putters wait, first come first served; a closed one ends its takers after what still waits in it. It is
not an ``asyncio.Queue`` because that one cannot be closed in Python 3.11 and keeps no statistics.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_Waiters = deque[asyncio.Future[None]]


class ChannelClosed(Exception):
    """Nothing more goes into this channel, and nothing is left in it."""


class ChannelFull(Exception):
    """No room, and the caller did not want to wait."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """What went through a channel so far."""

    name: str
    size: int
    used: int
    """Items that wait now."""
    peak: int
    """Most items that ever waited."""
    put: int
    taken: int
    waiting_to_put: int
    waiting_to_take: int


class Channel(Generic[T]):
    """A bounded queue between tasks of one event loop."""

    def __init__(self, name: str, size: int) -> None:
        if size < 1:
            raise ValueError(f"channel {name!r} needs room for at least one item, not {size}")
        self._name = name
        self._size = size
        self._items: deque[T] = deque()
        self._putters: _Waiters = deque()
        self._takers: _Waiters = deque()
        self._closed = False
        self._peak = self._put = self._taken = 0

    def __aiter__(self) -> Channel[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.get()
        except ChannelClosed:
            raise StopAsyncIteration from None

    async def put(self, item: T) -> None:
        """Add an item; wait for room if there is none. Raises ChannelClosed, also to those who wait."""
        turn_came = False
        while not self._closed and (len(self._items) >= self._size or (self._putters and not turn_came)):
            await self._wait(self._putters)
            turn_came = True
        self._add(item)
        if len(self._items) < self._size:
            _wake(self._putters)

    def put_nowait(self, item: T) -> None:
        """Add an item or raise ChannelFull; raises ChannelClosed after the end."""
        if not self._closed and (len(self._items) >= self._size or self._putters):
            raise ChannelFull(f"channel {self._name!r} holds {self._size} items already")
        self._add(item)

    async def get(self) -> T:
        """Take the oldest item; wait for one. Raises ChannelClosed once it is closed and empty."""
        while not self._items:
            if self._closed:
                raise ChannelClosed(f"channel {self._name!r} is closed")
            await self._wait(self._takers)
        self._taken += 1
        item = self._items.popleft()
        _wake(self._putters)
        if self._items:
            _wake(self._takers)
        return item

    def close(self) -> None:
        """Let nothing more in. Takers get what still waits, then the end; putters who wait get ChannelClosed."""
        self._closed = True
        for waiters in (self._putters, self._takers):
            while waiters:
                _wake(waiters)

    def statistics(self) -> ChannelStatistics:
        """How full it is and was."""
        return ChannelStatistics(
            name=self._name,
            size=self._size,
            used=len(self._items),
            peak=self._peak,
            put=self._put,
            taken=self._taken,
            waiting_to_put=len(self._putters),
            waiting_to_take=len(self._takers),
        )

    def _add(self, item: T) -> None:
        if self._closed:
            raise ChannelClosed(f"channel {self._name!r} is closed")
        self._items.append(item)
        self._put += 1
        self._peak = max(self._peak, len(self._items))
        _wake(self._takers)

    async def _wait(self, waiters: _Waiters) -> None:
        waiter = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in waiters:
                waiters.remove(waiter)
            elif not waiter.cancelled():
                _wake(waiters)  # its turn had come; the next one takes it
            raise


def _wake(waiters: _Waiters) -> None:
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return
