"""The one queue: bounded, named, closing, with statistics.

The size is a required argument: whoever makes a channel says there how much may wait and why. A full channel
makes its putters wait; a closed one ends its takers after what still waits in it. It is first come, first served:
who is woken has been promised the room or the item, so a newcomer cannot take it in between. The item itself stays
in the queue until it is taken, so whoever is cancelled loses nothing and the order stays. It is not an
``asyncio.Queue``: that one cannot be closed in Python 3.11, lets newcomers overtake, and keeps no statistics.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


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
        self._putters = _Line()
        self._takers = _Line()
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
        if not self._closed and (self._putters.promised or not self._room()):
            await self._wait(self._putters)
        self._add(item)

    def put_nowait(self, item: T) -> None:
        """Add an item or raise ChannelFull; raises ChannelClosed after the end."""
        if not self._closed and not self._room():
            raise ChannelFull(f"channel {self._name!r} has no room: {self._size} items wait or were promised it")
        self._add(item)

    async def get(self) -> T:
        """Take the oldest item; wait for one. Raises ChannelClosed once it is closed and empty."""
        if not self._closed and (self._takers.promised or not self._spare()):
            await self._wait(self._takers)
        if not self._spare():
            raise ChannelClosed(f"channel {self._name!r} is closed")
        self._taken += 1
        item = self._items.popleft()
        self._promise()
        return item

    def close(self) -> None:
        """Let nothing more in. Takers get what still waits, then the end; putters who wait get ChannelClosed."""
        self._closed = True
        self._putters.dismiss()
        self._takers.dismiss()

    def statistics(self) -> ChannelStatistics:
        """How full it is and was."""
        return ChannelStatistics(
            name=self._name,
            size=self._size,
            used=len(self._items),
            peak=self._peak,
            put=self._put,
            taken=self._taken,
            waiting_to_put=len(self._putters.waiting),
            waiting_to_take=len(self._takers.waiting),
        )

    def _room(self) -> int:
        """How many may be put in now, beyond what putters were promised."""
        return self._size - len(self._items) - self._putters.promised

    def _spare(self) -> int:
        """How many may be taken now, beyond what takers were promised."""
        return len(self._items) - self._takers.promised

    def _add(self, item: T) -> None:
        if self._closed:
            raise ChannelClosed(f"channel {self._name!r} is closed")
        self._items.append(item)
        self._put += 1
        self._peak = max(self._peak, len(self._items))
        self._promise()

    async def _wait(self, line: _Line) -> None:
        waiter = line.join()
        try:
            await waiter
        except BaseException:  # cancelled: what it was promised is the next one's
            line.leave(waiter)
            self._promise()
            raise
        line.leave(waiter)

    def _promise(self) -> None:
        """Wake whoever can go on now. What is free is promised to those who wait, so none of it stays free."""
        while self._room() > 0 and self._putters.call():
            pass
        while self._spare() > 0 and self._takers.call():
            pass


class _Line:
    """Who waits, first come, first served."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.promised = 0
        """Those who were called and have not gone on yet."""

    def join(self) -> asyncio.Future[bool]:
        """Stand at the end. Await the future until called or dismissed, then leave, however that ended."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append(waiter)
        return waiter

    def leave(self, waiter: asyncio.Future[bool]) -> None:
        """Nothing is promised to this one any more."""
        if waiter in self.waiting:
            self.waiting.remove(waiter)
        elif not waiter.cancelled() and waiter.result():
            self.promised -= 1

    def call(self) -> bool:
        """Promise one unit to the first who waits; False if nobody does."""
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(True)
                self.promised += 1
                return True
        return False

    def dismiss(self) -> None:
        """Wake everybody and promise nothing."""
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(False)
