"""How a connection begins and ends at its edges: a refused return, a client that does not read, a mistake of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serve_app.gateway.house import House
from serve_app.gateway.leaving import CLOSE_SLOW
from serve_app.gateway.outbox import Outbox
from serve_app.gateway.realtime import Connection
from serve_app.gateway.wire import SUBPROTOCOL, Outgoing
from serve_app.keeper import Archive
from serve_app.persona import Cast, Persona
from serve_app.store import Store
from streaming.conversation import Conversation
from streaming.events import Event, Heard, Left, Rejoined, Typed
from streaming.pace import Pace
from streaming.session import Driving, Session, Stages, ticking
from streaming.stages import StageError
from tests.serve_app.gateway.test_siege import Socket
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

HOST = Persona("host", "Host", "Good evening.")
FEW = 60
"""Orders that may wait, so that it is soon too many."""
BLOCK = b"\1\0" * 320


def stages(ears: Any = None) -> Stages:
    return Stages(ears or Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR)


def house(archive: Archive | None = None, cast: Cast | None = None) -> House:
    return House(stages(), Pace(), Driving(), archive=archive, cast=cast or Cast(Persona()))


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    store = Store(f"sqlite:///{tmp_path / 'avatar.db'}")
    await store.open()
    archive = Archive(store, False, "gateway")
    yield archive
    await archive.settle()
    await store.close()


class Visit:
    """A client of ours at one connection."""

    def __init__(self, house: House) -> None:
        self.socket = Socket(SUBPROTOCOL)
        self.serving = asyncio.create_task(Connection(self.socket, house).serve())  # type: ignore[arg-type]
        self._read = 0

    def say(self, kind: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **fields}))

    async def hears(self, kind: str) -> dict[str, Any]:
        """The next event of this kind."""
        async with asyncio.timeout(10):
            while True:
                while self._read >= len(self.socket.sent):  # noqa: ASYNC110 - a list tells nobody
                    await asyncio.sleep(0)
                message = self.socket.sent[self._read]
                self._read += 1
                if isinstance(message, str) and (told := json.loads(message))["type"] == kind:
                    return told

    async def leave(self) -> None:
        self.socket.leave()
        async with asyncio.timeout(10):
            await self.serving


async def test_who_is_refused_a_conversation_still_chooses_for_the_new_one() -> None:
    """Else it is greeted as somebody else would be, and what it chooses then comes too late."""
    client = Visit(house(cast=Cast(HOST, {"host": HOST})))
    client.say("avatar.hello", session_id="sess_gone", resume_token="x", last_seq=9)
    assert (await client.hears("error"))["error"]["code"] == "cannot_resume"
    client.say("session.update", session={"avatar": {"video": {"codec": "jpeg"}}})
    updated = await client.hears("session.updated")
    assert updated["session"]["avatar"]["video"]["codec"] == "jpeg"
    assert (await client.hears("response.output_audio_transcript.delta"))["delta"].startswith("Good")
    await client.leave()


async def test_nothing_happens_in_a_conversation_before_its_client_is_back_in_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Visit(house(archive))
    created = (await client.hears("session.created"))["session"]
    client.say("avatar.say", text="hi")
    await client.hears("response.done")
    await client.leave()
    happened: list[Event] = []
    happen = Session.happen

    async def noted(session: Session, event: Event) -> None:
        happened.append(event)
        await happen(session, event)

    monkeypatch.setattr(Session, "happen", noted)
    back = Visit(house(archive))
    token = created["avatar"]["resume_token"]
    back.say("avatar.hello", session_id=created["id"], resume_token=token, last_seq=len(client.socket.sent), turn=1)
    back.say("avatar.say", text="and more")  # without waiting for an answer
    await back.hears("avatar.resumed")
    await back.hears("response.created")
    assert [type(event) for event in happened if not isinstance(event, Left)][:2] == [Rejoined, Typed]
    await back.leave()


@pytest.mark.parametrize(("kind", "least"), [("dance", 1), ("avatar.say", 4)])
async def test_a_client_that_did_not_read_finds_its_conversation_again(
    archive: Archive, kind: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether what it was to be told came of the reader, which answers mistakes, or of the session itself."""
    monkeypatch.setattr(Outbox.__init__, "__defaults__", (FEW,))
    client = Visit(house(archive))
    created = (await client.hears("session.created"))["session"]
    client.say("avatar.say", text="hi")
    await client.hears("response.created")
    client.socket.reads.clear()
    for k in range(FEW // least + 10):
        client.say(kind, text=f"{k}")
    async with asyncio.timeout(10):
        await client.serving
    assert client.socket.code == CLOSE_SLOW
    back = Visit(house(archive))
    token = created["avatar"]["resume_token"]
    back.say("avatar.hello", session_id=created["id"], resume_token=token, last_seq=len(client.socket.sent))
    assert (await back.hears("avatar.resumed"))["session_id"] == created["id"]
    await back.leave()


async def test_a_mistake_of_ours_is_no_closed_socket(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object) -> list[str]:
        raise RuntimeError("a queue was asked twice")

    monkeypatch.setattr(Outgoing, "of", breaks)
    async with asyncio.timeout(10):
        await Visit(house()).serving
    assert "a queue was asked twice" in caplog.text


async def test_a_socket_that_is_closed_already_is_no_mistake_of_ours(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def closed(*_: object) -> None:
        raise RuntimeError('Cannot call "send" once a close message has been sent.')

    monkeypatch.setattr(Socket, "send_text", closed)
    async with asyncio.timeout(10):
        await Visit(house()).serving
    assert "ended" not in caplog.text


async def test_a_gateway_that_stops_does_not_wait_for_what_a_dead_session_did_not_hear() -> None:
    class Deaf:
        def hear(self, *_: object) -> Any:
            raise StageError("no ear answers")

    async def told(_: object) -> None:
        pass

    session = Session(Conversation("s"), stages(Deaf()), told)
    for at in (0, 320):
        await session.happen(Heard(BLOCK, at))
    running = asyncio.create_task(session.run(ticking()))
    await asyncio.wait({running})
    assert not session.settled
    connection = Connection(Socket(SUBPROTOCOL), house())  # type: ignore[arg-type]
    connection._session, connection._running = session, running
    async with asyncio.timeout(5):
        await connection._leave()
    assert isinstance(running.exception(), StageError)
