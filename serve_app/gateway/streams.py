"""One call of a stage for one request: with deadlines, closed at its end, and stopped when the client has left.

This file knows no address; what a stage answers is only passed on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from serve_app.gateway.leaving import stopped
from serve_app.gateway.refusals import Refusal, of_stage
from streaming.events import StageName
from streaming.session import Driving
from streaming.stages import StageError, StageLost

log = logging.getLogger(__name__)

T = TypeVar("T")

LEFT = 499
"""Status for the log of a client that left before its answer: nobody reads it."""


async def answers(
    call: Callable[[], AsyncIterator[T]], stage: StageName, driving: Driving, patience_s: float = 0.0
) -> AsyncGenerator[T]:
    """What the call answers. ``patience_s`` is added to the wait for the first answer, in seconds.

    A call whose replica is lost before its first answer is made once more. Raises Refusal with the stage's
    sentence, or ours if it breaks or gives no answer in time.
    """
    for last in (False, True):
        given = False
        try:
            async with aclosing(driving.timely(call(), patience_s)) as items:
                async for item in items:
                    given = True
                    yield item
            return
        except TimeoutError:
            raise of_stage(stage, f"{stage} gave no answer in time; try again, or look at its log") from None
        except StageError as error:
            raise of_stage(stage, error) from error
        except StageLost as error:
            if last or given:
                raise of_stage(stage, error) from error
        except Exception as error:  # an engine's bug ends its own call and nothing else
            log.exception("%s failed", stage)
            raise of_stage(stage, f"{stage} broke: {type(error).__name__}: {error}") from error


async def unless_left(request: Request, work: Awaitable[T]) -> T:
    """What the work gives. If the client leaves first, the work is cancelled. The body must have been read."""
    working = asyncio.create_task(_awaited(work), name="request")
    leaving = asyncio.create_task(_left(request.receive), name="client of a request")
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Refusal(LEFT, "the client left", "client_left")
        return working.result()
    finally:
        await stopped(working, leaving)


async def begun(request: Request, stream: AsyncGenerator[bytes], first: Awaitable[bytes]) -> bytes:
    """The stream's first piece: what fails at once then has a status. Closes the stream if there is none."""
    try:
        return await unless_left(request, first)
    except BaseException:
        await stream.aclose()
        raise


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Streamed(Response):
    """An answer that is sent while it is made. When the client leaves, the making is closed.

    Starlette's own leaves the iterator to the garbage collector if the client leaves while a piece is being sent;
    a stage would work on until then.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        media_type: str,
        *,
        first: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``first`` goes before the pieces: what was waited for to know that there is an answer."""
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self._pieces = pieces
        self._first = first
        self.init_headers({"cache-control": "no-store", **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raises what the making raises: the server then breaks the connection off, as it must."""
        sending = asyncio.create_task(self._send(send), name="answer")
        leaving = asyncio.create_task(_left(receive), name="client of an answer")
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stopped(sending, leaving)
            await self._pieces.aclose()
        try:
            if not sending.cancelled():
                sending.result()
        except Refusal as refusal:  # its status is sent already
            raise RuntimeError(f"an answer was broken off: {refusal.detail}") from refusal

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._first:
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
        async for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


EVENTS = "text/event-stream"


def sent_event(name: str, content: Any) -> bytes:
    """One server-sent event with a name."""
    return b"event: " + name.encode() + b"\n" + sent_data(content)


def sent_data(content: Any) -> bytes:
    """One server-sent event without a name; its data is JSON."""
    return b"data: " + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
