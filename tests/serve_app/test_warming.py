"""A stage sleeps: a small engine answers meanwhile, the client is told once, and a replica takes over in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serve_app.warming import Meanwhile, Presence, for_client
from streaming.commands import Notice, Show
from streaming.session import Stages
from streaming.stages import FaceState, StageError
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe


class Cluster:
    """So many replicas, and a wait until there is one."""

    def __init__(self, count: int | None = 0) -> None:
        self.count = count
        self.asked = 0
        self.woken = asyncio.Event()
        self.wakes = 0
        self.now = 0.0

    def running(self) -> int | None:
        self.asked += 1
        return self.count

    async def wake(self) -> None:
        self.wakes += 1
        await self.woken.wait()

    def presence(self) -> Presence:
        return Presence(self.running, self.wake, lambda: self.now)


class Named:
    """Any stage: answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def reply(self, *_: Any) -> AsyncIterator[str]:
        yield self.name

    async def animate(self, span: Any, avatar: Any, state: FaceState | None) -> AsyncIterator[Any]:
        yield FaceState(self.name, 0, b"")

    async def idle(self, avatar: Any) -> bytes:
        return self.name.encode()


async def all_of(stream: Any) -> list[Any]:
    return [item async for item in stream]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_small_engine_answers_until_a_replica_is_there_and_the_client_is_told_once() -> None:
    cluster, told = Cluster(), list[Notice]()

    async def tell(show: Show) -> None:
        assert isinstance(show.message, Notice)
        told.append(show.message)

    stage = Meanwhile("llm", Named("remote"), "guide", Named("small"), cluster.presence()).for_client(tell)
    assert await all_of(stage.reply((), "", ())) == ["small"]  # type: ignore[attr-defined]
    assert await all_of(stage.reply((), "", ())) == ["small"]  # type: ignore[attr-defined]
    await settled()
    assert (cluster.asked, cluster.wakes) == (1, 1)
    assert [(notice.turn, notice.rung) for notice in told] == [(0, "warming")]
    assert "the language model is being started (how long that takes is not known yet)" in told[0].reason
    cluster.now, cluster.count = 7.2, 1
    cluster.woken.set()
    await settled()
    assert await all_of(stage.reply((), "", ())) == ["remote"]  # type: ignore[attr-defined]
    assert [notice.rung for notice in told] == ["warming", ""]
    cluster.now, cluster.count = 1000.0, 0
    cluster.woken.clear()
    assert await all_of(stage.reply((), "", ())) == ["small"]  # type: ignore[attr-defined]
    assert "about 7 s" in told[-1].reason, "as long as the last time"
    cluster.woken.set()
    await settled()


async def test_what_was_seen_holds_for_a_second_and_whoever_cannot_know_goes_the_usual_way() -> None:
    cluster = Cluster(None)
    presence = cluster.presence()
    assert await presence.there() and await presence.there()
    assert cluster.asked == 1
    cluster.now = 2.0
    assert await presence.there()
    assert (cluster.asked, cluster.wakes) == (2, 0)


async def test_a_stage_that_cannot_be_woken_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()

    async def broken() -> None:
        cluster.wakes += 1
        raise StageError("it does not start")

    presence = Presence(cluster.running, broken, lambda: cluster.now)
    for wakes in (1, 2):
        assert not await presence.there()
        await settled()
        assert cluster.wakes == wakes
    assert "it does not start" in caplog.text
    assert presence.took_s is None


async def test_a_reply_is_drawn_to_its_end_by_who_began_it() -> None:
    cluster = Cluster()
    stage: Any = Meanwhile("face", Named("ditto"), "portrait", Named("portrait"), cluster.presence())
    [state] = await all_of(stage.animate(None, AVATAR, None))
    assert state.engine == "portrait"
    cluster.count = 1
    cluster.woken.set()
    await settled()
    assert await all_of(stage.animate(None, AVATAR, state)) == [state], "the replica cannot read this state"
    [fresh] = await all_of(stage.animate(None, AVATAR, None))
    assert fresh.engine == "ditto"
    cluster.now, cluster.count = 10.0, 0
    assert (await all_of(stage.animate(None, AVATAR, fresh)))[0].engine == "ditto"
    assert await stage.idle(AVATAR) == b"ditto"
    await settled()


async def test_where_nothing_serves_meanwhile_the_stage_fails_in_a_sentence() -> None:
    stage: Any = Meanwhile("face", Named("ditto"), "none", None, Cluster().presence())
    with pytest.raises(StageError, match=r"the face is being started .* it goes on without"):
        await all_of(stage.animate(None, AVATAR, None))


async def test_only_stages_that_may_sleep_are_dressed_for_a_client() -> None:
    async def tell(_: Show) -> None:
        raise AssertionError("nobody sleeps")

    stages = Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR)
    assert for_client(stages, tell) is stages
    sleepy: Any = Meanwhile("llm", Echo(), "guide", Echo(), Cluster(1).presence())
    dressed = for_client(Stages(Ears(), Scribe(), sleepy, Hum(), Mask(), AVATAR), tell)
    assert dressed.responder is not sleepy
    assert [type(item).__name__ for item in await all_of(dressed.responder.reply((), "", ()))] == [
        "ToolCall",
        "TextDelta",
        "TextDelta",
    ]
