"""Blocking model work as an async stream: one step at a time in the engine's own thread.

The event loop never waits for a model, and a cancelled stream stops between two steps. This file knows no
model; each engine brings its own one-thread executor, because Python's default pool is small and a step that
was cancelled in the middle still holds its thread until it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

_END = object()


async def stepping(make: Callable[[], Iterator[T]], executor: Executor) -> AsyncIterator[T]:
    """Yield what ``make()`` yields, each step computed in ``executor``.

    Steps are taken only as the consumer asks for them. When the consumer stops, the iterator is closed in the
    same executor after the step that is under way. An exception of the iterator is raised here unchanged.
    """
    loop = asyncio.get_running_loop()
    context = copy_context()  # so that a line of the log knows whom the step is for
    steps: Iterator[T] | None = None

    def step() -> object:
        nonlocal steps
        if steps is None:
            steps = make()
        return next(steps, _END)

    def close() -> None:
        stop = getattr(steps, "close", None)
        if stop is not None:
            stop()

    try:
        while (item := await loop.run_in_executor(executor, context.run, step)) is not _END:
            yield item  # type: ignore[misc]  # _END is excluded above
    finally:
        executor.submit(context.run, close)
