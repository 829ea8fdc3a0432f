"""The worker with courses made up for tests: many streams, one thread, errors that touch nobody else."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import aclosing
from typing import Any

import pytest

from actors.face.scheduler import HELD, FaceBusy, Scheduler, Standing
from actors.face.scheduling.costs import Costs, Kind
from actors.face.scheduling.measuring import measured
from actors.face.scheduling.work import Step, Work
from actors.face.worker import Worker
from actors.threads import stepping
from streaming.stages import StageLost

COSTS = Costs.of({"hear": {1: 2, 8: 4}, "move": {1: 10, 8: 20}, "draw": {1: 10, 8: 45}})


class ByHand(Executor):
    """Runs what was submitted when it is told to, in the caller's thread."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], Any]] = deque()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.jobs.append(lambda: fn(*args, **kwargs))
        return Future()


class Device:
    """A clock and a GPU: a batch takes as long as it costs. ``breaks``: what breaks every batch that it is in."""

    def __init__(self) -> None:
        self.at = 0.0
        self.ran: list[tuple[str, list[Any]]] = []
        self.breaks: set[Any] = set()

    def run(self, kind: Kind, asked: Sequence[Any]) -> Sequence[Any]:
        self.at += COSTS.ms(kind, len(asked)) / 1000
        self.ran.append((kind, list(asked)))
        if self.breaks & set(asked):
            raise ValueError("poison")
        return [f"{kind} {one}" for one in asked]


class Course:
    """Pictures of one session: what is asked is its name and the frame's number."""

    def __init__(self, name: str, frames: int = 5, due: float = 1e7, *, motion: bool = False) -> None:
        steps = (Step(1, 0), Step(2, frames)) if motion else ()
        self.work = Work(name, due, steps, tuple(range(frames)), finished=0 if motion else frames, last=True)
        self.wrong: tuple[str, int] | None = None

    def ask(self, kind: Kind, number: int) -> Any:
        if self.wrong == (f"ask {kind}", number):
            raise KeyError("ask")
        return f"{self.work.session}{number}"

    def take(self, kind: Kind, number: int, answer: Any) -> Any:
        if self.wrong == (f"take {kind}", number):
            raise KeyError("take")
        return answer if kind == "draw" else None

    def end(self, standing: Standing) -> Any:
        if self.wrong == ("end", 0):
            raise KeyError("end")
        return standing


