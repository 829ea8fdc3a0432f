"""What is counted of sockets, whatever application is behind."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve_app.gateway.counting import Counted

Recorded = list[tuple[str, float, dict[str, str]]]


async def parrot(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.send_bytes(await socket.receive_bytes())
    await socket.close()


async def shut(socket: WebSocket) -> None:
    await socket.send_denial_response(PlainTextResponse("no", int(socket.query_params["status"])))


async def slammed(socket: WebSocket) -> None:
    await socket.close(1008)


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


@pytest.fixture
def recorded() -> Recorded:
    return []


@pytest.fixture
def client(recorded: Recorded) -> TestClient:
    routes = [WebSocketRoute("/in", parrot), WebSocketRoute("/shut", shut), WebSocketRoute("/slammed", slammed)]
    app = Starlette(routes=[*routes, Route("/", hello)])
    return TestClient(Counted(app, lambda *what: recorded.append(what)))


def test_both_directions_are_counted_in_bytes(client: TestClient, recorded: Recorded) -> None:
    with client.websocket_connect("/in") as socket:
        socket.send_text("héllo")
        assert socket.receive_text() == "héllo"
        socket.send_bytes(b"abc")
        assert socket.receive_bytes() == b"abc"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    assert [(labels["direction"], value) for _, value, labels in recorded] == [
        ("in", 6),
        ("out", 6),
        ("in", 3),
        ("out", 3),
    ], "a socket that was open was not refused"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/shut?status=401", "key"),
        ("/shut?status=403", "origin"),
        ("/shut?status=429", "limit"),
        ("/shut?status=404", "unknown"),
        ("/shut?status=418", "other"),
        ("/slammed", "other"),
    ],
)
def test_who_is_not_let_in_is_counted_once_with_the_reason(
    client: TestClient, recorded: Recorded, path: str, reason: str
) -> None:
    refusal: Any = (WebSocketDenialResponse, WebSocketDisconnect)
    with pytest.raises(refusal), client.websocket_connect(path):
        pass
    assert recorded == [("avatar_sessions_rejected_total", 1, {"reason": reason})]


def test_requests_are_none_of_its_business(client: TestClient, recorded: Recorded) -> None:
    assert client.get("/").text == "hello"
    assert recorded == []
