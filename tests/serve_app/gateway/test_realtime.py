"""A client at the gateway's socket, over the real application, with stub stages behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.wire import SUBPROTOCOL
from streaming.media import FRAME, Flag, Kind, Unit, pack, unpack
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Hearing, HearState, StageError
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    idle = tmp_path / "idle.mp4"
    idle.write_bytes(b"a loop")
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR), Pace(), Driving())
    with TestClient(build_gateway(house, lambda avatar: idle if avatar == "story" else None)) as client:
        yield client


def say(socket: WebSocketTestSession, kind: str, **fields: Any) -> None:
    socket.send_text(json.dumps({"type": kind, **fields}))


def write(socket: WebSocketTestSession, text: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    say(socket, "conversation.item.create", item=item)
    say(socket, "response.create")


def until(socket: WebSocketTestSession, kind: str) -> list[dict[str, Any] | Unit]:
    """Everything up to the first event of this kind."""
    told: list[dict[str, Any] | Unit] = []
    while True:
        message = socket.receive()
        told.append(json.loads(message["text"]) if message.get("text") else unpack(message["bytes"]))
        if isinstance(told[-1], dict) and told[-1]["type"] == kind:
            return told


def test_our_own_client_types_and_gets_a_talking_face(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
        assert socket.accepted_subprotocol == SUBPROTOCOL
        (created,) = until(socket, "session.created")
        assert isinstance(created, dict)
        assert created["session"]["avatar"]["video"]["codec"] == "h264"
        write(socket, "hi")
        told = until(socket, "response.done")
        units = [message for message in told if isinstance(message, Unit)]
        assert sum(len(u.payload) for u in units if u.kind is Kind.AUDIO) == 5 * 4800
        assert [u.pts for u in units if u.kind is Kind.VIDEO] == [k * FRAME for k in range(13)]
        numbers = [m.seq if isinstance(m, Unit) else int(m["event_id"][4:]) for m in told]
        assert numbers == list(range(2, 2 + len(told)))
        say(socket, "avatar.playhead", turn=1, pts=12_000)
        assert until(socket, "avatar.state")[-1]["state"] == "idle"  # type: ignore[index]


def test_a_stock_client_gets_text_frames_only_and_no_face(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime") as socket:
        until(socket, "session.created")
        write(socket, "hi")
        told = until(socket, "response.output_audio.delta")
        assert not [m for m in told if isinstance(m, Unit) or m["type"] == "avatar.video.delta"]


def test_a_reply_beside_the_conversation_leaves_no_trace_in_it(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime") as socket:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Is it rude?"}]}
        wanted = {"conversation": "none", "output_modalities": ["text"], "input": [item], "metadata": {"n": "1"}}
        say(socket, "response.create", response=wanted)
        told = until(socket, "response.done")
        response = told[-1]["response"]  # type: ignore[index]
        assert (response["metadata"], response["conversation_id"]) == ({"n": "1"}, None)
        assert response["output"][-1]["type"] == "function_call"
        assert response["output"][0]["content"] == [{"type": "output_text", "text": "You said: Is it rude?"}]
        assert not any(message["type"].startswith("conversation.") for message in told if isinstance(message, dict))
        write(socket, "hi")
        assert "You said: hi" in str(until(socket, "response.done"))


def test_a_pressed_turn_is_understood(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
        say(socket, "avatar.press")
        for k in range(10):
            socket.send_bytes(pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, k, k * 320, 0, b"\1\0" * 320)))
        say(socket, "avatar.release")
        told = until(socket, "conversation.item.input_audio_transcription.completed")
        assert told[-1]["transcript"] == "Hello there"  # type: ignore[index]


def test_errors_are_answered_and_the_session_lives(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
        say(socket, "dance", event_id="mine")
        assert until(socket, "error")[-1]["error"]["event_id"] == "mine"  # type: ignore[index]
        say(socket, "session.update", session={"avatar": {"video": {"codec": "av1"}}})
        assert until(socket, "error")[-1]["error"]["code"] == "unknown_codec"  # type: ignore[index]
        say(socket, "session.update", session={"avatar": {"video": {"codec": None}}})
        assert until(socket, "session.updated")[-1]["session"]["avatar"]["video"]["codec"] is None  # type: ignore[index]
        write(socket, "hi")
        until(socket, "response.created")
        say(socket, "session.update", session={"avatar": {"video": {"codec": "jpeg"}}})
        assert until(socket, "error")[-1]["error"]["code"] == "too_late"  # type: ignore[index]
        write(socket, "hi")
        until(socket, "response.done")


def test_a_listener_that_cannot_answer_closes_the_socket_with_its_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Ears):
        def hear(self, pcm16k: bytes, state: HearState) -> Hearing:
            raise StageError("the listener broke (IndexError); connect again, or look at the gateway's log")

    house = House(Stages(Broken(), Scribe(), Echo(), Hum(), None, AVATAR), Pace(), Driving())
    with (
        TestClient(build_gateway(house, lambda avatar: None)) as client,
        client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket,
    ):
        socket.send_bytes(pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 0, 0, bytes(640))))
        while (last := socket.receive())["type"] != "websocket.close":
            pass
    reason = "the listener broke (IndexError); connect again, or look at the gateway's log"
    assert (last["code"], last["reason"]) == (1011, reason)
    assert [record.exc_info for record in caplog.records if record.levelname == "ERROR"] == [None]


def test_the_page_the_idle_loop_and_the_health_are_there(client: TestClient) -> None:
    assert "Realtime Avatar" in client.get("/").text
    loop = client.get("/avatars/story/idle.mp4")
    assert (loop.content, loop.headers["access-control-allow-origin"]) == (b"a loop", "*")
    assert client.get("/avatars/nobody/idle.mp4").status_code == 404
    assert client.get("/healthz").json() == {"status": "ok", "avatar": "story"}
    assert "avatar_turns_total" in client.get("/metrics").text


def test_what_happens_is_counted(client: TestClient) -> None:
    with client.websocket_connect("/v1/realtime", subprotocols=[SUBPROTOCOL]) as socket:
        write(socket, "hi")
        until(socket, "response.done")
        assert "avatar_sessions_active 1.0" in client.get("/metrics").text
    metrics = client.get("/metrics").text
    assert 'avatar_turns_total{outcome="completed"} 1.0' in metrics
    assert "avatar_frames_total 13.0" in metrics
    assert "avatar_sessions_active 0.0" in metrics


def test_a_service_tells_how_it_is_set_up() -> None:
    stages = Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR)
    with TestClient(
        build_gateway(House(stages, Pace(), Driving(), about={"profile": "cpu"}), lambda _: None)
    ) as client:
        assert client.get("/v1/service").json() == {
            "version": version("realtime-avatar"),
            "languages": None,
            "profile": "cpu",
        }
