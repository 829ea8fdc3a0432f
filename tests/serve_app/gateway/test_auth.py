"""The door at the real gateway: who comes in, who is told what, and what is counted of whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from serve_app.errors import UserError
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door, Guard
from serve_app.gateway.guest import Bucket, Guest, today
from serve_app.gateway.house import House
from serve_app.gateway.keys import KeyFile
from serve_app.gateway.ledger import Ledger, Used
from serve_app.gateway.refusals import TEXT_MOST
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.groups import Doorway
from streaming.commands import Cut, Ended, ReplyDelta, Show
from streaming.events import Heard
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Usage
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

HERE = "http://127.0.0.1:8080"
ELSEWHERE = "https://elsewhere.example"


class Rooms:
    """A gateway behind a door, with keys and a clock that a test may turn."""

    def __init__(self, folder: Path) -> None:
        self.file = KeyFile(folder / "keys.toml")
        self.ledger = Ledger(folder / "usage.sqlite3")
        self.time = 1_000.0

    def client(self, **options: Any) -> TestClient:
        door = Door(self.file, self.ledger, now=lambda: self.time, **options)
        house = House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving())
        return TestClient(build_gateway(house, lambda avatar: None, door), base_url=HERE)


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    return Rooms(tmp_path)


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


@contextmanager
def entered(
    client: TestClient, headers: dict[str, str] | None = None, offers: list[str] | None = None
) -> Iterator[WebSocketTestSession]:
    """An open socket; raises WebSocketDenialResponse if it is refused."""
    named = {"host": HERE.removeprefix("http://"), **(headers or {})}
    with suppress(CancelledError):  # leaving, the test client cancels the goodbye that it does not wait for
        with client.websocket_connect("/v1/realtime", offers or [SUBPROTOCOL], headers=named) as socket:
            yield socket


def refused(
    client: TestClient, headers: dict[str, str] | None = None, offers: list[str] | None = None
) -> tuple[int, str]:
    """Status and sentence of a socket that is not opened."""
    with pytest.raises(WebSocketDenialResponse) as denial, entered(client, headers, offers):
        pass
    return denial.value.status_code, denial.value.json()["detail"]


def let_in(client: TestClient, headers: dict[str, str] | None = None, offers: list[str] | None = None) -> str | None:
    """The subprotocol that was chosen, once the session is described."""
    chosen = None
    with entered(client, headers, offers) as socket:
        assert json.loads(socket.receive_text())["type"] == "session.created"
        chosen = socket.accepted_subprotocol
    return chosen


# ---- without keys ------------------------------------------------------------------------------------------


def test_without_keys_this_machine_may_come_in_and_foreign_pages_may_not(rooms: Rooms) -> None:
    client = rooms.client(origins=["https://friend.example"])
    assert let_in(client) == SUBPROTOCOL
    assert let_in(client, {"origin": HERE}) == SUBPROTOCOL
    assert let_in(client, {"origin": "https://friend.example"}) == SUBPROTOCOL
    status, said = refused(client, {"origin": ELSEWHERE})
    assert status == 403 and ELSEWHERE in said
    for odd in ("null", "", "http://[", "http://127.0.0.1:8081"):
        assert refused(client, {"origin": odd})[0] == 403


def test_a_page_whose_name_was_made_to_point_here_may_not_come_in(rooms: Rooms) -> None:
    rebound = {"host": "evil.example:8080", "origin": "http://evil.example:8080"}
    assert refused(rooms.client(), rebound)[0] == 403


def test_without_keys_nothing_is_counted_and_secrets_are_for_show(rooms: Rooms) -> None:
    client = rooms.client()
    assert client.get("/v1/usage").status_code == 404
    secret = client.post("/v1/realtime/client_secrets", json={"session": {"type": "realtime"}}).json()
    assert secret["value"].startswith("ek_")
    assert let_in(client, offers=["realtime", f"openai-insecure-api-key.{secret['value']}"]) == "realtime"
    assert client.post("/v1/realtime/client_secrets", headers={"Origin": ELSEWHERE}).status_code == 403
    assert list(rooms.file.path.parent.iterdir()) == []


# ---- with keys ---------------------------------------------------------------------------------------------


def test_with_a_key_whoever_has_none_stays_outside(rooms: Rooms) -> None:
    key = rooms.file.add("phone")
    client = rooms.client()
    assert refused(client) == (401, "this service asks for a key; send it as `Authorization: Bearer KEY`")
    assert refused(client, bearer("ak_wrong"))[0] == 401
    assert let_in(client, bearer(key)) == SUBPROTOCOL
    assert client.get("/v1/usage").status_code == 401
    assert client.get("/v1/usage").headers["www-authenticate"] == "Bearer"
    assert client.post("/v1/anything").status_code == 401
    for path in ("/", "/healthz", "/metrics"):
        assert client.get(path).status_code == 200, "what tells nothing of anybody needs no key"


def test_a_key_that_is_removed_opens_nothing(rooms: Rooms) -> None:
    key = rooms.file.add("phone")
    rooms.file.add("tablet")
    client = rooms.client()
    rooms.file.remove("phone")
    assert refused(client, bearer(key))[0] == 401


def test_a_door_that_others_can_reach_stays_shut_when_the_last_key_is_gone(rooms: Rooms) -> None:
    client = rooms.client(open_without_keys=False)
    status, said = refused(client)
    assert status == 401 and "avatar key add NAME" in said


def test_keys_that_cannot_be_read_let_nobody_in(rooms: Rooms) -> None:
    rooms.file.path.write_text("no toml")
    status, said = refused(rooms.client())
    assert status == 503 and "mend the file" in said


def test_a_key_may_be_used_by_its_own_pages(rooms: Rooms) -> None:
    key = rooms.file.add("shop", origins=("https://shop.example",))
    client = rooms.client()
    assert let_in(client, bearer(key, origin="https://shop.example")) == SUBPROTOCOL
    assert let_in(client, bearer(key, host="face.example", origin="https://face.example")) == SUBPROTOCOL
    assert refused(client, bearer(key, origin=ELSEWHERE))[0] == 403


async def test_a_server_that_cannot_answer_with_a_status_closes_with_a_reason(rooms: Rooms) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        raise AssertionError("nobody is listened to")

    async def room(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody comes in")

    rooms.file.add("phone")
    await Guard(room, Door(rooms.file))({"type": "websocket", "headers": [], "subprotocols": []}, nothing, send)
    (closed,) = sent
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    assert closed["reason"].startswith("this service asks for a key")


# ---- client secrets ----------------------------------------------------------------------------------------


def secret(client: TestClient, key: str, **wanted: Any) -> dict[str, Any]:
    answer = client.post("/v1/realtime/client_secrets", json=wanted, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_page_comes_in_with_a_secret_that_is_never_echoed(rooms: Rooms) -> None:
    client = rooms.client()
    made = secret(client, rooms.file.add("phone"))
    assert made["expires_at"] == 1060 and made["session"]["type"] == "realtime"
    offer = f"openai-insecure-api-key.{made['value']}"
    assert let_in(client, offers=["realtime", offer]) == "realtime"
    assert let_in(client, offers=[offer, SUBPROTOCOL]) == SUBPROTOCOL
    assert let_in(client, bearer(made["value"])) == SUBPROTOCOL
    assert let_in(client, offers=[offer]) is None
    rooms.time = 1060.0
    status, said = refused(client, offers=["realtime", offer])
    assert status == 401 and "too old" in said


def test_a_secret_may_belong_to_one_page(rooms: Rooms) -> None:
    client = rooms.client()
    made = secret(client, rooms.file.add("phone"), origin=ELSEWHERE, expires_after={"seconds": 3600})
    assert made["expires_at"] == 4600
    assert let_in(client, bearer(made["value"], origin=ELSEWHERE)) == SUBPROTOCOL
    assert refused(client, bearer(made["value"], origin=HERE))[0] == 403
    assert refused(client, bearer(made["value"]))[0] == 403


def test_a_secret_makes_no_secrets_and_lives_an_hour_at_most(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone")
    made = secret(client, key)["value"]
    assert client.post("/v1/realtime/client_secrets", headers=bearer(made)).status_code == 403
    assert client.get("/v1/usage", headers=bearer(made)).status_code == 403
    long = {"expires_after": {"anchor": "created_at", "seconds": 3601}}
    assert client.post("/v1/realtime/client_secrets", json=long, headers=bearer(key)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/conversations"),
        ("GET", "/conversations/sess_other/transcript.txt"),
        ("DELETE", "/conversations/sess_other"),
        ("POST", "/chat"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("GET", "/voices"),
        ("DELETE", "/avatars/somebody"),
    ],
)
@pytest.mark.parametrize("origin", ["", ELSEWHERE])
def test_a_visitors_secret_opens_nothing_but_the_socket(rooms: Rooms, method: str, path: str, origin: str) -> None:
    """It is readable by whoever visits the page, and everybody's conversations are behind these addresses."""
    client, key = rooms.client(), rooms.file.add("shop")
    shown = bearer(secret(client, key, origin=origin)["value"], **({"Origin": origin} if origin else {}))
    answer = client.request(method, path, headers=shown, content=b"never read")
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "a client secret opens a conversation only; use the key itself for this"},
    )
    assert client.get("/voices", headers=bearer(key)).status_code == 200


