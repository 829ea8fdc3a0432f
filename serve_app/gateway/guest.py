"""One client that was let in: what it uses is counted, and what is too much ends its connection.

A guest stands between the web server and the connection and counts messages; the connection tells it what was heard
and what is shown. Of whoever has no key only the messages are counted. This file knows no names of messages and lets
nobody in.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.types import Message, Receive, Send
from starlette.websockets import WebSocket

from serve_app.gateway.keys import Key
from serve_app.gateway.ledger import Ledger, Used
from streaming.commands import Audio, Cut, Ended, ReplyDelta, Show
from streaming.events import Event, Heard
from streaming.media import MIC_RATE, RATE, samples
from streaming.session import ClientOrder

log = logging.getLogger(__name__)

CLOSE_SPENT = 4029
"""The client sends or uses more than it may; the reason says what."""

SCOPE = "avatar.guest"
"""Where the guest stands in the ASGI scope."""

BURST_S = 2.0
"""How many seconds' worth of messages may come at once."""

WRITE_S = 5.0
"""Seconds between two entries in the ledger; what a crash can lose."""


class Bucket:
    """So many a second, and some more in a burst. Times in seconds of any one clock."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take one. False if there is none."""
        self._left = min(self._left + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Guest:
    """One connection with a key; its limits are the key's."""

    def __init__(self, key: Key, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._ledger = ledger
        self._clock = clock
        self._messages = Bucket(key.messages, key.messages * BURST_S, clock())
        self._used = Used(sessions=1)
        self._before = 0.0
        self._written = clock()
        self._pieces: Counter[int] = Counter()
        """Counted of replies under way: the language model's own count, if it comes, takes their place."""
        self.settle()

    # ---- what the connection tells -------------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        """Something came from the client."""
        if isinstance(event, Heard):
            self._used.heard_s += samples(event.pcm) / MIC_RATE

    def told(self, order: ClientOrder) -> None:
        """Something goes to the client."""
        if isinstance(order, Show):
            match order.message:
                case Audio(_, _, pcm):
                    self._used.spoken_s += samples(pcm) / RATE
                case ReplyDelta(turn):
                    self._used.tokens += 1
                    self._pieces[turn] += 1
                case Ended(turn, usage=usage) | Cut(turn, usage=usage):
                    pieces = self._pieces.pop(turn, 0)
                    self._used.tokens += usage.written - pieces if usage else 0
                case _:
                    pass

    # ---- between the web server and the connection ---------------------------------------------------------

    def receiving(self, receive: Receive, send: Send) -> Receive:
        """The same, until something is too much: then the client is sent away and the connection told that it left."""
        return _until(self._too_much, f"key {self._key.name}", receive, send)

    def _too_much(self) -> str:
        now = self._clock()
        if not self._messages.take(now):
            return _flood(self._key.messages)
        if now - self._written >= WRITE_S:
            self.settle()
        if self._before + self._used.audio_s > self._key.audio_seconds:
            return spent(self._key)
        return ""

    def settle(self) -> None:
        """Write down what was used; a ledger that cannot be written ends no conversation."""
        self._written = self._clock()
        day = today()
        try:
            self._ledger.add(self._key.name, day, self._used)
            self._used = Used()
            self._before = self._ledger.on(self._key.name, day).audio_s
        except (OSError, sqlite3.Error) as error:
            log.error("the usage of key %s cannot be written down: %s", self._key.name, error)


def paced(messages: float, receive: Receive, send: Send, clock: Callable[[], float] = time.monotonic) -> Receive:
    """The same for a client without a key, until it sends more than so many messages a second."""
    bucket = Bucket(messages, messages * BURST_S, clock())
    return _until(lambda: "" if bucket.take(clock()) else _flood(messages), "a client without a key", receive, send)


def _until(too_much: Callable[[], str], who: str, receive: Receive, send: Send) -> Receive:
    async def guarded() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and (reason := too_much()):
            log.info("%s: %s", who, reason)
            await send({"type": "websocket.close", "code": CLOSE_SPENT, "reason": reason})
            return {"type": "websocket.disconnect", "code": CLOSE_SPENT, "reason": reason}
        return message

    return guarded


def _flood(messages: float) -> str:
    return f"more than {messages:g} messages a second; send fewer, larger ones"


def guest_of(socket: WebSocket) -> Guest | None:
    """Who is at this socket; None if nobody is counted."""
    return socket.scope.get(SCOPE)


def spent(key: Key) -> str:
    """Why a key gets no more sound today."""
    return f"key {key.name} has used its {key.audio_seconds:g} s of sound of today; a new day begins at 0:00 UTC"


def today() -> str:
    """The date in UTC, as the ledger writes it."""
    return datetime.now(UTC).date().isoformat()
