"""What the replicas of all stages have in common: they load an engine, measure it, notice when it hangs, and send small
items together.

An engine works in a thread that nobody can kill. When one call waits too long for its next item, or the engine says
that it cannot work any more, the replica reports itself unhealthy and is replaced. This file knows no Ray; the
deployments beside each engine do.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol, TypeVar, runtime_checkable

from actors.caps import limit_torch
from actors.engines import resolve
from actors.gpus import Gpus
from actors.lines import write_as_told
from actors.measuring import Measures
from actors.streams import counted, leased
from actors.tracing import check as check_tracing
from actors.tracing import worked
from streaming.calls import Envelope, enter
from streaming.metrics import Record

T = TypeVar("T")

LONG_S = 3600.0
"""A deadline that nobody waits for."""


@runtime_checkable
class Failing(Protocol):
    """An engine that knows when it cannot work any more."""

    def well(self) -> None:
        """Raise if whatever it is asked will fail; replace the replica."""
        ...


class Hung(RuntimeError):
    """The engine gave nothing for too long; replace the replica."""


class Replica:
    """A stage's engine in a process of its own."""

    def __init__(
        self,
        stage: str,
        engine: str,
        arguments: Mapping[str, Any],
        hung_s: float,
        record: Record,
        *,
        gpus: Callable[[], Gpus] = Gpus,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load the engine. ``hung_s``: longest time that it needs for one item in good health, calls before included.

        Raises what an engine raises that cannot load, UnknownEngine for one that there is not.
        """
        write_as_told()
        check_tracing()
        limit_torch()
        begun = clock()
        self.engine = resolve(stage, engine)(**arguments)
        record("avatar_model_load_seconds", clock() - begun, {"stage": stage})
        self._stage = stage
        self._record = record
        self._measures = Measures(record, [self.engine], gpus)
        self._watch = Watch(hung_s, clock, stage, record)

    async def over(self, stream: AsyncIterator[T], slack_s: float | None, call: Envelope) -> AsyncGenerator[T]:
        """The same stream, as ``Watch.over`` has it, until the lease of ``call`` is over; then it raises LeaseOver."""
        enter(call)
        watched = self._watch.over(stream, LONG_S if slack_s is None else slack_s)
        with worked(call, self._stage), counted(self._stage, "replica", self._record) as count:
            async with aclosing(leased(watched, self._stage, call.lease_s)) as items:
                async for item in items:
                    count.saw(item)
                    yield item

    def check(self) -> None:
        """Record what is to be recorded from time to time.

        Raises Hung if some call has waited too long, and what an engine raises that cannot work any more.
        """
        self._measures.tell()
        self._watch.check()
        if isinstance(self.engine, Failing):
            self.engine.well()

    def stats(self) -> dict[str, float]:
        """``Watch.stats``."""
        return self._watch.stats()


def unrecorded(name: str, value: float, labels: dict[str, str]) -> None:
    """Records nothing."""


class Watch:
    """Knows which calls wait for their engine, and since when."""

    def __init__(
        self,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
        stage: str = "",
        record: Record = unrecorded,
    ) -> None:
        """``limit_s``: longest time that an engine in good health needs for one item, calls before it included."""
        self._limit_s = limit_s
        self._clock = clock
        self._labels = {"stage": stage}
        self._record = record
        self._waiting: dict[object, float] = {}
        self._barren_s = 0.0
        """How long calls have waited, one after the other, since the engine last gave anything to any of them."""
        self._counted = clock()
        self._new: dict[object, tuple[float, float]] = {}
        """When calls came that have no answer yet, and how long each may wait for it."""
        self._worst = (0.0, -LONG_S)

    async def over(self, stream: AsyncIterator[T], slack_s: float = LONG_S) -> AsyncGenerator[T]:
        """The same stream, watched; whoever stops reading closes it. ``slack_s``: when its first item is too late."""
        call = object()
        self._count()
        self._waiting[call] = self._clock()
        self._new[call] = (self._clock(), slack_s)
        self._record("avatar_calls_active", 1, self._labels)
        try:
            async for item in stream:
                self._began(call)
                self._barren_s, self._counted = 0.0, self._clock()
                yield item
                self._count()
                self._waiting[call] = self._clock()
        finally:
            self._began(call)
            self._count()
            del self._waiting[call]
            self._record("avatar_calls_active", -1, self._labels)
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def check(self) -> None:
        """Raise Hung if some call has waited too long, or several that gave up one after the other together have."""
        if not self._waiting:
            return
        self._count()
        longest = max(self._clock() - min(self._waiting.values()), self._barren_s)
        if longest > self._limit_s:
            raise Hung(f"the engine gave nothing for {longest:.0f} s, {self._limit_s:.0f} s are the limit")

    def _count(self) -> None:
        now = self._clock()
        self._barren_s += now - self._counted if self._waiting else 0.0
        self._counted = now

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
            came, _ = self._new.pop(call)
            self._record("avatar_queue_wait_seconds", self._clock() - came, self._labels)

    def _note(self, call: object) -> None:
        came, slack_s = self._new[call]
        waited = self._clock() - came
        self._worst = (max(self._worst[0], waited), max(self._worst[1], waited - slack_s))


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