def test_what_a_secret_is_asked_with_is_not_read_without_end(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone")
    long = {"session": {"instructions": "x" * TEXT_MOST}}
    answer = client.post("/v1/realtime/client_secrets", json=long, headers=bearer(key))
    assert (answer.status_code, answer.json()) == (
        413,
        {"detail": "the body may have 1,000,000 bytes; send less at once"},
    )


# ---- limits and usage --------------------------------------------------------------------------------------


def write(socket: Any, text: str = "hi") -> None:
    item = {"content": [{"type": "input_text", "text": text}]}
    socket.send_text(json.dumps({"type": "conversation.item.create", "item": item}))
    socket.send_text(json.dumps({"type": "response.create"}))


def until(socket: Any, true: Callable[[dict[str, Any]], bool]) -> None:
    while True:
        message = socket.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message["reason"])
        if message.get("text") and true(json.loads(message["text"])):
            return


def test_what_a_key_used_is_told(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone", audio_seconds=60.0)
    with entered(client, bearer(key)) as socket:
        write(socket)
        until(socket, lambda event: event["type"] == "response.done")
        socket.send_bytes(bytes([16]) + bytes(15) + bytes(16_000))
        socket.send_text("wrong")
        until(socket, lambda event: event["type"] == "error")
    assert client.get("/v1/usage", headers=bearer(key)).json() == {
        "object": "usage",
        "key": "phone",
        "limits": {"sessions": 8, "audio_seconds_per_day": 60.0, "messages_per_second": 200.0},
        "audio_seconds_left_today": 59.0,
        "days": [{"date": today(), "sessions": 1, "heard_s": 0.5, "spoken_s": 0.5, "tokens": 2}],
    }


def test_a_key_holds_so_many_conversations_at_once(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone", sessions=1)
    with entered(client, bearer(key)):
        status, said = refused(client, bearer(key))
        assert status == 429 and "1 conversations at once" in said
    assert let_in(client, bearer(key)) == SUBPROTOCOL


def test_when_the_days_sound_is_used_up_nobody_comes_in(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone", audio_seconds=60.0)
    rooms.ledger.add("phone", today(), Used(1, 30.0, 30.0))
    status, said = refused(client, bearer(key))
    assert status == 429 and "a new day begins at 0:00 UTC" in said


def test_a_conversation_that_uses_up_the_days_sound_is_ended(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone", audio_seconds=0.2)
    with entered(client, bearer(key)) as socket:
        write(socket)
        until(socket, lambda event: event["type"] == "response.done")
        write(socket)
        with pytest.raises(WebSocketDisconnect) as left:
            until(socket, lambda event: False)
    assert left.value.code == 4029 and "0.2 s of sound" in str(left.value.reason)


def test_a_flood_without_a_key_is_ended_as_well(rooms: Rooms) -> None:
    with entered(rooms.client(messages=5.0)) as socket, pytest.raises(WebSocketDisconnect) as left:
        for _ in range(12):
            socket.send_text('{"type": "input_audio_buffer.clear"}')
        while True:
            socket.receive_text()
    assert left.value.code == 4029 and "more than 5 messages a second" in str(left.value.reason)


def test_the_settings_say_how_many_messages_come_in_without_a_key(tmp_path: Path) -> None:
    wished = Doorway(keys=str(tmp_path / "keys.toml"), messages=7)
    assert (Door.of(wished, "127.0.0.1").messages, Door().messages) == (7, 400)


def test_a_flood_of_messages_is_ended(rooms: Rooms) -> None:
    client, key = rooms.client(), rooms.file.add("phone", messages=5.0)
    with entered(client, bearer(key)) as socket:
        for _ in range(30):
            socket.send_text('{"type":"response.create"}')
        with pytest.raises(WebSocketDisconnect) as left:
            until(socket, lambda event: False)
    assert left.value.code == 4029 and "more than 5 messages a second" in str(left.value.reason)


def test_a_bucket_fills_again() -> None:
    bucket = Bucket(10.0, 2.0, 0.0)
    assert [bucket.take(at) for at in (0.0, 0.0, 0.0, 0.1, 0.1, 9.0, 9.0, 9.0)] == [
        True, True, False, True, False, True, True, False,
    ]  # fmt: skip


async def test_conversations_of_one_key_share_its_day(rooms: Rooms) -> None:
    """Each writes down what it used every 5 s, and reads what the others did."""
    rooms.file.add("phone", audio_seconds=60.0)
    guest = Guest(rooms.file.keys().by_name["phone"], rooms.ledger, lambda: rooms.time)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def word() -> Message:
        return {"type": "websocket.receive", "text": "{}"}

    receive = guest.receiving(word, send)
    guest.heard(Heard(bytes(32_000), 0))
    rooms.ledger.add("phone", today(), Used(0, 59.5))
    assert (await receive())["type"] == "websocket.receive"
    rooms.time += 5.0
    assert (await receive())["type"] == "websocket.disconnect"
    assert rooms.ledger.on("phone", today()) == Used(1, 60.5)
    assert [message["code"] for message in sent] == [4029]


def test_a_ledger_that_cannot_be_read_lets_nobody_in(rooms: Rooms, tmp_path: Path) -> None:
    key = rooms.file.add("phone")
    (tmp_path / "usage.sqlite3").write_text("no database")
    status, said = refused(rooms.client(), bearer(key))
    assert status == 503 and "cannot be read" in said


def test_a_ledger_that_cannot_be_written_ends_no_conversation(
    tmp_path: Path, rooms: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    rooms.file.add("phone")
    (tmp_path / "file").write_text("")
    guest = Guest(rooms.file.keys().by_name["phone"], Ledger(tmp_path / "file" / "usage.sqlite3"))
    guest.settle()
    assert "cannot be written down" in caplog.text


# ---- what browsers are told --------------------------------------------------------------------------------


def test_a_page_of_another_host_may_read_answers_if_the_settings_or_a_key_allow_it(rooms: Rooms) -> None:
    key = rooms.file.add("shop", origins=("https://shop.example",))
    client = rooms.client(origins=["https://friend.example"])
    for origin in ("https://shop.example", "https://friend.example"):
        seen = client.get("/voices", headers=bearer(key, Origin=origin))
        assert (seen.status_code, seen.headers["access-control-allow-origin"]) == (200, origin)
        assert "access-control-allow-credentials" not in seen.headers
    why = client.get("/voices", headers={"Origin": "https://shop.example"})
    assert (why.status_code, why.headers["access-control-allow-origin"]) == (401, "https://shop.example")
    foreign = client.get("/voices", headers=bearer(key, Origin=ELSEWHERE))
    assert (foreign.status_code, foreign.headers.get("access-control-allow-origin")) == (403, None)


def test_a_browser_asks_before_it_sends_a_key(rooms: Rooms) -> None:
    rooms.file.add("shop", origins=("https://shop.example",))
    wished = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    client = rooms.client()
    assert client.options("/voices/x", headers={**wished, "Origin": "https://shop.example"}).status_code == 200
    assert client.options("/voices/x", headers={**wished, "Origin": ELSEWHERE}).status_code == 400
    rooms.file.path.write_text("no keys")
    assert client.options("/voices/x", headers={**wished, "Origin": "https://shop.example"}).status_code == 400


# ---- where it listens --------------------------------------------------------------------------------------


def test_an_address_that_others_can_reach_needs_a_key(tmp_path: Path) -> None:
    wished = Doorway(keys=str(tmp_path / "keys.toml"))
    for host in ("127.0.0.1", "::1", "localhost"):
        Door.of(wished, host)
    for host in ("0.0.0.0", "::", "192.168.1.2", "face.example"):
        with pytest.raises(UserError, match="make one first: avatar key add NAME"):
            Door.of(wished, host)
    KeyFile(tmp_path / "keys.toml").add("phone")
    Door.of(wished, "0.0.0.0")


def test_the_language_models_own_count_of_tokens_takes_the_place_of_pieces(rooms: Rooms) -> None:
    rooms.file.add("phone")
    guest = Guest(rooms.file.keys().by_name["phone"], rooms.ledger, lambda: rooms.time)
    pieces = [ReplyDelta(1, "One "), ReplyDelta(1, "two "), ReplyDelta(-1, "No.")]
    ends = [Ended(1, 0, 0, Usage(30, 12)), Ended(-1, 0, 0), ReplyDelta(2, "Three "), Cut(2, 0, "", Usage(9, 5))]
    for shown in [*pieces, *ends]:
        guest.told(Show(shown))
    guest.settle()
    assert rooms.ledger.on("phone", today()).tokens == 12 + 1 + 5
