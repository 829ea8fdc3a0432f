"""The door: who may come in, from which pages, and what is said to whoever may not.

Without any key it is open, on the loopback address only, and closed to pages of other hosts. With keys everything
that speaks, writes, lists or reads a conversation asks for one; the page itself, avatars' pictures, health and metrics
do not. A client secret opens a socket and nothing else. A refusal is an HTTP status with a sentence, before a socket is
opened. guest.py counts what a guest uses.
"""

from __future__ import annotations

import ipaddress
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from serve_app.errors import UserError
from serve_app.gateway import tickets
from serve_app.gateway.guest import SCOPE, Guest, paced, spent, today
from serve_app.gateway.keys import Key, KeyFile, Keys
from serve_app.gateway.ledger import Ledger
from serve_app.gateway.tickets import Ticket
from serve_app.groups import Doorway

SECRET_PROTOCOL = "openai-insecure-api-key."
"""Before a client secret among the offered subprotocols: browsers can set no headers. It is never echoed."""

STOCK_PROTOCOL = "realtime"
"""Chosen for clients that offer it and not ours: a browser gives up if none of its offers is taken."""

FREE = Doorway().messages
"""Messages a second from whoever has no key, unless the settings say otherwise."""

ENTRY = "avatar.entry"
"""Where the entry stands in the ASGI scope."""


_NOBODY = Key("nobody", "")
_NO_KEYS = Keys(b"an open door", {_NOBODY.name: _NOBODY})
"""What secrets are signed with at an open door: they keep nobody out, they only carry a session."""


class Refusal(Exception):
    """Somebody may not come in; the message is what they are told."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status: 401 who are you, 403 not from that page, 429 too much."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who may come in."""

    keys: Keys
    key: Key | None = None
    """None at an open door."""
    ticket: Ticket | None = None
    """The client secret that was shown instead of the key."""


