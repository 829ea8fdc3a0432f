"""The SDK at the real gateway, with stub stages behind it: what a program says and what it is told."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from serve_app.client import SUBPROTOCOL, Avatar, AvatarError, connect
from serve_app.gateway import wire
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.keeper import Archive
from serve_app.persona import Cast, Persona
from serve_app.store import Store
from serve_app.units import Caption, Cut, End, Flush, Hold, Picture, Sound, State, Text, Told, Trouble, Words
from streaming.media import FRAME, RATE
from streaming.pace import Pace
from streaming.session import Driving, Stages
from tests.serve_app.gateway.live import serving
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

LOUD = b"\1\0" * 3200


@asynccontextmanager
async def remembering(folder: Path) -> AsyncIterator[tuple[str, House, Store]]:
    """A gateway that stores conversations: its address, itself, and its store."""
    store = Store(f"sqlite:///{folder / 'avatar.db'}")
    await store.open()
    archive = Archive(store, False, "gateway")
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving(), archive=archive)
    async with serving(build_gateway(house, lambda avatar: None)) as url:
        yield f"{url}/v1/realtime", house, store
    await archive.settle()
    await store.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving())
    async with serving(build_gateway(house, lambda avatar: None)) as url:
        yield f"{url}/v1/realtime"


async def until(avatar: Avatar, true: Callable[[Told], bool]) -> list[Told]:
    """What is told, up to the first unit for which ``true``."""
    told: list[Told] = []
    async for unit in avatar:
        told.append(unit)
        if true(unit):
            break
    return told


def idle(unit: Told) -> bool:
    return isinstance(unit, State) and unit.state == "idle"


async def test_a_connection_that_is_cut_is_made_anew_and_the_reply_goes_on(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (url, *_):
        async with connect(url) as avatar:
            await avatar.say("hi")
            told = await until(avatar, lambda unit: isinstance(unit, Sound))
            avatar._socket.transport.abort()
            told += await until(avatar, idle)
        assert [unit.pts for unit in told if isinstance(unit, Sound)] == [k * 2400 for k in range(5)]
        assert [unit.pts for unit in told if isinstance(unit, Picture)] == [k * FRAME for k in range(13)]
        assert "".join(unit.delta for unit in told if isinstance(unit, Text)) == "You said: hi"
        [mended] = avatar.mended
        assert mended.code == 1006 and mended.cut <= mended.mended and not avatar.away
        async with connect(url, resume=False) as avatar:
            await avatar.say("hi")
            avatar._socket.transport.abort()
            with pytest.raises(AvatarError) as lost:
                await until(avatar, idle)
            assert lost.value.code == 1006


async def test_the_playhead_is_reported_after_a_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.client.REPORT_S", 0.02)
    async with remembering(tmp_path) as (url, *_):
        async with connect(url) as avatar:
            again = avatar._again
            assert again

            async def later() -> ClientConnection:
                assert avatar.away
                await asyncio.sleep(0.1)  # longer than some reports are apart
                return await again()

            avatar._again = later
            for _ in range(3):
                await avatar.say("hi")
                told = await until(avatar, lambda unit: isinstance(unit, Sound))
                avatar._socket.transport.abort()
                told += await until(avatar, idle)
                assert [unit.pts for unit in told if isinstance(unit, Sound)] == [k * 2400 for k in range(5)]


async def test_what_the_service_did_not_take_before_a_cut_is_said_again_and_nothing_else(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (url, house, store):
        async with connect(url) as avatar:
            await avatar.say("first")
            await until(avatar, idle)
            house.leaving.begin()  # the gateway closes the socket and reads no more of it
            await asyncio.sleep(0.2)
            house.leaving._begun = False
            avatar._said.append((next(avatar._ids), json.dumps({"type": "avatar.say", "text": "on the way"})))
            told = await until(avatar, lambda unit: isinstance(unit, End))
        assert "".join(unit.delta for unit in told if isinstance(unit, Text)) == "You said: on the way"
        stored = await store.conversation(avatar.session["id"])
    assert stored is not None
    assert [item.said.text for item in stored.items if item.said.role == "user"] == ["first", "on the way"]


async def test_what_is_written_while_the_connection_is_cut_goes_out_with_the_next_one(tmp_path: Path) -> None:
    async with remembering(tmp_path) as (url, *_):
        async with connect(url) as avatar:
            again = avatar._again
            assert again

            async def later() -> ClientConnection:
                await avatar.say("during it")
                return await again()

            await avatar.say("before it")
            await until(avatar, idle)
            avatar._again = later
            avatar._socket.transport.abort()
            await asyncio.sleep(0)
            with pytest.raises(AvatarError, match="lost without a word"):
                await avatar.hear(LOUD)
            told = await until(avatar, lambda unit: isinstance(unit, End))
            assert "".join(unit.delta for unit in told if isinstance(unit, Text)) == "You said: during it"
            assert len(avatar.mended) == 1
        with pytest.raises(AvatarError):
            await avatar.say("after the end")


async def test_who_finds_nobody_any_more_says_why_the_connection_was_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.client.RESUME_S", 0.0)
    async with connect(url) as avatar:
        avatar._reader.session["avatar"]["resume_token"] = "of a service that kept nothing"
        avatar._socket.transport.abort()
        with pytest.raises(AvatarError, match="lost without a word"):
            await until(avatar, idle)


async def test_a_question_is_written_and_the_face_answers(url: str) -> None:
    async with connect(url) as avatar:
        assert avatar.session["avatar"]["video"]["fps"] == 25
        await avatar.say("hi")
        told = await until(avatar, idle)
    assert told[0] == State("thinking", 1)
    assert "".join(unit.delta for unit in told if isinstance(unit, Text)) == "You said: hi"
    assert sum(len(unit.pcm) for unit in told if isinstance(unit, Sound)) == RATE  # half a second
    assert [unit.pts for unit in told if isinstance(unit, Picture)] == [k * FRAME for k in range(13)]
    assert [word.text for unit in told if isinstance(unit, Words) for word in unit.words] == ["w"] * 5
    assert [unit.pts for unit in told if isinstance(unit, End)] == [RATE // 2]


async def test_the_simulated_loudspeaker_takes_as_long_as_a_real_one(url: str) -> None:
    loop = asyncio.get_running_loop()
    async with connect(url) as avatar:
        await avatar.say("hi")
        await until(avatar, lambda unit: isinstance(unit, Picture))
        begun = loop.time()
        await until(avatar, idle)
        assert loop.time() - begun > 0.3, "half a second of sound, of which a little was heard before"


async def test_without_it_the_reply_ends_when_the_program_says_so(url: str) -> None:
    async with connect(url, playhead=False) as avatar:
        await avatar.say("hi")
        (*_, end) = await until(avatar, lambda unit: isinstance(unit, End))
        assert isinstance(end, End)
        await avatar.report_playhead(end.turn, end.pts)
        assert await until(avatar, idle) == [State("idle", 1)]


async def test_a_pressed_turn_is_heard_and_understood(url: str) -> None:
    async with connect(url) as avatar:
        await avatar.configure(audio={"input": {"turn_detection": None}})
        await avatar.press()
        await avatar.hear(LOUD)
        await avatar.release()
        told = await until(avatar, lambda unit: isinstance(unit, Caption) and unit.final)
        assert told[-1] == Caption("Hello there", True)
        assert avatar.session["audio"]["input"]["turn_detection"] is None


async def test_pressing_interrupts_and_says_what_was_heard(url: str) -> None:
    async with connect(url, playhead=False) as avatar:
        await avatar.say("hi")
        await until(avatar, lambda unit: isinstance(unit, Sound))
        await avatar.press()
        told = await until(avatar, lambda unit: isinstance(unit, Cut))
        assert [unit for unit in told if isinstance(unit, Flush)] == [Flush(1)]


async def test_speech_over_a_reply_holds_it(url: str) -> None:
    async with connect(url) as avatar:
        await avatar.say("hi")
        await until(avatar, lambda unit: isinstance(unit, Sound))
        await avatar.hear(LOUD)
        assert (await until(avatar, lambda unit: isinstance(unit, Hold)))[-1] == Hold(1)


async def test_a_client_without_pictures_is_told_none(url: str) -> None:
    async with connect(url) as avatar:
        await avatar.configure(avatar={"video": {"codec": None}})
        await avatar.say("hi")
        told = await until(avatar, idle)
        assert not [unit for unit in told if isinstance(unit, Picture)]


async def test_a_persona_is_asked_for_and_greets_before_anything_is_said() -> None:
    host = Persona("host", "Host", "Good evening.")
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving(), cast=Cast(host))
    async with serving(build_gateway(house, lambda avatar: None)) as url:
        async with connect(f"{url}/v1/realtime?model=any", persona="host") as avatar:
            assert avatar.session["avatar"]["persona"] == "host"
            told = await until(avatar, idle)
            assert "".join(unit.delta for unit in told if isinstance(unit, Text)) == "Good evening."
        with pytest.raises(AvatarError, match=r"\(404\): there is no persona 'cook'; there are: host") as error:
            async with connect(f"{url}/v1/realtime", persona="cook"):
                pass
        assert error.value.code == 404


async def test_a_mistake_is_told_and_the_conversation_lives(url: str) -> None:
    async with connect(url, playhead=False) as avatar:
        await avatar.configure(avatar={"video": {"codec": "av1"}})
        (trouble,) = await until(avatar, lambda unit: isinstance(unit, Trouble))
        assert isinstance(trouble, Trouble) and trouble.ours and trouble.code == "unknown_codec"
        with pytest.raises(ValueError, match="whole samples"):
            await avatar.hear(b"\1")
        await avatar.say("hi")
        await until(avatar, lambda unit: isinstance(unit, End))


# ---- what can go wrong -------------------------------------------------------------------------------------


GREETING = '{"type":"session.created","session":{"id":"a"}}'


@asynccontextmanager
async def stranger(
    answer: Callable[[ServerConnection], Awaitable[None]], *, ours: bool = True, greeting: str = GREETING
) -> AsyncIterator[str]:
    """The address of a server that greets as ours does and then does what it likes."""

    async def greet(connection: ServerConnection) -> None:
        if ours:
            await connection.send(greeting)
        await answer(connection)

    offered = [Subprotocol(SUBPROTOCOL)] if ours else None
    async with serve(greet, "127.0.0.1", 0, subprotocols=offered) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def test_a_connection_that_did_not_answer_is_dropped_without_a_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes of its hello later would take the conversation from the connection that came after it."""
    monkeypatch.setattr("serve_app.client.OPEN_S", 0.5)
    ends: list[int | None] = []
    calls = iter(range(3))

    async def dies_hangs_and_answers(connection: ServerConnection) -> None:
        call = next(calls)
        if call == 0:
            await connection.close(1012)
            return
        hello = json.loads(await connection.recv())
        if call == 1:
            await connection.wait_closed()
            ends.append(connection.close_code)
            return
        await connection.send(json.dumps({"type": "avatar.resumed", "last_seq": hello["last_seq"], "session": {}}))
        await connection.wait_closed()

    greeting = '{"type":"session.created","event_id":"evt_1","session":{"id":"a","avatar":{"resume_token":"t"}}}'
    async with stranger(dies_hangs_and_answers, greeting=greeting) as url, connect(url, playhead=False) as avatar:
        told = asyncio.create_task(anext(avatar))
        async with asyncio.timeout(10):
            while not avatar.mended:  # noqa: ASYNC110 - nothing else tells of it
                await asyncio.sleep(0.01)
        assert ends == [1006], "a goodbye would end the conversation"
        told.cancel()


