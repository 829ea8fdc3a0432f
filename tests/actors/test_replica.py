"""What all replicas do: a hung engine is noticed, small items go together, and leaving closes the engine's stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from actors.gpus import Gpu
from actors.replica import Hung, Replica, Watch, grouped
from streaming.calls import Envelope
from streaming.metrics import Reading
from streaming.stages import StageLost


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Engine:
    """Counts to ``most``; knows whether it was closed."""

    closed = False

    async def count(self, most: int) -> AsyncGenerator[int]:
        try:
            for k in range(most):
                yield k
        finally:
            self.closed = True


async def never() -> AsyncGenerator[int]:
    await asyncio.Event().wait()
    yield 0


def one(item: int) -> int:
    return 1


async def test_a_watched_stream_is_the_stream() -> None:
    assert [k async for k in Watch(1.0).over(Engine().count(3))] == [0, 1, 2]


async def test_whoever_stops_reading_stops_the_engine() -> None:
    engine = Engine()
    async with aclosing(Watch(1.0).over(engine.count(3))) as stream:
        await anext(stream)
    assert engine.closed


async def test_a_call_that_waits_too_long_makes_the_replica_unhealthy() -> None:
    clock = Clock()
    watch = Watch(30.0, clock)
    watch.check()
    waiting = asyncio.create_task(anext(watch.over(never())))
    await asyncio.sleep(0)
    clock.now = 30.0
    watch.check()
    clock.now = 31.0
    with pytest.raises(Hung, match="nothing for 31 s, 30 s are the limit"):
        watch.check()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    watch.check()


async def test_callers_who_give_up_early_one_after_the_other_do_not_hide_an_engine_that_hangs() -> None:
    clock = Clock()
    watch = Watch(30.0, clock)

    async def waits(stream: AsyncGenerator[int], seconds: float) -> None:
        waiting = asyncio.create_task(anext(watch.over(stream)))
        await asyncio.sleep(0)
        clock.now += seconds
        watch.check()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    for _ in range(2):
        await waits(never(), 10.0)
        clock.now += 3600.0  # nobody calls, which says nothing of the engine
    await waits(never(), 9.0)
    with pytest.raises(Hung, match="nothing for 31 s"):
        await waits(never(), 2.0)
    await waits(Engine().count(1), 0.0)
    await waits(never(), 10.0)


async def test_every_item_begins_the_wait_anew() -> None:
    clock = Clock()
    watch = Watch(30.0, clock)
    async for _ in watch.over(Engine().count(4)):
        clock.now += 20.0
        if clock.now == 20.0:
            watch.check()
    watch.check()


async def test_an_engine_that_cannot_work_any_more_makes_the_replica_unhealthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ill(Engine):
        ill = False

        def well(self) -> None:
            if self.ill:
                raise StageLost("the device does not work any more")

    replica, _, _ = loaded(monkeypatch, Ill, [[], []])
    replica.check()
    replica.engine.ill = True
    with pytest.raises(StageLost, match="any more"):
        replica.check()


async def test_the_first_item_goes_alone_then_several_together() -> None:
    assert [group async for group in grouped(Engine().count(10), 4, one, 100)] == [
        [0],
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9],
    ]


async def test_heavy_items_fill_a_message_sooner() -> None:
    groups = grouped(Engine().count(6), 4, lambda item: item, 5)
    assert [group async for group in groups] == [[0], [1, 2, 3], [4, 5]]


async def test_nothing_gives_no_message() -> None:
    assert [group async for group in grouped(Engine().count(0), 4, one, 100)] == []


async def test_leaving_a_grouped_stream_closes_the_engine() -> None:
    engine = Engine()
    async with aclosing(grouped(engine.count(10), 4, one, 100)) as groups:
        await anext(groups)
    assert engine.closed


# ---- what is measured --------------------------------------------------------------------------------------


class Counting(Engine):
    """An engine that counts its batches."""

    def measured(self) -> list[Reading]:
        return [("avatar_batch_size", 4.0, {"stage": "tts"})]


def loaded(
    monkeypatch: pytest.MonkeyPatch, engine: type, gpus: list[list[Gpu]]
) -> tuple[Replica, Clock, list[Reading]]:
    """A replica of the voice with this engine, loaded in three seconds beside a GPU that says these in turn."""
    recorded: list[Reading] = []
    clock = Clock()

    def make() -> Engine:
        clock.now += 3.0
        return engine()

    monkeypatch.setattr("actors.replica.resolve", lambda stage, name: make)
    told: Any = SimpleNamespace(now=lambda: gpus.pop(0))
    record = lambda *reading: recorded.append(reading)  # noqa: E731
    return Replica("tts", "counting", {}, 30.0, record, gpus=lambda: told, clock=clock), clock, recorded


async def test_loading_waiting_and_working_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    replica, clock, recorded = loaded(monkeypatch, Engine, [])
    stream = replica.over(replica.engine.count(2), None, Envelope())
    assert recorded == [("avatar_model_load_seconds", 3.0, {"stage": "tts"})]
    clock.now += 0.25
    await anext(stream)
    await stream.aclose()
    of_stream = {"stage": "tts", "side": "replica"}
    assert recorded[1:] == [
        ("avatar_streams_total", 1, {**of_stream, "outcome": "opened"}),
        ("avatar_calls_active", 1, {"stage": "tts"}),
        ("avatar_queue_wait_seconds", 0.0, {"stage": "tts"}),
        ("avatar_calls_active", -1, {"stage": "tts"}),
        ("avatar_streams_total", 1, {**of_stream, "outcome": "cancelled"}),
    ], "the wait begins when the engine is asked"


async def test_engine_and_gpu_are_asked_with_every_look_at_its_health(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = [[Gpu("0", 1000.0, 24_000.0, 0.5)], [Gpu("0", 1500.0, 24_000.0, 0.25)]]
    replica, _, recorded = loaded(monkeypatch, Counting, gpu)
    replica.check()
    replica.check()
    assert recorded.count(("avatar_batch_size", 4.0, {"stage": "tts"})) == 2
    levels = [(name, value) for name, value, labels in recorded if labels == {"gpu": "0"}]
    assert levels == [
        ("avatar_gpu_memory_used_bytes", 1000.0),
        ("avatar_gpu_memory_total_bytes", 24_000.0),
        ("avatar_gpu_utilization_ratio", 0.5),
        ("avatar_gpu_memory_used_bytes", 500.0),
        ("avatar_gpu_memory_total_bytes", 0.0),
        ("avatar_gpu_utilization_ratio", -0.25),
    ], "a gauge is told its changes"


# ---- what the autoscaling is told --------------------------------------------------------------------------


async def test_calls_and_the_worst_wait_since_the_last_question_are_told() -> None:
    clock = Clock()
    watch = Watch(30.0, clock)
    assert watch.stats() == {"load": 0.0, "wait_s": 0.0, "late_s": -3600.0}
    gate = asyncio.Event()

    async def slow() -> AsyncGenerator[int]:
        await gate.wait()
        yield 0
        await asyncio.Event().wait()

    stream = watch.over(slow(), slack_s=0.5)
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    clock.now = 0.3
    assert watch.stats() == {"load": 1.0, "wait_s": 0.3, "late_s": pytest.approx(-0.2)}
    clock.now = 0.7
    gate.set()
    await first
    clock.now = 9.0
    assert watch.stats() == {"load": 1.0, "wait_s": 0.7, "late_s": pytest.approx(0.2)}
    assert watch.stats() == {"load": 1.0, "wait_s": 0.0, "late_s": -3600.0}
    await stream.aclose()
    assert watch.stats()["load"] == 0.0
