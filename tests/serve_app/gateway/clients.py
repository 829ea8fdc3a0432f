"""A client's side of the wire without a socket: what it sends, and what it is told, read back."""

from __future__ import annotations

import json
from typing import Any

from serve_app.gateway.conduct import Conduct
from serve_app.gateway.ladder import Told
from serve_app.gateway.reading import Answer, Incoming
from serve_app.gateway.wire import Outgoing
from streaming.media import Unit, unpack
from streaming.session import ClientOrder
from tests.stubs import AVATAR


class Client:
    """One client, its wishes and its items."""

    def __init__(self, *, own: bool = False, beta: bool = False) -> None:
        self.conduct = Conduct("sess_1", AVATAR, own=own)
        self.incoming = Incoming(self.conduct)
        self.outgoing = Outgoing(self.conduct, clock_ms=lambda: 7, beta=beta)

    def sends(self, kind: str, **fields: Any) -> list[Answer]:
        """What a message leads to."""
        return self.incoming.of(json.dumps({"type": kind, **fields}))

    def told(self, *orders: ClientOrder | Told) -> list[dict[str, Any]]:
        """The events that tell of these orders."""
        return [message for message in self.all_told(*orders) if isinstance(message, dict)]

    def all_told(self, *orders: ClientOrder | Told) -> list[dict[str, Any] | Unit]:
        """The same, with media."""
        messages = [message for order in orders for message in self.outgoing.of(order)]
        return [json.loads(m) if isinstance(m, str) else unpack(m) for m in messages]

    def kinds(self, *orders: ClientOrder | Told) -> list[str]:
        """The names of the events."""
        return [message["type"] for message in self.told(*orders)]
