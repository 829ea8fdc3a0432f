"""Streams between processes: a lease ends what nobody waits for, and how each ended is counted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest

from actors.replica import Replica
from actors.streams import LeaseOver, counted, leased
from actors.threads import stepping
from streaming.calls import ALONE, Envelope, current
from streaming.metrics import Reading
from streaming.stages import FaceState


class Producer:
    """Counts for ever, or thinks for ever; knows whether it was closed."""

    def __init__(self, *, thinks: bool = False) -> None:
        self.thinks = thinks
        self.closed = asyncio.Event()

    async def count(self) -> AsyncGenerator[int]:
        try:
            for k in range(1_000_000):
                yield k
                if self.thinks:
                    await asyncio.Event().wait()
        finally:
            self.closed.set()


async def test_a_stream_within_its_lease_is_the_stream() -> None:
    async def three() -> AsyncGenerator[int]:
        for k in range(3):
            yield k

    assert [k async for k in leased(three(), "tts", 60.0)] == [0, 1, 2]


async def test_an_engine_that_thinks_past_its_lease_is_interrupted() -> None:
    producer = Producer(thinks=True)
    with pytest.raises(LeaseOver, match=r"a call of tts was not over after 0\.02 s, its lease"):
        assert [k async for k in leased(producer.count(), "tts", 0.02)]
    assert producer.closed.is_set()


async def test_an_engine_whose_answer_nobody_fetches_is_closed_although_nobody_asks() -> None:
    producer = Producer()
    async with aclosing(leased(producer.count(), "tts", 0.02)) as stream:
        assert await anext(stream) == 0
        await producer.closed.wait()
        with pytest.raises(LeaseOver):
            await anext(stream)


async def test_an_engines_own_timeout_is_not_taken_for_the_leases() -> None:
    async def impatient() -> AsyncGenerator[int]:
        raise TimeoutError("the model's server")
        yield 0

    with pytest.raises(TimeoutError, match="the model's server"):
        assert [k async for k in leased(impatient(), "llm", 60.0)]


# ---- what is counted ---------------------------------------------------------------------------------------


def outcomes(recorded: list[Reading]) -> list[str]:
    return [labels["outcome"] for name, _, labels in recorded if name == "avatar_streams_total"]


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (None, "ended"),
        (GeneratorExit(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (LeaseOver("late"), "leased"),
        (ValueError("a bug"), "failed"),
    ],
)
def test_every_end_has_its_name(raised: BaseException | None, outcome: str) -> None:
    recorded: list[Reading] = []
    try:
        with counted("tts", "caller", lambda *reading: recorded.append(reading)):
            if raised:
                raise raised
    except BaseException as error:
        assert error is raised
    assert outcomes(recorded) == ["opened", outcome]
    assert {labels["side"] for _, _, labels in recorded} == {"caller"}


@pytest.mark.parametrize("last", [FaceState("mask", 0, b""), ["picture", FaceState("mask", 0, b"")]])
def test_whoever_has_the_faces_state_may_leave_and_nothing_was_interrupted(last: Any) -> None:
    recorded: list[Reading] = []
    with pytest.raises(GeneratorExit), counted("face", "replica", lambda *reading: recorded.append(reading)) as count:
        count.saw(["picture"])
        count.saw([])
        count.saw(last)
        raise GeneratorExit
    assert outcomes(recorded) == ["opened", "ended"]


# ---- down to the model -------------------------------------------------------------------------------------


class Slow:
    """A model that works in steps of 20 ms, and counts them and whose they are."""

    def __init__(self) -> None:
        self.steps = 0
        self.closed = threading.Event()
        self.for_whom: set[Envelope] = set()
        self._executor = ThreadPoolExecutor(1)

    def speak(self) -> AsyncGenerator[int]:
        return stepping(self._steps, self._executor)  # type: ignore[return-value]

    def _steps(self) -> Iterator[int]:
        try:
            for k in range(1000):
                time.sleep(0.02)
                self.steps += 1
                self.for_whom.add(current())
                yield k
        finally:
            self.closed.set()


@pytest.fixture
def replica(monkeypatch: pytest.MonkeyPatch) -> Replica:
    monkeypatch.setattr("actors.replica.resolve", lambda stage, name: Slow)
    return Replica("tts", "slow", {}, 30.0, lambda *_: None)


async def stopped(model: Slow) -> None:
    """The model is closed within the step that it was in, and makes no other."""
    assert await asyncio.to_thread(model.closed.wait, 5)
    made = model.steps
    await asyncio.to_thread(time.sleep, 0.1)
    assert model.steps == made


async def test_cancelling_a_call_reaches_the_model_between_two_steps(replica: Replica) -> None:
    ours = Envelope("films", 7, "tts")

    async def listen() -> None:
        async with aclosing(replica.over(replica.engine.speak(), None, ours)) as pieces:
            async for piece in pieces:
                heard.append(piece)

    heard: list[int] = []
    listening = asyncio.create_task(listen())
    while len(heard) < 2:  # noqa: ASYNC110  # a thread tells it
        await asyncio.sleep(0.005)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await stopped(replica.engine)
    assert replica.engine.steps <= len(heard) + 1
    assert replica.engine.for_whom == {ours}, "a step in the engine's thread knows whom it is for"
    assert current() == ALONE


async def test_a_lease_that_is_over_reaches_the_model_too(replica: Replica) -> None:
    with pytest.raises(LeaseOver):
        assert [_ async for _ in replica.over(replica.engine.speak(), None, Envelope(lease_s=0.07))]
    await stopped(replica.engine)
    assert replica.engine.steps <= 4