@pytest.mark.parametrize(
    ("code", "reason", "line"),
    [
        (4008, "unread", "this client did not read what it was sent; read units as they come, and connect again"),
        (1011, "", "the session broke on the service's side; its log says why; connect again"),
        (4999, "a new reason", "a new reason"),
    ],
)
async def test_a_close_code_becomes_a_sentence(code: int, reason: str, line: str) -> None:
    async with (
        stranger(lambda connection: connection.close(code, reason)) as url,
        connect(url, playhead=False) as avatar,
    ):
        with pytest.raises(AvatarError, match="close code") as told:
            await anext(avatar)
        assert str(told.value).startswith(line) and told.value.code == code
        with pytest.raises(AvatarError):
            await avatar.say("still there?")


async def test_a_connection_that_is_closed_in_order_ends_the_iteration() -> None:
    async with stranger(lambda connection: connection.close()) as url, connect(url, playhead=False) as avatar:
        assert [unit async for unit in avatar] == []


async def test_the_key_is_sent_as_a_bearer_token() -> None:
    seen: list[str | None] = []

    async def look(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.headers.get("Authorization"))

    async with stranger(look) as url, connect(url, api_key="secret", playhead=False) as avatar:
        assert [unit async for unit in avatar] == []
    assert seen == ["Bearer secret"]


