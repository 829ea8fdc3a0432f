"""The waiting line before the recogniser: urgent first, alike together, and nobody bears what becomes of another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from actors.asr.gather import Gather, Wanted


class Bench:
    """Works on jobs of text while its gate is open, and remembers each batch."""

    def __init__(self, *, most: int = 4, wait_s: float = 0.0, alike: Callable[[str], Any] = len) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.batches: list[list[str]] = []
        self.gather: Gather[str] = Gather("bench", self._work, alike, most=most, wait_s=wait_s)

    def _work(self, jobs: Sequence[str]) -> list[Any]:
        self.begun.set()
        assert self.gate.wait(10)
        self.batches.append([*jobs])
        if "all fail" in jobs:
            raise RuntimeError("the machine stopped")
        return [ValueError(f"{job} is bad") if job.startswith("bad") else job.upper() for job in jobs]

    async def ask(self, urgency: int, *jobs: str) -> list[str]:
        """The results of jobs, one after the other."""

        def steps() -> Generator[Any, Any, None]:
            for job in jobs:
                yield (yield Wanted(job))

        return [answer async for answer in self.gather.run(urgency, steps)]

    async def occupied(self) -> asyncio.Task[list[str]]:
        """A job that is being worked on, until the gate opens."""
        self.gate.clear()
        self.begun.clear()
        first = asyncio.create_task(self.ask(0, "first"))
        assert await asyncio.to_thread(self.begun.wait, 10)
        return first


async def waiting(bench: Bench, *asked: tuple[int, str]) -> list[asyncio.Task[list[str]]]:
    """Callers that came in this order while something else is worked on."""
    tasks: list[asyncio.Task[list[str]]] = []
    for urgency, job in asked:
        tasks.append(asyncio.create_task(bench.ask(urgency, job)))
        await asyncio.sleep(0)
    return tasks


async def test_what_waits_is_worked_on_together_the_urgent_first_and_equals_in_order() -> None:
    bench = Bench()
    first = await bench.occupied()
    rest = await waiting(bench, (1, "ab"), (1, "cd"), (0, "ef"), (0, "gh"))
    bench.gate.set()
    assert await asyncio.gather(first, *rest) == [["FIRST"], ["AB"], ["CD"], ["EF"], ["GH"]]
    assert bench.batches == [["first"], ["ef", "gh"], ["ab", "cd"]]


async def test_what_is_not_alike_and_what_is_too_much_goes_into_the_next_batch() -> None:
    bench = Bench(most=2)
    first = await bench.occupied()
    rest = await waiting(bench, (0, "ab"), (0, "long"), (0, "cd"), (0, "ef"), (0, "gone"))
    bench.gate.set()
    await asyncio.gather(first, *rest)
    assert bench.batches == [["first"], ["ab", "cd"], ["long", "gone"], ["ef"]]


async def test_a_caller_that_left_is_not_worked_for() -> None:
    bench = Bench()
    first = await bench.occupied()
    left, stays = await waiting(bench, (0, "ab"), (0, "cd"))
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    bench.gate.set()
    assert await asyncio.gather(first, stays) == [["FIRST"], ["CD"]]
    assert bench.batches == [["first"], ["cd"]]


async def test_a_caller_that_leaves_in_mid_work_is_forgotten_and_its_steps_are_closed() -> None:
    bench, closed = Bench(), threading.Event()

    def steps() -> Generator[Any, Any, None]:
        try:
            yield (yield Wanted("first"))
            yield (yield Wanted("second"))
        finally:
            closed.set()

    async with aclosing(bench.gather.run(0, steps)) as answers:
        assert await anext(answers) == "FIRST"
    assert await asyncio.to_thread(closed.wait, 10)
    bench.gate.clear()
    bench.begun.clear()
    under_way = asyncio.create_task(bench.ask(0, "lost", "never"))
    assert await asyncio.to_thread(bench.begun.wait, 10)
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
    bench.gate.set()
    assert await bench.ask(0, "next") == ["NEXT"]
    assert bench.batches == [["first"], ["lost"], ["next"]]


async def test_a_bad_job_fails_for_its_caller_and_nobody_else() -> None:
    bench = Bench()
    first = await bench.occupied()
    rest = await waiting(bench, (0, "bad 1"), (0, "good1"), (0, "good2"))
    bench.gate.set()
    _, bad, *good = await asyncio.gather(first, *rest, return_exceptions=True)
    assert isinstance(bad, ValueError) and good == [["GOOD1"], ["GOOD2"]]
    assert bench.batches[1] == ["bad 1", "good1", "good2"]


async def test_where_the_work_itself_breaks_all_of_the_batch_are_told_and_the_thread_goes_on() -> None:
    bench = Bench()
    with pytest.raises(RuntimeError, match="the machine stopped"):
        await bench.ask(0, "all fail")
    assert await bench.ask(0, "well") == ["WELL"]


async def test_steps_that_raise_are_their_callers_and_may_go_on_after_a_failed_job() -> None:
    bench = Bench()

    def breaks() -> Generator[Any, Any, None]:
        yield (yield Wanted("well"))
        raise KeyError("mine")

    def mends() -> Generator[Any, Any, None]:
        try:
            yield Wanted("bad one")
        except ValueError as error:
            yield str(error)

    with pytest.raises(KeyError, match="mine"):
        async for answer in bench.gather.run(0, breaks):
            assert answer == "WELL"
    assert [answer async for answer in bench.gather.run(0, mends)] == ["bad one is bad"]


async def test_only_where_several_ask_is_a_batch_held_open() -> None:
    bench = Bench(wait_s=30)
    assert await asyncio.wait_for(bench.ask(0, "alone", "again"), 10) == ["ALONE", "AGAIN"]
    first = await bench.occupied()
    rest = await waiting(bench, (0, "ab"), (0, "cd"))
    bench.gate.set()
    await first
    rest += await waiting(bench, (0, "ef"), (0, "gh"))  # a full batch waits no longer
    await asyncio.wait_for(asyncio.gather(*rest), 10)
    assert sorted(bench.batches[-1]) == ["ab", "cd", "ef", "gh"]


async def test_nobody_is_prepared_for_while_somebody_more_urgent_waits() -> None:
    bench, order = Bench(), list[str]()

    def caller(name: str) -> Callable[[], Generator[Any, Any, None]]:
        def steps() -> Generator[Any, Any, None]:
            order.append(f"{name} prepared")
            yield (yield Wanted(name))

        return steps

    async def ask(urgency: int, name: str) -> None:
        async for _ in bench.gather.run(urgency, caller(name)):
            order.append(f"{name} done")

    first = await bench.occupied()
    tasks = [asyncio.create_task(ask(1, "ab"))]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(ask(0, "cd")))
    await asyncio.sleep(0)
    bench.gate.set()
    await asyncio.gather(first, *tasks)
    assert order.index("cd prepared") < order.index("ab prepared")
    assert bench.batches == [["first"], ["cd"], ["ab"]]


async def test_the_thread_ends_with_the_gathering() -> None:
    gather: Gather[str] = Gather("a gathering to be dropped", lambda jobs: jobs, len)
    (thread,) = [t for t in threading.enumerate() if t.name == "a gathering to be dropped"]
    del gather
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()
