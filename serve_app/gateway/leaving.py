"""How a connection ends: what its close codes say, and how a gateway that stops lets its clients go.

A gateway that is replaced takes nobody new and cuts nobody short: a client is sent elsewhere as soon as nobody has the
turn and all that it was to be told is sent. There it takes its conversation up again. This file knows no message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from serve_app.gateway.guest import CLOSE_SPENT

CLOSE_ELSEWHERE = 1012
"""This gateway stops; connect again, and another one goes on with the conversation."""
CLOSE_SLOW = 4008
"""The client did not read what it was sent; connect again."""
CLOSE_TAKEN = 4009
"""The conversation is another replica's now, or was erased."""
CLOSE_BROKEN = 1011
"""Our fault; the log names it."""
REASON_MOST = 120
"""Characters of a close reason; WebSocket has room for 123 bytes."""
LOST = 1006
"""Of a connection that ended without a word."""
GOODBYES = (1000, CLOSE_SPENT)
"""Close codes after which nobody comes back; after any other a client of ours is waited for."""

ELSEWHERE = "this gateway is being replaced; connect again, and the conversation goes on"
_POLL_S = 0.05


class Leaving:
    """Whether this gateway is about to stop. One for all its connections."""

    def __init__(self) -> None:
        self._begun = False
        self._waiting: set[asyncio.Event] = set()

    def begin(self) -> None:
        """From now on clients are sent elsewhere."""
        self._begun = True
        for told in self._waiting:
            told.set()

    async def until(self, at_rest: Callable[[], bool]) -> None:
        """Return when the gateway is about to stop and this connection is at rest. How long it may stay is not known
        here: whoever stops the gateway ends the others with the same code."""
        told = asyncio.Event()
        self._waiting.add(told)
        try:
            if not self._begun:
                await told.wait()
        finally:
            self._waiting.discard(told)
        while not at_rest():  # noqa: ASYNC110  # a conversation tells nobody that it rests
            await asyncio.sleep(_POLL_S)


async def stopped(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended; how they ended is for others to look at."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def closed(socket: WebSocket, code: int, reason: str) -> None:
    """Close it, unless its client was faster: nobody is left to be told then."""
    with suppress(WebSocketDisconnect), of_socket():
        await socket.close(code, reason)


@contextmanager
def of_socket() -> Iterator[None]:
    """What a socket says if it is closed already, as WebSocketDisconnect: a RuntimeError could be our own mistake."""
    try:
        yield
    except RuntimeError as error:
        raise WebSocketDisconnect(LOST, str(error)) from error
