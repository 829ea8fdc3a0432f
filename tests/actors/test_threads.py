"""Blocking work as an async stream: the loop stays free, an early end stops the work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from actors.threads import stepping


@pytest.fixture
def one_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, thread_name_prefix="engine") as executor:
        yield executor


async def test_steps_arrive_in_order_and_run_in_the_engines_thread(one_thread: ThreadPoolExecutor) -> None:
    def work() -> Iterator[tuple[int, str]]:
        for step in range(3):
            yield step, threading.current_thread().name

    got = [item async for item in stepping(work, one_thread)]
    assert [step for step, _ in got] == [0, 1, 2]
    assert {name for _, name in got} == {"engine_0"}


async def test_nothing_is_computed_before_it_is_asked_for(one_thread: ThreadPoolExecutor) -> None:
    done: list[int] = []

    def work() -> Iterator[int]:
        for step in range(3):
            done.append(step)
            yield step

    stream = stepping(work, one_thread)
    assert done == []
    async with aclosing(stream):  # type: ignore[type-var]
        assert await anext(stream) == 0
        assert done == [0]


async def test_an_error_is_raised_unchanged_and_the_thread_is_free_again(one_thread: ThreadPoolExecutor) -> None:
    def work() -> Iterator[int]:
        yield 1
        raise KeyError("lost")

    stream = stepping(work, one_thread)
    assert await anext(stream) == 1
    with pytest.raises(KeyError, match="lost"):
        await anext(stream)
    assert [item async for item in stepping(lambda: iter("ab"), one_thread)] == ["a", "b"]


async def test_a_consumer_that_leaves_closes_the_work_in_its_thread(one_thread: ThreadPoolExecutor) -> None:
    closed: list[str] = []

    def work() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(threading.current_thread().name)

    async with aclosing(stepping(work, one_thread)) as stream:  # type: ignore[type-var]
        assert await anext(stream) == 1
    one_thread.submit(lambda: None).result(5)
    assert closed == ["engine_0"]


async def test_a_cancelled_wait_lets_the_step_end_and_then_closes(one_thread: ThreadPoolExecutor) -> None:
    begun, go, closed = threading.Event(), threading.Event(), threading.Event()

    def work() -> Iterator[int]:
        try:
            begun.set()
            assert go.wait(5)
            yield 1
        finally:
            closed.set()

    async def consume() -> list[int]:
        return [item async for item in stepping(work, one_thread)]

    task = asyncio.create_task(consume())
    assert await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not closed.is_set()
    go.set()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_two_streams_take_turns_in_one_thread(one_thread: ThreadPoolExecutor) -> None:
    order: list[str] = []

    async def consume(name: str) -> None:
        async for item in stepping(lambda: iter(range(2)), one_thread):
            order.append(f"{name}{item}")

    await asyncio.gather(consume("a"), consume("b"))
    assert order == ["a0", "b0", "a1", "b1"]
