"""Every stream between two processes: opened with its call's envelope, bounded by its lease, cancelled, and counted.

Nothing stops a producer by itself: not leaving its loop, not dropping its response, not even the death of whoever
called, where Ray carries the stream by its object store. So the caller cancels in ``finally``, and the producer's own
replica ends it when its lease is over. This file knows no Ray: handles.py opens with it, replica.py answers with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Literal, Protocol, TypeVar

from streaming.calls import Envelope, current
from streaming.metrics import Record
from streaming.stages import FaceState, StageError, StageLost

T = TypeVar("T")


class LeaseOver(StageError):
    """A call took longer than anybody would wait for it."""


class Response(Protocol):
    """What opening a stream gives: an iterator that must be cancelled."""

    def __aiter__(self) -> AsyncIterator[Any]: ...

    def cancel(self) -> Any: ...


class Count:
    """What becomes of one stream."""

    outcome: Literal["ended", "cancelled", "leased", "failed"] = "cancelled"
    """``leased``: its lease ended it."""

    def saw(self, item: Any) -> None:
        """A face's state is its last answer: whoever has it may leave, and nothing was interrupted."""
        if isinstance(item[-1] if isinstance(item, list) and item else item, FaceState):
            self.outcome = "ended"


@contextmanager
def counted(stage: str, side: Literal["caller", "replica"], record: Record) -> Iterator[Count]:
    """Record that a stream is opened, and how it ends. A caller that is killed leaves one that never ended."""
    record("avatar_streams_total", 1, {"stage": stage, "side": side, "outcome": "opened"})
    count = Count()
    try:
        yield count
        count.outcome = "ended"
    except LeaseOver:
        count.outcome = "leased"
        raise
    except Exception:
        count.outcome = "failed"
        raise
    finally:
        record("avatar_streams_total", 1, {"stage": stage, "side": side, "outcome": count.outcome})


async def opened(
    stage: str, open: Callable[[Envelope], Response], told: Callable[[Exception], Exception], record: Record
) -> AsyncGenerator[Any]:
    """The answers of the response that ``open`` gives for the envelope of this call; ``told`` translates errors.

    However this ends, the response is cancelled. Raises StageLost if the replica stopped, LeaseOver if the call is
    not over when its lease is, waiting for a replica included.
    """
    envelope = current()
    with counted(stage, "caller", record) as count:
        response = open(envelope)
        try:
            async with aclosing(_until_late(_answers(response), stage, envelope.lease_s)) as items:
                async for item in items:
                    count.saw(item)
                    yield item
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StageLost(f"{stage} stopped in the middle of a call") from None
        except Exception as error:
            meant = told(error)
            if meant is error:
                raise
            raise meant from error
        finally:
            response.cancel()


async def leased(stream: AsyncGenerator[T], stage: str, lease_s: float) -> AsyncGenerator[T]:
    """A producer's stream; raises LeaseOver, the producer closed, when it is not over ``lease_s`` after it began.

    It does not matter who is slow: an engine is interrupted where it waits, and one whose answer nobody fetches is
    closed although nobody asks.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + lease_s
    closing: list[asyncio.Task[None]] = []
    async with aclosing(stream), aclosing(_until_late(stream, stage, lease_s)) as items:
        async for item in items:
            alarm = loop.call_at(until, lambda: closing.append(asyncio.create_task(stream.aclose())))
            try:
                yield item
            finally:
                alarm.cancel()
            if closing:
                await closing[0]
                raise _over(stage, lease_s)


async def _answers(response: Response) -> AsyncGenerator[Any]:
    """What the response gives. The first answer is waited for in a task of its own, which our being cancelled spares.

    Serve's ``cancel`` forgets a call whose replica was found just now and that has not been looked at since; its
    producer would run until its lease is over. That task looks at it, if we let it run once more.
    """
    items = aiter(response)
    first = asyncio.create_task(_next(items))
    try:
        item = await asyncio.shield(first)
    except StopAsyncIteration:
        return
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        raise
    finally:
        first.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, whatever it is
        first.cancel()
    yield item
    async for item in items:
        yield item


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _until_late(stream: AsyncIterator[T], stage: str, lease_s: float) -> AsyncGenerator[T]:
    until = asyncio.get_running_loop().time() + lease_s
    while True:
        limit = asyncio.timeout_at(until)
        try:
            async with limit:
                item = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if limit.expired():
                raise _over(stage, lease_s) from None
            raise
        yield item


def _over(stage: str, lease_s: float) -> LeaseOver:
    return LeaseOver(f"a call of {stage} was not over after {lease_s:g} s, its lease; ask for less at once")