async def test_a_typed_message_is_one_message() -> None:
    seen: list[str] = []

    async def listen(connection: ServerConnection) -> None:
        seen.extend([json.loads(await connection.recv())["type"] for _ in range(1)])

    async with stranger(listen) as url, connect(url, playhead=False) as avatar:
        await avatar.say("hi")
        assert [unit async for unit in avatar] == []
    assert seen == ["avatar.say"]


async def test_what_is_no_service_of_ours_is_named(url: str) -> None:
    async with stranger(lambda connection: connection.wait_closed(), ours=False) as wrong:
        for address, line in (
            ("no address", "is no address; write ws://HOST:PORT"),
            ("ws://127.0.0.1:1/v1/realtime", r"cannot be reached .*; is `avatar run` running there\?"),
            (wrong, "does not speak realtime-avatar.v1"),
            (url.replace("realtime", "nothing"), "refuses the connection .* conversations are at /v1/realtime"),
        ):
            with pytest.raises(AvatarError, match=line):
                async with connect(address):
                    pass


async def test_a_message_that_cannot_be_read_is_said() -> None:
    wrong = json.dumps({"type": "avatar.cut", "turn": 1})
    async with stranger(lambda connection: connection.send(wrong)) as url, connect(url, playhead=False) as avatar:
        with pytest.raises(AvatarError, match="versions that do not fit"):
            await anext(avatar)


# ---- what it needs -----------------------------------------------------------------------------------------


def test_it_offers_what_the_gateway_speaks() -> None:
    assert SUBPROTOCOL == wire.SUBPROTOCOL


def test_it_needs_websockets_and_the_conversations_vocabulary_only() -> None:
    """-S leaves out what an editable install loads at the start of every Python."""
    root = Path(__file__).parents[2]
    script = (
        "import json, sys\n"
        f"sys.path[:0] = {[str(root), *(path for path in sys.path if path.endswith('-packages'))]!r}\n"
        "import serve_app.client\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    packages = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert {name for name in packages if name[0] != "_"} <= {"numpy", "serve_app", "streaming", "websockets"}
    assert [name for name in loaded if name.startswith("serve_app.")] == [
        "serve_app.client",
        "serve_app.cuts",
        "serve_app.playing",
        "serve_app.units",
    ]
