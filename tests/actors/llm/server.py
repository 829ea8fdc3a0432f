"""A server of chat completions of our own: it answers byte for byte what it is told to, nonsense too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from actors.llm.chat import Chat
from streaming.stages import Said, TextDelta, ToolCall, Usage

HISTORY = (Said("user", "Hello", 1),)


def chunk(content: str | None = None, *, finish: str | None = None, calls: Sequence[dict[str, Any]] = ()) -> bytes:
    delta: dict[str, Any] = {"content": content} | ({"tool_calls": list(calls)} if calls else {})
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]})


def event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
CUT = b"<cut>"
"""In the place of a part: the connection breaks there, in the middle of what was announced."""


@dataclass
class Answer:
    """To one POST: ``status`` and ``parts``; then, if ``stays``, an open line on which nothing is said."""

    status: int = 200
    parts: tuple[bytes, ...] = ()
    stays: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """Gives the same answer to every POST, or ``answers`` one after the other, the last of them for ever."""

    status: int = 200
    parts: tuple[bytes, ...] = ()
    stays: bool = False
    answers: tuple[Answer, ...] = ()
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client hung up on an open line."""
    calls: list[asyncio.Task[None]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls.append(asyncio.create_task(self._answered(reader, writer)))

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = (await reader.readuntil(b"\r\n\r\n")).decode()
        head = said.lower()
        self.paths.append(said.split()[1])
        self.keys.append(
            head.partition("authorization: ")[2].partition("\r\n")[0]
            or head.partition("api-key: ")[2].partition("\r\n")[0]
        )
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        self.asked.append(json.loads(await reader.readexactly(length)))
        given = self.answers or (Answer(self.status, self.parts, self.stays),)
        told = given[min(len(self.asked), len(given)) - 1]
        kind = "text/event-stream" if told.status == 200 else "application/json"
        more = "".join(f"{name}: {value}\r\n" for name, value in told.headers.items())
        chunked = "transfer-encoding: chunked\r\n" if CUT in told.parts else ""
        writer.write(
            f"HTTP/1.1 {told.status} X\r\ncontent-type: {kind}\r\n{more}{chunked}connection: close\r\n\r\n".encode()
        )
        for part in told.parts:
            if part == CUT:
                return
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
            await writer.drain()
        if told.stays:
            await reader.read()
            self.left.set()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    """The server's base URL while it serves."""
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    async with listening:
        try:
            yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        finally:
            async with asyncio.timeout(5):
                await asyncio.gather(*server.calls)


async def reply(server: Server, history: tuple[Said, ...] = HISTORY, **more: Any) -> list[TextDelta | ToolCall | Usage]:
    """All that a client makes of the server's answer; ``chat`` holds arguments of its constructor."""
    async with serving(server) as url:
        given = {"retries": 0, "first_token_s": more.pop("wait", 5), "between_tokens_s": more.pop("gap", 5)}
        chat = Chat(url, model="m", **given | more.pop("chat", {}))
        pieces = chat.reply(history, more.get("instructions", ""), more.get("tools", ()))
        return [piece async for piece in pieces]


def words(pieces: Sequence[TextDelta | ToolCall | Usage]) -> str:
    """The text of a reply."""
    return "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
