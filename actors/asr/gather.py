"""One thread for all who ask a model: the most urgent first, and what waits at the same time is worked on together.

A caller is a generator: it yields ``Wanted(job)`` where it needs the model, gets the result back, and yields anything
else as an answer. Jobs that are alike and equally urgent form a batch. While one is worked on the next gathers, so one
caller alone never waits for others; only where several asked within the last two seconds is a batch that is not full
held open for a moment. A job whose caller has gone is dropped, and one that fails takes nobody with it. This file knows
nothing of speech.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

J = TypeVar("J")
T = TypeVar("T")

CROWD_S = 2.0
"""So long after two asked at once a batch is held open for more: sessions in which people speak ask every 0.8 s."""

_END = object()


@dataclass(frozen=True, slots=True)
class Wanted(Generic[J]):
    """What a caller yields to have its job done; it is sent the result, or the exception is thrown into it."""

    job: J


Steps = Generator[Any, Any, None]
"""Yields ``Wanted`` or answers. It runs in the thread, up to its next answer, as the caller asks for that."""


@dataclass(eq=False, slots=True)
class _Call:
    urgency: int
    number: int
    make: Callable[[], Steps]
    steps: Steps | None = None
    answer: Future[Any] = field(default_factory=Future)
    """Of the caller's newest question."""
    job: Any = None
    since: float = 0.0
    gone: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """The smallest goes first."""
        return self.urgency, self.number

    @property
    def wants(self) -> bool:
        """False if nobody waits for its answer any more."""
        return not (self.gone or self.answer.cancelled())


class Gather(Generic[J]):
    """The thread ends once this is garbage."""

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[J]], Sequence[Any]],
        alike: Callable[[J], Hashable],
        *,
        most: int = 8,
        wait_s: float = 0.02,
    ) -> None:
        """``work`` gives one result a job, an exception for one that failed. Jobs of equal ``alike`` go together, at
        most ``most``; a batch that is not full is held open for ``wait_s`` after its first job, where others ask too.
        """
        self._numbers = itertools.count()
        self._inbox: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        thread = _Thread(self._inbox, work, alike, most, wait_s)
        threading.Thread(target=thread.run, name=name, daemon=True).start()
        weakref.finalize(self, self._inbox.put, None)

    async def run(self, urgency: int, make: Callable[[], Steps]) -> AsyncGenerator[Any]:
        """The answers of ``make()``; the smallest ``urgency`` goes first. Raises what the steps raise."""
        call = _Call(urgency, next(self._numbers), make)
        try:
            while True:
                call.answer = Future()
                self._inbox.put(call)
                answer = await asyncio.wrap_future(call.answer)
                if answer is _END:
                    return
                yield answer
        finally:
            call.gone = True
            self._inbox.put(call)


class _Thread:
    """What the thread knows."""

    def __init__(
        self,
        inbox: queue.SimpleQueue[_Call | None],
        work: Callable[[Sequence[Any]], Sequence[Any]],
        alike: Callable[[Any], Hashable],
        most: int,
        wait_s: float,
    ) -> None:
        self._inbox = inbox
        self._work, self._alike, self._most, self._wait_s = work, alike, most, wait_s
        self._asking: list[_Call] = []
        """Calls whose steps are to go on."""
        self._waiting: list[_Call] = []
        """Calls with a job."""
        self._crowd_until = float("-inf")
        self._over = False

    def run(self) -> None:
        while not self._over:
            self._take(None if not (self._asking or self._waiting) else 0.0)
            self._prepare()
            batch, patience = self._chosen()
            if patience > 0:
                self._take(patience)
            elif batch:
                self._do(batch)
            del batch  # a thread that waits must not keep the last caller's sound alive

    def _take(self, patience: float | None) -> None:
        """All that came in; None waits for something, a number of seconds at most so long."""
        try:
            self._came(self._inbox.get(timeout=patience) if patience != 0 else self._inbox.get_nowait())
            while True:
                self._came(self._inbox.get_nowait())
        except queue.Empty:
            return

    def _came(self, call: _Call | None) -> None:
        if call is None:
            self._over = True
        elif not call.gone:
            self._asking.append(call)
        else:
            self._asking = [other for other in self._asking if other is not call]
            self._waiting = [other for other in self._waiting if other is not call]
            if call.steps is not None:
                call.steps.close()

    def _prepare(self) -> None:
        """Let the most urgent calls go on up to their jobs, and nobody's before a job that is more urgent."""
        while self._asking:
            call = min(self._asking, key=lambda call: call.place)
            if any(other.urgency < call.urgency for other in self._waiting if other.wants):
                return
            self._asking.remove(call)
            self._go_on(call, None)
            self._take(0.0)

    def _chosen(self) -> tuple[list[_Call], float]:
        """The next batch, and how many seconds it is to be held open."""
        self._waiting = [call for call in self._waiting if call.wants]
        if not self._waiting:
            return [], 0.0
        now = time.monotonic()
        if len(self._waiting) + len(self._asking) > 1:
            self._crowd_until = now + CROWD_S
        first = min(self._waiting, key=lambda call: call.place)
        kind = first.urgency, self._alike(first.job)
        alike = [call for call in self._waiting if (call.urgency, self._alike(call.job)) == kind]
        batch = sorted(alike, key=lambda call: call.place)[: self._most]
        open_until = first.since + self._wait_s if len(batch) < self._most and now < self._crowd_until else now
        return batch, open_until - now

    def _do(self, batch: list[_Call]) -> None:
        self._waiting = [call for call in self._waiting if call not in batch]
        try:
            results = self._work([call.job for call in batch])
        except Exception as error:  # belongs to whoever waits for it
            results = [error] * len(batch)
        for call, result in zip(batch, results, strict=True):
            self._go_on(call, result)

    def _go_on(self, call: _Call, result: Any) -> None:
        call.job = None
        try:
            call.steps = call.steps or call.make()
            said = call.steps.throw(result) if isinstance(result, Exception) else call.steps.send(result)
        except StopIteration:
            _tell(call, _END)
        except BaseException as error:  # belongs to whoever waits for it
            _tell(call, error)
        else:
            if isinstance(said, Wanted):
                call.job, call.since = said.job, time.monotonic()
                self._waiting.append(call)
            else:
                _tell(call, said)


def _tell(call: _Call, answer: Any) -> None:
    if not call.answer.set_running_or_notify_cancel():
        return
    if isinstance(answer, BaseException):
        call.answer.set_exception(answer)
    else:
        call.answer.set_result(answer)
