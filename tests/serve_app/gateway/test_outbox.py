"""What waits for a client."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.gateway.outbox import MEDIA_TOGETHER, TOGETHER, Outbox, OutboxFull
from streaming.commands import Audio, Cancel, Frames, Hold, ReplyDelta, Show

HELLO = ("session.created", {"session": {}})


async def test_order_is_kept() -> None:
    outbox = Outbox()
    outbox.put(HELLO)
    outbox.put(Show(ReplyDelta(1, "a")))
    assert await outbox.take() == [HELLO, Show(ReplyDelta(1, "a"))]


async def test_much_text_is_taken_together_but_little_sound() -> None:
    outbox = Outbox()
    texts = [Show(ReplyDelta(1, word)) for word in "a b c d e f".split()]
    media = [Show(Audio(1, 0, b"")), Show(Frames(1, ()))] * MEDIA_TOGETHER
    for order in (*texts, *media, HELLO):
        outbox.put(order)
    taken = [await outbox.take() for _ in range(3)]
    assert taken == [[*texts, *media[:MEDIA_TOGETHER]], media[MEDIA_TOGETHER:], [HELLO]]


async def test_no_more_is_taken_at_once_than_can_be_sent_at_once() -> None:
    outbox = Outbox()
    for _ in range(TOGETHER + 1):
        outbox.put(HELLO)
    assert [len(await outbox.take()), len(await outbox.take())] == [TOGETHER, 1]


async def test_an_interruption_overtakes_and_takes_the_stale_media_with_it() -> None:
    outbox = Outbox()
    outbox.put(Show(Audio(1, 0, b"")))
    outbox.put(Show(ReplyDelta(1, "a")))
    outbox.put(Show(Audio(2, 0, b"")))
    outbox.put(Cancel(1))
    assert await outbox.take() == [Cancel(1), Show(ReplyDelta(1, "a")), Show(Audio(2, 0, b""))]


async def test_a_hold_overtakes_and_leaves_the_media_for_later() -> None:
    outbox = Outbox()
    outbox.put(Show(Audio(1, 0, b"")))
    outbox.put(Hold(1))
    assert await outbox.take() == [Hold(1), Show(Audio(1, 0, b""))]


async def test_the_taker_waits_for_news() -> None:
    outbox = Outbox()
    taker = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not taker.done()
    outbox.put(HELLO)
    assert await taker == [HELLO]


def test_a_client_that_does_not_read_is_found_out() -> None:
    outbox = Outbox(2)
    outbox.put(HELLO)
    outbox.put(HELLO)
    with pytest.raises(OutboxFull, match="2 messages unread"):
        outbox.put(HELLO)


def test_what_is_owed_from_before_leaves_as_much_room_as_ever() -> None:
    outbox = Outbox(2)
    for _ in range(5):
        outbox.owe(HELLO)
    outbox.put(HELLO)
    outbox.put(HELLO)
    with pytest.raises(OutboxFull):
        outbox.put(HELLO)


async def test_it_is_done_when_the_taker_has_sent_the_last_one_and_asks_for_more() -> None:
    outbox = Outbox()
    asking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert outbox.done
    outbox.put(Hold(1))
    assert not outbox.done
    await asking
    assert not outbox.done, "it may be on its way still"
    asking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert outbox.done
    asking.cancel()
