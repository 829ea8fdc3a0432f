"""One thread and a waiting line before it: the most urgent job first, equals in the order they came.

A final transcript must not wait behind another session's partials. The job under way is finished; a job whose
caller gave up before its turn is skipped. It knows nothing of speech.
"""

from __future__ import annotations

import itertools
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any


@dataclass(order=True, slots=True)
class _Job:
    urgency: int
    number: int
    work: Callable[[], Any] | None = field(compare=False)
    """None ends the thread."""
    future: Future[Any] = field(compare=False)


class Line:
    """The thread ends once the Line is garbage."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = itertools.count()
        threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()
        weakref.finalize(self, self._jobs.put, _Job(1_000_000, 0, None, Future()))

    def at(self, urgency: int) -> Executor:
        """An executor whose jobs stand in this line; the smallest ``urgency`` goes first."""
        return _Place(self, urgency)

    def put(self, urgency: int, work: Callable[[], Any]) -> Future[Any]:
        """Let ``work`` wait its turn."""
        future: Future[Any] = Future()
        self._jobs.put(_Job(urgency, next(self._numbers), work, future))
        return future


class _Place(Executor):
    def __init__(self, line: Line, urgency: int) -> None:
        self._line, self._urgency = line, urgency

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._line.put(self._urgency, lambda: fn(*args, **kwargs))


def _work(jobs: queue.PriorityQueue[_Job]) -> None:
    while (job := jobs.get()).work is not None:
        if not job.future.set_running_or_notify_cancel():
            continue
        try:
            job.future.set_result(job.work())
        except BaseException as error:  # belongs to whoever waits for the future
            job.future.set_exception(error)
        del job  # a waiting thread must not keep the last caller's sound alive
