"""A gateway is killed in mid-reply; its client goes on at another one that shares the store, with the real engines."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from serve_app.ports import free_port
from streaming.media import FRAME, frames_for
from tests.serve_app.gateway.test_resuming import Client, stored
from tests.system.service import process_of, running

pytestmark = [pytest.mark.system]

QUESTION = "How do you move your lips?"


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    """Two services, each a process of its own, over one store."""
    settings = {"AVATAR_STORE__URL": f"sqlite:///{tmp_path / 'avatar.db'}"}
    with ExitStack() as stack:
        yield [stack.enter_context(running("--local", "--port", str(free_port()), settings=settings)) for _ in range(2)]


@pytest.mark.parametrize("messages", [25, 60, 120])
async def test_a_killed_gateway_costs_neither_a_word_nor_a_picture(
    urls: list[str], tmp_path: Path, messages: int
) -> None:
    first, second = (url.replace("http", "ws", 1).rstrip("/") for url in urls)
    client = Client(first)
    async with client.there() as socket:
        await client.say(socket, "avatar.say", text=QUESTION)
        assert not await client.until_idle(socket, messages)
        os.kill(process_of(urls[0]), signal.SIGKILL)
    async with client.there(second) as socket:
        assert (await client.hello(socket))["type"] == "avatar.resumed"
        assert await client.until_idle(socket)
    (end,) = client.told()["avatar.end"]
    assert (len(client.sound) // 2, client.pictures) == (end["pts"], frames_for(end["pts"]))
    written = "".join(event["delta"] for event in client.told()["response.output_audio_transcript.delta"])
    assert len(client.told()["response.done"]) == 1
    assert end["pts"] > 25 * FRAME
    assert await stored(tmp_path, client.session["id"]) == [("user", QUESTION), ("assistant", written.strip())]