class Room:
    """A worker by hand, and those who read from it."""

    def __init__(self) -> None:
        self.device, self.hand = Device(), ByHand()
        self.worker = Worker(self.device.run, Scheduler(COSTS), executor=self.hand, clock=lambda: self.device.at)
        self.got: dict[str, list[Any]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def read(self, course: Course, most: int | None = None) -> None:
        """Begin to read a course's items, at most so many."""
        name = course.work.session
        self.got[name] = []

        async def reading() -> None:
            async with aclosing(self.worker.stream(lambda: course)) as items:
                async for item in items:
                    self.got[name].append(item)
                    if len(self.got[name]) == most:
                        await asyncio.Event().wait()

        self.tasks[name] = asyncio.create_task(reading())
        await self.settle()

    async def settle(self) -> None:
        for _ in range(12):
            await asyncio.sleep(0)

    async def turn(self) -> bool:
        """One turn of the worker; False if it had none to make."""
        if not self.hand.jobs:
            return False
        self.hand.jobs.popleft()()
        await self.settle()
        return True

    async def all(self) -> None:
        while await self.turn():
            pass

    async def error(self, name: str) -> BaseException:
        with pytest.raises(BaseException) as raised:  # which one is asserted by the caller
            await self.tasks[name]
        return raised.value


async def test_sessions_share_batches_and_each_gets_its_own_in_order() -> None:
    room = Room()
    for name in "ab":
        await room.read(Course(name, 3, motion=True))
    await room.all()
    assert room.device.ran[:2] == [("hear", ["a0", "b0", "a1", "b1"]), ("move", ["a0", "b0"])]
    for name in "ab":
        *pictures, end = room.got[name]
        assert pictures == [f"draw {name}{k}" for k in range(3)]
        assert isinstance(end, Standing)
    largest = {kind: max(len(asked) for ran, asked in room.device.ran if ran == kind) for kind, _ in room.device.ran}
    assert largest == {"hear": 4, "move": 2, "draw": 6}
    assert not room.hand.jobs, "an idle worker holds no thread"


async def test_whoever_comes_in_the_middle_is_served_with_the_next_batch() -> None:
    room = Room()
    await room.read(Course("a", 20))
    await room.turn()
    await room.read(Course("b", 2, due=room.worker.now() + 30))
    await room.turn()
    assert room.device.ran[1][1][:2] == ["b0", "b1"]


async def test_a_poisoned_request_fails_alone() -> None:
    room = Room()
    room.device.breaks = {"b1"}
    for name in "abc":
        await room.read(Course(name, 3))
    await room.all()
    assert [len(room.got[name]) for name in "abc"] == [4, 1, 4]
    assert isinstance(await room.error("b"), ValueError)
    assert room.got["a"][:3] == ["draw a0", "draw a1", "draw a2"]


@pytest.mark.parametrize("where", [("ask draw", 2), ("take draw", 2), ("ask hear", 0), ("take move", 1), ("end", 0)])
async def test_a_course_that_breaks_ends_its_own_stream(where: tuple[str, int]) -> None:
    room = Room()
    bad = Course("bad", 4, motion=True)
    bad.wrong = where
    await room.read(bad)
    await room.read(Course("good", 4, motion=True))
    await room.all()
    assert isinstance(await room.error("bad"), KeyError)
    assert len(room.got["good"]) == 5


async def test_what_cannot_be_begun_is_told_to_whoever_asked() -> None:
    room = Room()

    def begin() -> Course:
        raise LookupError("no such avatar")

    stream = room.worker.stream(begin)
    first = asyncio.create_task(anext(stream))
    await room.settle()
    await room.all()
    with pytest.raises(LookupError, match="no such avatar"):
        await first


async def test_answers_of_another_number_are_a_bug_that_is_told() -> None:
    room = Room()
    room.worker._run = lambda kind, asked: []
    await room.read(Course("a", 2))
    await room.all()
    assert "1 of 'draw' were asked for, 0 answered" in str(await room.error("a"))


async def test_a_cancelled_stream_stops_between_two_batches() -> None:
    room = Room()
    await room.read(Course("a", 25), most=2)
    await room.read(Course("b", 3))
    await room.turn()
    room.tasks["a"].cancel()
    await room.settle()
    await room.all()
    assert isinstance(room.got["b"][-1], Standing)
    assert not any(one.startswith("a") for _, asked in room.device.ran[1:] for one in asked)


async def test_a_stream_that_is_left_before_it_began_costs_nothing() -> None:
    room = Room()
    await room.read(Course("a", 5))
    room.tasks["a"].cancel()
    await room.settle()
    await room.all()
    assert room.device.ran == []


async def test_a_reader_that_stalls_is_bounded_and_holds_up_nobody() -> None:
    room = Room()
    await room.read(Course("stalled", 40), most=1)
    await room.read(Course("other", 30))
    await room.all()
    assert len(room.got["other"]) == 31
    drawn = sum(one.startswith("stalled") for _, asked in room.device.ran for one in asked)
    assert drawn == HELD
    room.tasks["stalled"].cancel()


async def test_a_session_too_many_is_refused_with_a_time() -> None:
    room = Room()
    for k in range(14):
        await room.read(Course(f"s{k}-", 25, due=0))
    await room.turn()
    refused = [name for name, task in room.tasks.items() if task.done()]
    assert refused == ["s12-", "s13-"]
    for name in refused:
        error = await room.error(name)
        assert isinstance(error, FaceBusy) and error.retry_s == 1
    for task in room.tasks.values():
        task.cancel()


@pytest.mark.parametrize(("patience", "begins"), [(200, 74), (math.inf, 569)])
async def test_work_that_nobody_waits_for_goes_when_nothing_is_urgent_and_does_not_starve(
    patience: float, begins: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.face.worker.ASIDE_MS", patience)
    room = Room()
    done: list[float] = []

    def clip() -> Any:
        for _ in range(3):
            room.device.at += 0.024
            done.append(room.worker.now())
            yield len(done)

    async def aside() -> list[int]:
        return [step async for step in stepping(clip, room.worker.aside)]

    await room.read(Course("a", 120, due=0))
    waiting = asyncio.create_task(aside())
    await room.settle()
    await room.all()
    await room.settle()
    assert await waiting == [1, 2, 3]
    assert done[0] == pytest.approx(begins, abs=1)
    assert len(room.got["a"]) == 121


async def test_what_goes_wrong_aside_is_told_to_whoever_waits_for_it() -> None:
    room = Room()
    future = room.worker.aside.submit(lambda: 1 / 0)
    cancelled = room.worker.aside.submit(lambda: 1)
    assert cancelled.cancel()
    await room.all()
    with pytest.raises(ZeroDivisionError):
        future.result()


async def test_when_the_worker_itself_breaks_nobody_waits_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    await room.read(Course("a", 5))
    room.worker._scheduler.pick = lambda now: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await room.turn()
    assert isinstance(await room.error("a"), ZeroDivisionError)
    assert "the face's worker broke" in caplog.text


async def test_a_real_thread_serves_many_readers() -> None:
    device = Device()
    worker = Worker(device.run, Scheduler(COSTS), clock=lambda: device.at)

    async def read(name: str) -> list[Any]:
        return [item async for item in worker.stream(lambda: Course(name, 30, motion=True))]

    got = await asyncio.gather(*(read(name) for name in "abcde"))
    assert [items[:-1] for items in got] == [[f"draw {name}{k}" for k in range(30)] for name in "abcde"]
    assert worker.standing().sessions == 0


async def test_a_lost_device_is_told_to_everybody_then_and_later() -> None:
    """Not even what always worked works: no session is at fault, and no other will do better."""
    room = Room()

    def gone(kind: Kind, asked: Sequence[Any]) -> Sequence[Any]:
        raise RuntimeError("an illegal address")

    room.worker._probe = lambda: room.worker._run("draw", ["known good"])
    for name in "ab":
        await room.read(Course(name, 3))
    await room.turn()
    room.worker.well()
    room.worker._run = gone
    await room.read(Course("c", 3))
    await room.all()
    for name in ("c", "late"):
        if name == "late":
            await room.read(Course(name, 3))
        error = await room.error(name)
        assert isinstance(error, StageLost) and "does not work any more: an illegal address" in str(error)
    with pytest.raises(StageLost):
        room.worker.well()
    assert not room.hand.jobs


async def test_a_poisoned_request_is_not_the_devices_fault() -> None:
    room = Room()
    room.worker._probe = lambda: room.worker._run("draw", ["known good"])
    room.device.breaks = {"b1"}
    for name in "ab":
        await room.read(Course(name, 3))
    await room.all()
    assert len(room.got["a"]) == 4
    assert isinstance(await room.error("b"), ValueError)
    assert ("draw", ["known good"]) in room.device.ran
    room.worker.well()


# ---- measuring ---------------------------------------------------------------------------------------------


def test_each_kind_is_measured_at_start_by_the_better_of_two() -> None:
    clock, ran = [0.0], list[tuple[str, int]]()
    noise = iter([9, 3, 2, 9, 3, 2, 9, 3, 2, 0] * 9)

    def run(kind: Kind, asked: Sequence[Any]) -> Sequence[Any]:
        ran.append((kind, len(asked)))
        clock[0] += (len(asked) * 10 + next(noise)) / 1000
        return asked

    costs = measured(run, {"hear": 0, "move": 0, "draw": 0}, 4, lambda: clock[0])
    assert [size for _, size in ran[:10]] == [1, 1, 1, 2, 2, 2, 4, 4, 4, 3] and len(ran) == 30
    assert [round(ms) for _, ms in costs.curves["draw"]] == [12, 22, 42]


def test_batches_that_are_too_slow_or_too_large_are_not_tried_further(caplog: pytest.LogCaptureFixture) -> None:
    clock = [0.0]

    def run(kind: Kind, asked: Sequence[Any]) -> Sequence[Any]:
        clock[0] += 3 if kind == "draw" else 0.1
        if kind == "move" and len(asked) > 2:
            raise MemoryError("out of memory")
        return asked

    costs = measured(run, {"hear": 0, "move": 0, "draw": 0}, 8, lambda: clock[0])
    assert (costs.most("hear"), costs.most("move"), costs.most("draw")) == (8, 2, 1)
    assert "batches of 4 (move) do not work here" in caplog.text
    with pytest.raises(ZeroDivisionError):
        measured(lambda kind, asked: [1 // 0], {"hear": 0, "move": 0, "draw": 0}, 8)
