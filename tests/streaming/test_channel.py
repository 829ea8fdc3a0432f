"""The one queue."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from streaming.channel import Channel, ChannelClosed, ChannelFull, ChannelStatistics

R = TypeVar("R")


async def settle(rounds: int = 10) -> None:
    """Let every task run until it waits."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def task(work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    return asyncio.ensure_future(work)


async def test_what_goes_in_comes_out_in_order_and_then_the_end() -> None:
    channel: Channel[int] = Channel("numbers", 3)
    for k in range(3):
        await channel.put(k)
    channel.close()
    assert [item async for item in channel] == [0, 1, 2]
    with pytest.raises(ChannelClosed, match="'numbers' is closed"):
        await channel.get()


async def test_a_full_channel_makes_putters_wait_in_order() -> None:
    channel: Channel[str] = Channel("full", 1)
    channel.put_nowait("first")
    putters = [task(channel.put(name)) for name in ("second", "third")]
    await settle()
    assert channel.statistics().waiting_to_put == 2
    with pytest.raises(ChannelFull, match="'full' has no room"):
        channel.put_nowait("pushes in")
    assert [await channel.get() for _ in range(3)] == ["first", "second", "third"]
    await asyncio.gather(*putters)


async def test_two_takers_get_one_item_each_in_the_order_they_came() -> None:
    channel: Channel[int] = Channel("two", 4)
    takers = [task(channel.get()) for _ in range(2)]
    await settle()
    channel.put_nowait(1)
    channel.put_nowait(2)
    assert await asyncio.gather(*takers) == [1, 2]


async def test_one_item_ends_the_waiting_of_one_taker() -> None:
    channel: Channel[int] = Channel("one", 4)
    first, second = task(channel.get()), task(channel.get())
    await settle()
    channel.put_nowait(1)
    await settle()
    assert await first == 1
    assert not second.done()
    assert channel.statistics().waiting_to_take == 1
    channel.put_nowait(2)
    assert await second == 2


# ---- nobody overtakes --------------------------------------------------------------------------------------


async def test_nobody_pushes_in_before_a_putter_that_was_promised_the_room() -> None:
    channel: Channel[int] = Channel("fair", 1)
    channel.put_nowait(0)
    waiting = task(channel.put(1))
    await settle()
    assert await channel.get() == 0  # its room is promised; the putter has not run yet
    with pytest.raises(ChannelFull):
        channel.put_nowait(2)
    newcomer = task(channel.put(2))
    assert [await channel.get() for _ in range(2)] == [1, 2]
    await asyncio.gather(waiting, newcomer)


async def test_nobody_takes_what_was_promised_to_a_taker() -> None:
    channel: Channel[int] = Channel("fair", 4)
    waiting = task(channel.get())
    await settle()
    channel.put_nowait(1)
    channel.put_nowait(2)
    assert await channel.get() == 2, "1 is promised to the one who waits and has not run yet"
    assert await waiting == 1


# ---- nobody is hurt by a cancellation ----------------------------------------------------------------------


async def test_a_cancelled_taker_swallows_nothing() -> None:
    channel: Channel[int] = Channel("careful", 4)
    first, second = task(channel.get()), task(channel.get())
    await settle()
    channel.put_nowait(1)
    first.cancel()
    assert await second == 1


async def test_takers_cancelled_together_leave_everything_in_order() -> None:
    channel: Channel[int] = Channel("careful", 4)
    takers = [task(channel.get()) for _ in range(3)]
    await settle()
    for k in range(3):
        channel.put_nowait(k)
    for taker in takers:
        taker.cancel()
    await settle()
    assert [await channel.get() for _ in range(3)] == [0, 1, 2]


async def test_a_cancelled_putter_puts_nothing_and_lets_the_next_in() -> None:
    channel: Channel[int] = Channel("careful", 1)
    channel.put_nowait(0)
    first, second = task(channel.put(1)), task(channel.put(2))
    await settle()
    assert await channel.get() == 0
    first.cancel()
    await settle()
    assert await channel.get() == 2
    await second


async def test_a_waiter_that_was_cancelled_before_its_turn_is_forgotten() -> None:
    channel: Channel[int] = Channel("patient", 1)
    channel.put_nowait(0)
    waiting = task(channel.put(1))
    await settle()
    waiting.cancel()
    await settle()
    assert channel.statistics().waiting_to_put == 0


