"""A client of ours is cut off in mid-reply and goes on, at this gateway or another: nothing missed, nothing twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from serve_app.gateway.app import build_gateway
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.house import House
from serve_app.gateway.reading import Hello, Incoming
from serve_app.gateway.resuming import Log, Taken, recalled
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.keeper import Archive, Keeper
from serve_app.persona import Cast, Persona
from serve_app.store import Store, Stored, Summary
from streaming.conversation import Conversation
from streaming.events import Tick
from streaming.media import FRAME, Kind, unpack
from streaming.pace import Pace
from streaming.recalling import Recalling
from streaming.session import Driving, Stages
from streaming.stages import History, Phone, Responder, Spoken, TextDelta, Tool, Word
from tests.serve_app.databases import postgres
from tests.serve_app.gateway.live import serving
from tests.serve_app.gateway.notes import Lines
from tests.stubs import AVATAR, Ears, Mask, Scribe

__all__ = ["postgres"]

TEXT = ["Well. ", "A flute is made of silver ", "or of wood, and a player ", "blows across its edge. ", "That is all."]
PIECE = 2400
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "I have a cat."}]}


class Writer:
    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        for piece in TEXT:
            yield TextDelta(piece)
            await asyncio.sleep(0)


class Reader:
    """The same sound for the same text: every sample tells its clip's length and its place."""

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        words = text.split()
        for k in range(2 + len(text) // 4):
            start = k * PIECE
            word = (Word(words[k // 3], start, PIECE),) if k % 3 == 0 and k // 3 < len(words) else ()
            sound = (len(text) * 100 + k).to_bytes(2, "little") * PIECE
            await asyncio.sleep(0)
            yield Spoken(sound, (Phone("a", start, PIECE),), word)


@dataclass
class Client:
    """One client of ours, its ears and eyes, over as many connections as it takes."""

    url: str
    session: dict[str, Any] = field(default_factory=dict[str, Any])
    seq: int = 0
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sound: bytes = b""
    pictures: int = 0

    @asynccontextmanager
    async def there(self, url: str | None = None) -> AsyncIterator[ClientConnection]:
        """A socket. It is left without a goodbye, as when a cable is pulled."""
        at = f"{url or self.url}/v1/realtime{'?back=1' if self.session else ''}"
        async with connect(at, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None) as socket:
            created = json.loads(await socket.recv())
            if not self.session:
                self.session, self.seq = created["session"], 1
            yield socket
            socket.transport.abort()

    async def say(self, socket: ClientConnection, kind: str, **fields: Any) -> None:
        await socket.send(json.dumps({"type": kind, **fields}))

    async def hello(self, socket: ClientConnection, **other: Any) -> dict[str, Any]:
        has = {"turn": 1, "audio_pts": len(self.sound) // 2, "video_pts": self.pictures * FRAME}
        token = self.session["avatar"]["resume_token"]
        asked = {"session_id": self.session["id"], "resume_token": token, "last_seq": self.seq, **has, **other}
        await self.say(socket, "avatar.hello", **asked)
        return json.loads(await socket.recv())

    async def hear(self, socket: ClientConnection) -> str:
        """Take one message and report what was heard; its type."""
        message = await socket.recv()
        if isinstance(message, str):
            event = json.loads(message)
            number = int(event.pop("event_id").removeprefix("evt_"))
            assert number > self.seq, f"{event['type']} came twice, or in the wrong order"
            self.seq = number
            self.events.append(event)
            return event["type"]
        unit = unpack(message)
        assert unit.seq > self.seq
        self.seq = unit.seq
        if unit.kind is Kind.AUDIO:
            assert unit.pts * 2 == len(self.sound), "sound twice, or a gap"
            self.sound += unit.payload
        else:
            assert unit.pts == self.pictures * FRAME, "a picture twice, or a gap"
            self.pictures += 1
        # No sound is heard past the newest picture.
        await self.say(socket, "avatar.playhead", turn=1, pts=min(len(self.sound) // 2, self.pictures * FRAME))
        return unit.kind.name

    async def until_idle(self, socket: ClientConnection, most: int = 10_000) -> bool:
        """Listen until the reply was heard to its end, or ``most`` messages came; True if it was."""
        for _ in range(most):
            await self.hear(socket)
            if self.events[-1]["type"] == "avatar.state" and self.events[-1]["state"] == "idle" and self.sound:
                return True
        return False

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """The events of each type, without those that tell of a pace: words one by one, states without repeats."""
        kinds: dict[str, list[Any]] = {}
        for event in self.events:
            of_kind = kinds.setdefault(event["type"], [])
            if event["type"] == "avatar.words":
                of_kind += event["words"]
            elif not of_kind or event != of_kind[-1] or event["type"] != "avatar.state":
                of_kind.append(event)
        return kinds


@asynccontextmanager
async def gateways(
    folder: Path, count: int = 2, address: str = "", *, store: Store | None = None, writer: Responder | None = None
) -> AsyncIterator[list[str]]:
    """So many gateways over one store."""
    store = store or Store(address or f"sqlite:///{folder / 'avatar.db'}")
    await store.open()
    stages = Stages(Ears(), Scribe(), writer or Writer(), Reader(), Mask(), AVATAR)
    archives = [Archive(store, False, f"gateway {k}") for k in range(count)]
    urls: list[str] = []
    servers = [serving(build_gateway(House(stages, Pace(), Driving(), archive=a), lambda _: None)) for a in archives]
    for server in servers:
        urls.append(await server.__aenter__())
    try:
        yield urls
    finally:
        for server in servers:
            await server.__aexit__(None, None, None)
        for archive in archives:
            await archive.settle()
        await store.close()


async def asked(client: Client, socket: ClientConnection) -> None:
    await client.say(socket, "avatar.say", text="What is a flute?")


async def stored(folder: Path, session: str, address: str = "") -> list[tuple[str, str]]:
    store = Store(address or f"sqlite:///{folder / 'avatar.db'}")
    conversation = await store.conversation(session)
    await store.close()
    assert conversation is not None
    return [(item.said.role, item.said.text) for item in conversation.items]


async def test_fifty_cuts_of_a_reply_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    await cut_and_compare(tmp_path, 50)


@pytest.mark.system
async def test_it_is_the_same_over_postgresql(tmp_path: Path, postgres: str) -> None:
    await cut_and_compare(tmp_path, 20, postgres)


async def cut_and_compare(folder: Path, cuts: int, address: str = "") -> None:
    """Let a reply be cut so many times, each time anew, and compare what came with what comes without a cut."""
    async with gateways(folder, address=address) as urls:
        whole = Client(urls[0])
        async with whole.there() as socket:
            await asked(whole, socket)
            assert await whole.until_idle(socket)
        rng = random.Random(7)
        messages = len(whole.events) + whole.pictures + len(whole.sound) // 2 // PIECE
        for cut in range(cuts):
            client = Client(urls[0])
            async with client.there() as socket:
                await asked(client, socket)
                await client.until_idle(socket, rng.randrange(1, messages))
            async with client.there(urls[cut % 2]) as socket:
                assert (await client.hello(socket))["type"] == "avatar.resumed"
                assert await client.until_idle(socket)
            assert (client.sound == whole.sound, client.pictures) == (True, whole.pictures), f"cut {cut}"
            was, now = whole.told(), client.told()
            assert {kind: now[kind] for kind in now if now[kind] != was.get(kind)} == {}, f"cut {cut}"
            assert now == was
            assert await stored(folder, client.session["id"], address) == [
                ("user", "What is a flute?"),
                ("assistant", "".join(TEXT)),
            ]


async def test_a_conversation_that_was_taken_up_goes_on(tmp_path: Path) -> None:
    async with gateways(tmp_path) as urls:
        client = Client(urls[0])
        async with client.there() as socket:
            await client.say(socket, "session.update", session={"instructions": "Rhyme."})
            await asked(client, socket)
            await client.until_idle(socket, 40)
        async with client.there(urls[1]) as socket:
            resumed = await client.hello(socket)
            assert resumed["session"]["instructions"] == "Rhyme."
            assert resumed["last_seq"] == client.seq
            await client.until_idle(socket)
            first = client.sound
            client.sound, client.pictures = b"", 0
            await client.say(socket, "avatar.say", text="And a harp?")
            while client.events[-1].get("response", {}).get("id") != "resp_2":
                await client.hear(socket)
            while client.events[-1]["type"] != "response.done":
                await client.hear(socket)
                await client.say(socket, "avatar.playhead", turn=2, pts=len(client.sound) // 2)
            assert client.sound == first, "the stub says the same to everything"


async def test_nobody_takes_up_what_is_not_his_or_is_not_there(tmp_path: Path) -> None:
    async with gateways(tmp_path, 1) as urls:
        client = Client(urls[0])
        async with client.there() as socket:
            await asked(client, socket)
            await client.until_idle(socket)
        for wrong in ({"resume_token": "guessed"}, {"session_id": "sess_x"}):
            async with client.there() as socket:
                error = (await client.hello(socket, **wrong))["error"]
                assert (error["code"], error["type"]) == ("cannot_resume", "invalid_request_error")
                assert "no such conversation" in error["message"]
                await asked(client, socket)  # the new one is good
                assert json.loads(await socket.recv())["type"] != "error"


async def test_a_sign_of_life_comes_after_everything_missed_and_not_again(tmp_path: Path) -> None:
    async with gateways(tmp_path, 1) as urls:
        client = Client(urls[0])
        async with client.there() as socket:
            await client.say(socket, "avatar.ping")
            await asked(client, socket)
            while await client.hear(socket) != "avatar.pong":
                pass
        async with client.there() as socket:
            await client.hello(socket)
            await client.say(socket, "avatar.ping")
            while await client.hear(socket) != "avatar.pong":
                pass
        kinds = [event["type"] for event in client.events]
        assert kinds.count("avatar.pong") == 2
        assert kinds.index("conversation.item.added") < len(kinds) - 1


async def test_a_hello_comes_first(tmp_path: Path) -> None:
    async with gateways(tmp_path, 1) as urls:
        client = Client(urls[0])
        async with client.there() as socket:
            await client.say(socket, "session.update", session={"instructions": "Rhyme."})
            assert json.loads(await socket.recv())["type"] == "session.updated"
            for wrong, code in (({}, "too_late"), ({"last_seq": -1}, "invalid_event")):
                answer = await client.hello(socket, **wrong)
                while answer["type"] == "avatar.state":
                    answer = json.loads(await socket.recv())
                assert answer["error"]["code"] == code


async def test_notes_of_another_release_are_refused_in_a_sentence(tmp_path: Path) -> None:
    async with gateways(tmp_path, 1) as urls:
        client = Client(urls[0])
        async with client.there() as socket:
            await asked(client, socket)
            await client.until_idle(socket, 20)
            store = Store(f"sqlite:///{tmp_path / 'avatar.db'}")
            await store.append(client.session["id"], 1, notes=['{"commands":[{"kind":"Sing"}],"event":null}'])
            await store.close()
        async with client.there() as socket:
            assert "another release" in (await client.hello(socket))["error"]["message"]


async def test_who_says_goodbye_does_not_come_back(tmp_path: Path) -> None:
    async with gateways(tmp_path, 1) as urls:
        client = Client(urls[0])
        async with client.there() as socket:
            await asked(client, socket)
            await client.until_idle(socket, 30)
            await socket.close()
        store = Store(f"sqlite:///{tmp_path / 'avatar.db'}")
        async with asyncio.timeout(20):
            while not (kept := await store.conversation(client.session["id"])) or kept.summary.ended_ms is None:  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0)
        await store.close()
        async with client.there() as socket:
            assert "over" in (await client.hello(socket))["error"]["message"]
        said = await stored(tmp_path, client.session["id"])
        assert said[0] == ("user", "What is a flute?")
        assert len(said) == 1 or "".join(TEXT).startswith(said[1][1])


async def test_the_one_who_was_taken_over_lets_go_of_a_socket_that_still_stands(tmp_path: Path) -> None:
    async with gateways(tmp_path) as urls:
        client = Client(urls[0])
        async with client.there() as old:
            await asked(client, old)
            await client.until_idle(old, 20)
            async with client.there(urls[1]) as new:
                assert (await client.hello(new))["type"] == "avatar.resumed"
                assert await client.until_idle(new)
            with pytest.raises(ConnectionClosed) as closed:
                async with asyncio.timeout(10):
                    while True:
                        await old.send(json.dumps({"type": "avatar.say", "text": "still there?"}))
                        await old.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4009


async def test_without_a_store_nothing_can_be_taken_up() -> None:
    stages = Stages(Ears(), Scribe(), Writer(), Reader(), Mask(), AVATAR)
    async with serving(build_gateway(House(stages, Pace(), Driving()), lambda _: None)) as url:
        client = Client(url)
        async with client.there() as socket:
            assert "resume_token" not in client.session["avatar"]
            client.session["avatar"]["resume_token"] = "x"
            assert "store.keep" in (await client.hello(socket))["error"]["message"]


@pytest.mark.parametrize(
    ("message", "came"),
    [
        ({"type": "avatar.say", "text": "Who are you?"}, lambda up: up.asked),
        ({"type": "response.create"}, lambda up: up.asked),
        ({"type": "conversation.item.create", "item": ITEM}, lambda up: bool(up.conversation().history)),
        ({"type": "conversation.item.delete", "item_id": "there"}, lambda up: not up.conversation().history),
    ],
)
def test_whenever_a_gateway_dies_a_message_was_received_if_it_was_acted_on(
    message: dict[str, Any], came: Callable[[Recalling], bool]
) -> None:
    """The client says again what was not received: to say it twice, or to nobody, is as bad."""
    conduct = Conduct("s1", AVATAR, Pace(), own=True, cast=Cast(Persona()))
    conversation, keeper = Conversation("s1"), Lines()
    log, incoming = Log(cast(Keeper, keeper)), Incoming(conduct)
    begins = [{"type": "conversation.item.create", "event_id": "m0", "item": {**ITEM, "id": "there"}}]
    for said in [*(begins if "item_id" in message else ()), {"event_id": "m1", **message}]:
        (event,) = (event for event in incoming.of(json.dumps(said)) if not isinstance(event, tuple | Hello))
        log.said(json.dumps(said), event)
        log.happened(Tick(20), [])
        for happened in (event, Tick(40)):
            log.happened(happened, conversation.on(happened))
    header = {"conversation": conversation.settings()}
    stored = Stored(Summary("s1", 0, 0, None, 0), header, "gateway 1", 1, 0, ())
    deaths = [Taken(stored, 2, tuple(map(json.loads, keeper.notes[:count]))) for count in range(len(keeper.notes) + 1)]
    assert [came(recalled(taken)) for taken in deaths[-2:]] == [False, True]
    assert [taken.past.received == "m1" for taken in deaths[-2:]] == [False, True]
