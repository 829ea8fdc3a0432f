"""A client that does whatever it likes, ten thousand times: the gateway answers, forgets nothing, and keeps nothing.

Hypothesis drives one connection after the other through legal, illegal, reordered, oversize and malformed messages
and floods of them, over an ASGI socket in memory with stub stages behind it.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from serve_app.gateway.leaving import CLOSE_SLOW
from serve_app.gateway.outbox import OUTBOX
from serve_app.gateway.realtime import Connection, House
from serve_app.gateway.wire import SUBPROTOCOL
from streaming.media import Flag, Kind, Unit, pack
from streaming.pace import Pace
from streaming.session import INBOX, Driving, Stages
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

STEPS = 200


class Socket:
    """The server's side of a WebSocket whose client is the test."""

    def __init__(self, *offered: str) -> None:
        self.scope = {"subprotocols": list(offered)}
        self.headers: dict[str, str] = {}
        self.sent: list[str | bytes] = []
        self.code: int | None = None
        self.reads = asyncio.Event()
        self.reads.set()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def accept(self, subprotocol: str | None = None) -> None:
        self.subprotocol = subprotocol

    async def receive(self) -> dict[str, Any]:
        return await self._incoming.get()

    async def send_text(self, data: str) -> None:
        await self.reads.wait()
        self.sent.append(data)

    async def send_bytes(self, data: bytes) -> None:
        await self.reads.wait()
        self.sent.append(data)

    async def close(self, code: int, reason: str = "") -> None:
        assert self.code is None, "closed twice"
        self.code = code
        self.leave()

    def send(self, data: str | bytes) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "bytes" if isinstance(data, bytes) else "text": data})

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect"})

    @property
    def idle(self) -> bool:
        return self._incoming.empty()


def house() -> House:
    return House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving())


