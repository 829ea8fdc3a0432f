"""A gateway is replaced: replies under way are finished, then each client goes on at another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.keeper import Archive
from serve_app.store import Store
from streaming.media import frames_for
from streaming.pace import Pace
from streaming.session import Driving, Stages
from tests.serve_app.gateway.live import serving
from tests.serve_app.gateway.test_resuming import Client, Reader, Writer
from tests.stubs import AVATAR, Ears, Mask, Scribe

Pair = tuple[tuple[str, House], tuple[str, House]]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Two gateways over one store."""
    store = Store(f"sqlite:///{tmp_path / 'avatar.db'}")
    await store.open()
    stages = Stages(Ears(), Scribe(), Writer(), Reader(), Mask(), AVATAR)
    archives = [Archive(store, False, f"gateway {k}") for k in range(2)]
    old, new = (House(stages, Pace(), Driving(), archive=archive) for archive in archives)
    async with (
        serving(build_gateway(old, lambda _: None)) as here,
        serving(build_gateway(new, lambda _: None)) as there,
    ):
        yield (here, old), (there, new)
    for archive in archives:
        await archive.settle()
    await store.close()


async def closed(socket: object, client: Client) -> int | None:
    with pytest.raises(ConnectionClosed) as end:
        while True:
            await client.hear(socket)  # type: ignore[arg-type]
    return end.value.rcvd.code if end.value.rcvd else None


async def test_a_reply_is_finished_and_the_conversation_goes_on_elsewhere(pair: Pair) -> None:
    (here, old), (there, _) = pair
    client = Client(here)
    async with client.there() as socket:
        await client.say(socket, "avatar.say", text="What is a flute?")
        assert not await client.until_idle(socket, 30)
        assert client.sound
        old.leaving.begin()
        assert await closed(socket, client) == 1012
    (end,) = client.told()["avatar.end"]
    assert (len(client.sound) // 2, client.pictures) == (end["pts"], frames_for(end["pts"]))
    assert client.told()["avatar.state"][-1]["state"] == "idle"
    async with client.there(there) as socket:
        assert (await client.hello(socket))["type"] == "avatar.resumed"
        client.sound, client.pictures = b"", 0
        await client.say(socket, "avatar.say", text="And who made it?")
        while (await client.hear(socket)) != "AUDIO":
            pass


async def test_who_is_silent_goes_at_once_and_finds_everything_stored(pair: Pair) -> None:
    (here, old), (there, _) = pair
    client = Client(here)
    async with client.there() as socket:
        await client.say(socket, "avatar.say", text="What is a flute?")
        assert await client.until_idle(socket)
        old.leaving.begin()
        assert await closed(socket, client) == 1012
    async with client.there(there) as socket:
        assert (await client.hello(socket))["type"] == "avatar.resumed"


async def test_who_has_not_begun_and_whom_nobody_can_take_up_are_told_the_same(pair: Pair) -> None:
    (here, old), _ = pair
    async with connect(f"{here}/v1/realtime", compression=None) as stock:
        await stock.recv()
        old.leaving.begin()
        with pytest.raises(ConnectionClosed) as end:
            async with asyncio.timeout(5):
                while True:
                    await stock.recv()
    assert end.value.rcvd is not None and end.value.rcvd.code == 1012
    assert "connect again" in end.value.rcvd.reason
