"""The one queue."""

from __future__ import annotations

import asyncio

import pytest

from streaming.channel import Channel, ChannelClosed, ChannelFull, ChannelStatistics


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def task(work: object) -> asyncio.Task[object]:
    return asyncio.ensure_future(work)  # type: ignore[arg-type]


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
    with pytest.raises(ChannelFull, match="'full' holds 1 items already"):
        channel.put_nowait("pushes in")
    assert [await channel.get() for _ in range(3)] == ["first", "second", "third"]
    await asyncio.gather(*putters)


async def test_two_takers_get_one_item_each() -> None:
    channel: Channel[int] = Channel("two", 4)
    takers = [task(channel.get()) for _ in range(2)]
    await settle()
    channel.put_nowait(1)
    channel.put_nowait(2)
    assert set(await asyncio.gather(*takers)) == {1, 2}


async def test_a_cancelled_taker_swallows_nothing() -> None:
    channel: Channel[int] = Channel("careful", 4)
    first, second = task(channel.get()), task(channel.get())
    await settle()
    channel.put_nowait(1)
    first.cancel()
    assert await second == 1


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
    empty: Channel[int] = Channel("empty", 1)
    taker = task(empty.get())
    await settle()
    empty.close()
    with pytest.raises(ChannelClosed):
        await taker


async def test_statistics_tell_how_full_it_is_and_was() -> None:
    channel: Channel[int] = Channel("counted", 3)
    for k in range(3):
        channel.put_nowait(k)
    await channel.get()
    assert channel.statistics() == ChannelStatistics("counted", 3, 2, 3, 3, 1, 0, 0)


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