class Door:
    """Decides about every request, and remembers how many conversations each key holds."""

    def __init__(
        self,
        file: KeyFile | None = None,
        ledger: Ledger | None = None,
        *,
        origins: Sequence[str] = (),
        open_without_keys: bool = True,
        messages: float = FREE,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``file`` None: no keys, ever. ``origins``: pages of other hosts that everybody's browser may use.

        ``messages``: how many a second may come from a connection without a key.
        ``open_without_keys`` False: nobody comes in when the last key is taken away while others can reach us.
        """
        self._file = file
        self._origins = frozenset(origins)
        self._open = open_without_keys
        self.messages = messages
        self._sessions: Counter[str] = Counter()
        self.ledger = ledger
        self.now = now

    @classmethod
    def of(cls, wished: Doorway, host: str) -> Door:
        """The door of the settings, for a service that listens on ``host``.

        Raises UserError for an address that others can reach while nobody has a key.
        """
        file = KeyFile(Path(wished.keys) if wished.keys else None)
        at_home = _loopback(host)
        if not file.keys().by_name and not at_home:
            raise UserError(
                f"{host} can be reached from other machines, and without a key anybody could speak to the face; "
                "make one first: avatar key add NAME"
            )
        ledger = Ledger(file.path.with_name("usage.sqlite3"))
        free = wished.messages
        return cls(file, ledger, origins=wished.origins, open_without_keys=at_home, messages=free)

    @property
    def keys(self) -> Keys:
        """All keys as they are now. Raises UserError if their file cannot be read."""
        return self._file.keys() if self._file else Keys()

    def enter(self, scope: Scope) -> Entry:
        """Who is at the door. Raises Refusal."""
        try:
            keys = self.keys
        except UserError as error:
            raise Refusal(503, f"nobody can be let in: {error}") from None
        if not keys.by_name and not self._open:
            raise Refusal(401, "nobody has a key to this service any more; make one: avatar key add NAME")
        headers = Headers(scope=scope)
        entry = _known(keys, _token(headers, scope.get("subprotocols", [])), self.now())
        self._check_origin(headers, entry)
        return entry

    def _check_origin(self, headers: Headers, entry: Entry) -> None:
        """Pages may come from here, or from where the settings, the key or the secret allow it. Raises Refusal."""
        origin = headers.get("origin")
        bound = entry.ticket.origin if entry.key and entry.ticket else ""
        if bound and origin != bound:
            raise Refusal(403, f"this client secret is for pages of {bound} only")
        allowed = origin is None or (bound and origin == bound) or origin in self._origins
        if allowed or (entry.key and origin in entry.key.origins) or _same_host(headers, trusted=bool(entry.key)):
            return
        raise Refusal(
            403,
            f"pages of {origin} may not speak to this service; allow them in its settings"
            " ([door] origins, AVATAR_DOOR__ORIGINS)",
        )

    def welcomes(self, origin: str) -> bool:
        """Whether pages of another host may come in with the settings' leave, or with any key's."""
        try:
            keys = self.keys
        except UserError:
            return False
        return origin in self._origins or any(origin in key.origins for key in keys.by_name.values())

    def begin(self, entry: Entry) -> Guest | None:
        """Let a conversation begin; ``end`` must follow. None for whom nothing is counted. Raises Refusal."""
        key = entry.key
        if key is None or self.ledger is None:
            return None
        if self._sessions[key.name] >= key.sessions:
            raise Refusal(429, f"key {key.name} has its {key.sessions} conversations at once already; end one")
        try:
            used = self.ledger.on(key.name, today()).audio_s
        except (OSError, sqlite3.Error) as error:
            raise Refusal(503, f"what key {key.name} has used cannot be read: {error}") from None
        if used >= key.audio_seconds:
            raise Refusal(429, spent(key))
        self._sessions[key.name] += 1
        return Guest(key, self.ledger)

    def end(self, entry: Entry, guest: Guest) -> None:
        """The conversation is over."""
        assert entry.key is not None
        self._sessions[entry.key.name] -= 1
        guest.settle()

    def secret(
        self, entry: Entry, seconds: int, origin: str = "", session: Mapping[str, Any] | None = None
    ) -> tuple[str, int]:
        """A client secret for who came in, and when it expires, in seconds since 1970. Raises TicketTooLong."""
        expires = int(self.now()) + seconds
        keys, key = (_NO_KEYS, _NOBODY) if entry.key is None else (entry.keys, entry.key)
        return tickets.issue(keys, key, expires, origin, session), expires


class Guard:
    """ASGI middleware that puts a door before an application."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "websocket":
                await self._socket(scope, receive, send)
            elif scope["type"] == "http" and _guarded(scope["method"], scope["path"]):
                await self._app({**scope, ENTRY: _with_a_key(self._door.enter(scope))}, receive, send)
            else:
                await self._app(scope, receive, send)
        except Refusal as refusal:
            await _refuse(refusal, scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry = self._door.enter(scope)
        offered = [name for name in scope.get("subprotocols", []) if not name.startswith(SECRET_PROTOCOL)]
        scope = {**scope, ENTRY: entry, "subprotocols": offered}
        guest = self._door.begin(entry)
        if guest is None:
            counted = paced(self._door.messages, receive, send)
            await self._app(scope, counted, _choosing(send, offered))
            return
        try:
            await self._app({**scope, SCOPE: guest}, guest.receiving(receive, send), _choosing(send, offered))
        finally:
            self._door.end(entry, guest)


# ---- details -----------------------------------------------------------------------------------------------


def _guarded(method: str, path: str) -> bool:
    """Reading the page, an avatar's pictures, health and metrics needs no key; everything else does."""
    pictures = path.endswith(("/idle.mp4", "/portrait.jpg"))  # a page shows them by their address alone
    asks = path.startswith(("/v1/", "/conversation", "/voices")) or (path.startswith("/avatars") and not pictures)
    return method not in ("GET", "HEAD") or asks


def _with_a_key(entry: Entry) -> Entry:
    """Who asks over HTTP: a visitor's secret would open what everybody said, and erase it. Raises Refusal."""
    if entry.key is not None and entry.ticket is not None:
        raise Refusal(403, "a client secret opens a conversation only; use the key itself for this")
    return entry


def _token(headers: Headers, offered: Sequence[str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return next((name.removeprefix(SECRET_PROTOCOL) for name in offered if name.startswith(SECRET_PROTOCOL)), "")


def _known(keys: Keys, token: str, now: float) -> Entry:
    """Whose key or client secret this is. Raises Refusal."""
    if not keys.by_name:
        return Entry(keys, ticket=tickets.check(_NO_KEYS, token, now))
    if not token:
        raise Refusal(401, "this service asks for a key; send it as `Authorization: Bearer KEY`")
    if token.startswith(tickets.PREFIX):
        ticket = tickets.check(keys, token, now)
        if ticket is None:
            raise Refusal(401, "this client secret is wrong or too old; ask for a new one and connect at once")
        return Entry(keys, ticket.key, ticket)
    key = keys.of(token)
    if key is None:
        raise Refusal(
            401, "this key is not known here; `avatar key list` on the service's machine names those that are"
        )
    return Entry(keys, key)


def _same_host(headers: Headers, *, trusted: bool) -> bool:
    """True if a page is from the host that it speaks to.

    Without keys (not ``trusted``) that host must be this machine by its own names: any other name may be a foreign
    page's, made to point here after it was loaded.
    """
    host = headers.get("host", "")
    try:
        page, name = urlsplit(headers.get("origin", "")).netloc, urlsplit(f"//{host}").hostname or ""
    except ValueError:  # neither is an address
        return False
    return page == host and (trusted or _loopback(name))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _choosing(send: Send, offered: Sequence[str]) -> Send:
    """Take a stock client's own offer where the application takes none."""
    if STOCK_PROTOCOL not in offered:
        return send

    async def chosen(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": STOCK_PROTOCOL}
        await send(message)

    return chosen


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": str(refusal)[:120]})
        return
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    await JSONResponse({"detail": str(refusal)}, refusal.status, headers)(scope, receive, send)


def session_of(socket: WebSocket) -> Mapping[str, Any]:
    """The session that was given for the client's secret, if it came with one."""
    entry: Entry | None = socket.scope.get(ENTRY)
    return entry.ticket.session if entry and entry.ticket else {}