NAMES = st.sampled_from(["item_1", "item_2", "item_in_1", "item_in_2", "mine", "", "root"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=5,
)


class Siege(RuleBasedStateMachine):
    """One connection and everything that may come to it."""

    HOUSE = house()
    steps = 0
    """Messages sent by all machines so far; a flood counts once."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.count = 0
        self.owed: list[str] = []
        self.broke: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.broke.append(context))

    @initialize(own=st.booleans())
    def connect(self, own: bool) -> None:
        self.loop.run_until_complete(self._open(own))

    async def _open(self, own: bool) -> None:
        self.socket = Socket(*([SUBPROTOCOL] if own else []))
        self.connection = Connection(self.socket, self.HOUSE)  # type: ignore[arg-type]
        self.serving = asyncio.create_task(self.connection.serve())
        await self._settle()

    async def _settle(self) -> None:
        """Until everything was read and everything that was to be said is said."""
        async with asyncio.timeout(10):
            while not self.socket.idle or len(self.connection._outbox):  # noqa: ASYNC110  # they tell nobody
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)

    def send(self, data: str | bytes) -> None:
        self.loop.run_until_complete(self._send(data))

    async def _send(self, data: str | bytes) -> None:
        Siege.steps += 1
        self.socket.send(data)
        await self._settle()

    def event(self, kind: str, *, wrong: bool = False, **fields: Any) -> None:
        """Send an event with an id; ``wrong`` ones must be answered with an error that names it."""
        self.count += 1
        name = f"client_{self.count}"
        if wrong:
            self.owed.append(name)
        self.send(json.dumps({"type": kind, "event_id": name, **fields}))

    # ---- what may come -------------------------------------------------------------------------------------

    @rule(samples=st.integers(0, 4000), loud=st.booleans())
    def append(self, samples: int, loud: bool) -> None:
        sound = (b"\1\0" if loud else b"\0\0") * samples
        self.event("input_audio_buffer.append", audio=base64.b64encode(sound).decode())

    @rule(kind=st.sampled_from(["commit", "clear"]))
    def buffer(self, kind: str) -> None:
        self.event(f"input_audio_buffer.{kind}")

    @rule(text=st.text(max_size=20), name=st.none() | NAMES, after=st.none() | NAMES)
    def create(self, text: str, name: str | None, after: str | None) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], "id": name}
        self.event("conversation.item.create", item=item, previous_item_id=after)

    @rule(verb=st.sampled_from(["retrieve", "delete", "truncate"]), name=NAMES, at=st.integers(-10, 900))
    def touch(self, verb: str, name: str, at: int) -> None:
        self.event(f"conversation.item.{verb}", item_id=name, audio_end_ms=at, content_index=0)

    @rule(wanted=st.sampled_from([{}, {"output_modalities": ["text"]}, {"metadata": {"a": "b"}}]))
    def respond(self, wanted: dict[str, Any]) -> None:
        self.event("response.create", response=wanted)

    @rule()
    def cancel(self) -> None:
        self.event("response.cancel")

    @rule(detection=st.sampled_from([None, {"type": "server_vad"}, {"type": "semantic_vad"}]), silent=st.booleans())
    def update(self, detection: Any, silent: bool) -> None:
        sound = {"input": {"turn_detection": detection}}
        self.event("session.update", session={"output_modalities": ["text" if silent else "audio"], "audio": sound})

    @rule(kind=st.sampled_from(["avatar.press", "avatar.release", "avatar.say"]))
    def own(self, kind: str) -> None:
        self.event(kind, text="hello")

    @rule(turn=st.integers(-1, 9), pts=st.integers(0, 50_000))
    def playhead(self, turn: int, pts: int) -> None:
        self.event("avatar.playhead", turn=turn, pts=pts)

    @rule(kind=st.text(max_size=12))
    def unknown(self, kind: str) -> None:
        self.event(f"no.{kind}", wrong=True)

    @rule(junk=JUNK)
    def malformed(self, junk: Any) -> None:
        self.event("session.update", session=junk if not isinstance(junk, dict) else 7, wrong=True)

    @rule(item=JUNK.filter(lambda junk: not isinstance(junk, dict)))
    def no_item(self, item: Any) -> None:
        self.event("conversation.item.create", item=item, wrong=True)

    @rule()
    def oversize(self) -> None:
        content = [{"type": "input_text", "text": "x" * 50_000}]
        self.event("conversation.item.create", item={"type": "message", "content": content}, wrong=True)

    @rule(data=st.binary(max_size=40))
    def binary(self, data: bytes) -> None:
        self.send(data)

    @rule(turn=st.integers(0, 65_535), pts=st.integers(0, 2**20), count=st.integers(0, 640))
    def unit(self, turn: int, pts: int, count: int) -> None:
        self.send(pack(Unit(Kind.MICROPHONE, Flag.NONE, turn, 0, pts, 0, b"\1\0" * count)))

    @rule(data=st.text(max_size=30))
    def nonsense(self, data: str) -> None:
        self.send(data)

    @rule(count=st.integers(20, 100))
    def flood(self, count: int) -> None:
        for _ in range(count):
            self.socket.send('{"type":"nothing"}')
        self.loop.run_until_complete(self._settle())

    # ---- what must hold ------------------------------------------------------------------------------------

    @invariant()
    def it_lives_and_every_mistake_is_answered(self) -> None:
        if not hasattr(self, "serving"):
            return
        assert not self.serving.done() and self.socket.code is None
        assert self.broke == []
        told = [json.loads(message) for message in self.socket.sent if isinstance(message, str)]
        named = {event["error"]["event_id"] for event in told if event["type"] == "error"}
        assert set(self.owed) <= named
        self.owed.clear()
        self.socket.sent.clear()
        assert len(self.connection._outbox) <= OUTBOX

    def teardown(self) -> None:
        if hasattr(self, "serving"):
            self.loop.run_until_complete(self._leave())
        self.loop.close()
        assert self.broke == []

    async def _leave(self) -> None:
        self.socket.leave()
        async with asyncio.timeout(10):
            await self.serving
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == [], "a task outlives its connection"


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("runs", "steps"), [(20, 500), pytest.param(400, 10_000, marks=pytest.mark.system)])
def test_a_siege_leaves_no_error_unanswered_and_no_task_behind(
    runs: int, steps: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Hypothesis chooses how long each of the runs is; together they must be long enough."""
    Siege.steps = 0
    quiet = settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        database=None,
    )
    with caplog.at_level(logging.WARNING):
        run_state_machine_as_test(Siege, settings=quiet)
    assert Siege.steps >= steps
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_flood_leaves_no_memory_behind() -> None:
    socket = Socket()
    serving = asyncio.create_task(Connection(socket, house()).serve())  # type: ignore[arg-type]

    async def flood(count: int) -> None:
        for _ in range(count):
            socket.send('{"type":"input_audio_buffer.append","audio":"' + "AA" * 640 + '"}')
            socket.send('{"type":"dance"}')
            while not socket.idle:  # noqa: ASYNC110  # the queue tells nobody
                await asyncio.sleep(0)
            socket.sent.clear()

    await flood(500)
    gc.collect()
    tracemalloc.start()
    await flood(500)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200_000, "bytes kept of a thousand messages"
    socket.leave()
    await serving


async def test_a_client_that_does_not_read_is_told_to_come_back() -> None:
    socket = Socket()
    serving = asyncio.create_task(Connection(socket, house()).serve())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    socket.reads.clear()
    for _ in range(OUTBOX + INBOX):
        socket.send('{"type":"dance"}')
    async with asyncio.timeout(10):
        await serving
    assert socket.code == CLOSE_SLOW
