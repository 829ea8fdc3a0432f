"""What waits to be sent to one client: in order, except that an interruption overtakes and empties the media.

The conversation must never wait for a network. A client that does not read fills its outbox and is told to
come back, instead of being served stale sound.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from serve_app.gateway.ladder import Told
from streaming.commands import Audio, Cancel, Frames, Hold, Kept, Show
from streaming.session import ClientOrder

OUTBOX = 600
"""Orders that may wait: about 10 s of one reply's sound and pictures, ten times the send lead."""

TOGETHER = 50
"""Orders that are taken at once, at most..."""
MEDIA_TOGETHER = 5
"""...and how many of them have sound or pictures: of those an interruption should find most still waiting."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages that a client did not get, as they were."""

    messages: tuple[str, ...]


class OutboxFull(RuntimeError):
    """The client does not read what it is sent."""


class Outbox:
    """A bounded queue with one taker."""

    def __init__(self, size: int = OUTBOX) -> None:
        self._size = size
        self._waiting: deque[ClientOrder | Told | Missed] = deque()
        self._news = asyncio.Event()
        self._asked = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, order: ClientOrder | Told | Missed) -> None:
        """Add an order, or an event that was made for it. Raises OutboxFull if the client is not reading."""
        if len(self._waiting) >= self._size:
            raise OutboxFull(f"the client left {self._size} messages unread")
        if isinstance(order, Hold):
            self._waiting.appendleft(order)
        elif isinstance(order, Cancel):
            self._waiting = deque(kept for kept in self._waiting if not _is_media(kept, order.turn))
            self._waiting.appendleft(order)
        else:
            self._waiting.append(order)
        self._news.set()

    def owe(self, order: ClientOrder | Told) -> None:
        """Add what was ordered before this client came back. It has not had the chance to read it, and there is as much
        room as ever for what comes after it.
        """
        self._size += 1
        self.put(order)

    async def take(self) -> list[ClientOrder | Told | Missed]:
        """What waits, in order; waits for something.

        What is taken together is stored together: a text of forty pieces must not hold its sound back until the store
        has answered forty times.
        """
        while not self._waiting:
            self._asked = True
            self._news.clear()
            await self._news.wait()
        self._asked = False
        taken, media = list[ClientOrder | Told | Missed](), 0
        while self._waiting and len(taken) < TOGETHER and media < MEDIA_TOGETHER:
            taken.append(self._waiting.popleft())
            media += _is_media(taken[-1])
        return taken

    @property
    def done(self) -> bool:
        """True if nothing waits, and whoever takes has done with what it took: it asked for more."""
        return self._asked and not self._waiting


def _is_media(order: ClientOrder | Told | Missed, turn: int | None = None) -> bool:
    """Whether it has sound or pictures, and of that reply if one is named."""
    if not isinstance(order, Show) or not isinstance(order.message, Audio | Frames | Kept):
        return False
    return turn is None or order.message.turn == turn