async def test_a_waiter_cancelled_together_with_the_news_is_skipped() -> None:
    channel: Channel[int] = Channel("skip", 1)
    first, second = task(channel.get()), task(channel.get())
    await settle()
    first.cancel()
    channel.put_nowait(1)
    assert await second == 1


async def test_a_call_that_runs_out_of_time_takes_nothing() -> None:
    channel: Channel[int] = Channel("late", 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await channel.get()
    channel.put_nowait(1)
    assert await channel.get() == 1


@pytest.mark.parametrize("seed", range(100))
async def test_whoever_is_cancelled_whenever_nothing_is_lost_doubled_or_overtaken(seed: int) -> None:
    """Putters and takers come, wait and are cancelled at random; the items come out in the order they went in."""
    chance = random.Random(seed)
    channel: Channel[int] = Channel("busy", chance.randint(1, 3))
    went_in: list[int] = []
    came_out: list[int] = []

    async def put(item: int) -> None:
        await channel.put(item)
        went_in.append(item)

    async def take() -> None:
        came_out.append(await channel.get())

    living: list[asyncio.Task[None]] = []
    for k in range(120):
        living.append(task(put(k) if chance.random() < 0.5 else take()))
        if chance.random() < 0.3:
            chance.choice(living).cancel()
        for _ in range(chance.randint(0, 2)):
            await asyncio.sleep(0)
        assert channel.statistics().used <= channel.statistics().size
    await settle(4 * len(living))  # what one hands over lets the next go on: a few rounds for each
    told = channel.statistics()
    assert not (told.waiting_to_put and told.used < told.size), "room, and yet somebody waits for it"
    assert not (told.waiting_to_take and told.used), "items, and yet somebody waits for one"
    done = [one for one in living if one.done() and not one.cancelled()]
    assert [one.exception() for one in done if one.exception()] == [], "nobody is told of an end that has not come"
    channel.close()
    await asyncio.gather(*living, return_exceptions=True)
    came_out += [item async for item in channel]
    assert came_out == went_in
    assert went_in == sorted(went_in), "first come, first served"


# ---- the end -----------------------------------------------------------------------------------------------


async def test_closing_wakes_everybody() -> None:
    channel: Channel[int] = Channel("closing", 1)
    channel.put_nowait(0)
    putter = task(channel.put(1))
    await settle()
    channel.close()
    with pytest.raises(ChannelClosed):
        await putter
    assert [item async for item in channel] == [0]
    with pytest.raises(ChannelClosed):
        channel.put_nowait(2)
    with pytest.raises(ChannelClosed):
        await channel.put(2)
    empty: Channel[int] = Channel("empty", 1)
    taker = task(empty.get())
    await settle()
    empty.close()
    with pytest.raises(ChannelClosed):
        await taker


async def test_a_putter_whose_turn_came_with_the_end_puts_nothing() -> None:
    channel: Channel[int] = Channel("closing", 1)
    channel.put_nowait(0)
    putter = task(channel.put(1))
    await settle()
    await channel.get()
    channel.close()
    with pytest.raises(ChannelClosed):
        await putter
    assert [item async for item in channel] == []


async def test_what_was_promised_before_the_end_is_still_taken() -> None:
    channel: Channel[int] = Channel("closing", 2)
    first, second = task(channel.get()), task(channel.get())
    await settle()
    channel.put_nowait(1)
    channel.close()
    first.cancel()
    assert await second == 1, "the next one gets it, though it was already told of the end"


async def test_a_waiter_cancelled_together_with_the_end_is_skipped() -> None:
    channel: Channel[int] = Channel("closing", 1)
    taker = task(channel.get())
    await settle()
    taker.cancel()
    channel.close()
    with pytest.raises(asyncio.CancelledError):
        await taker


# ---- what it tells -----------------------------------------------------------------------------------------


async def test_statistics_tell_how_full_it_is_and_was() -> None:
    channel: Channel[int] = Channel("counted", 3)
    for k in range(3):
        channel.put_nowait(k)
    await channel.get()
    assert channel.statistics() == ChannelStatistics(
        name="counted", size=3, used=2, peak=3, put=3, taken=1, waiting_to_put=0, waiting_to_take=0
    )


async def test_putters_that_fit_together_are_all_let_in() -> None:
    channel: Channel[int] = Channel("roomy", 2)
    channel.put_nowait(0)
    channel.put_nowait(1)
    putters = [task(channel.put(k)) for k in (2, 3)]
    await settle()
    await channel.get()
    await channel.get()
    await settle()
    assert all(putter.done() for putter in putters)


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="room for at least one"):
        Channel("none", 0)
