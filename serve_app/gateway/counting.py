"""Counts what goes over sockets and who is not let in: middleware before everything else of the gateway."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streaming.metrics import Record

REASONS = {401: "key", 403: "origin", 404: "unknown", 429: "limit"}
"""HTTP status of a refused socket -> the label of its reason."""
BUSY = 503
"""That of a gateway that is full; admission.py counts these, for some of them are opened and closed."""


class Counted:
    """The application, its sockets counted."""

    def __init__(self, app: ASGIApp, record: Record) -> None:
        self._app = app
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        let_in = refused = False

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                self._record("avatar_websocket_bytes_total", _size(message), {"direction": "in"})
            return message

        async def told(message: Message) -> None:
            nonlocal let_in, refused
            match message["type"]:
                case "websocket.send":
                    self._record("avatar_websocket_bytes_total", _size(message), {"direction": "out"})
                case "websocket.accept":
                    let_in = True
                case "websocket.http.response.start" | "websocket.close" if not let_in and not refused:
                    refused = True
                    status = message.get("status", 0)
                    reason = REASONS.get(status, "other")
                    if status != BUSY:
                        self._record("avatar_sessions_rejected_total", 1, {"reason": reason})
                case _:
                    pass
            await send(message)

        await self._app(scope, heard, told)


def _size(message: Message) -> int:
    """Bytes of a message's content; text counts as it is sent."""
    data = message.get("bytes")
    return len(data) if data is not None else len((message.get("text") or "").encode())
