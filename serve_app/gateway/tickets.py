"""Client secrets: what a page gets instead of a key, for it could not keep one. Signed, short-lived, bound to a key.

A secret says by itself whose it is and until when; nothing is stored, and any replica can check it. It dies with its
key, for the key's hash is signed too. This file knows no socket and no clock: times are seconds since 1970.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serve_app.gateway.keys import Key, Keys

PREFIX = "ek_"
DEFAULT_S, LONGEST_S = 60, 3600
"""How long a secret opens the door, in seconds. A conversation may last longer."""

LONGEST = 6_000
"""Characters of a secret's body: with it a header stays below the 8 kB that web servers take."""
UNPACKED = 2**20
"""Bytes of a claim at most."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A client secret that was looked at and is good."""

    key: Key
    expires: int
    """Seconds since 1970."""
    origin: str
    """The only page that may use it; empty: any that the key allows."""
    session: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The first ``session.update`` of whoever uses it."""


class TicketTooLong(ValueError):
    """The secret would not fit into a header; the message says what to do."""


def issue(keys: Keys, key: Key, expires: int, origin: str = "", session: Mapping[str, Any] | None = None) -> str:
    """A client secret for ``key``. Its letters may stand in a WebSocket subprotocol.

    The ``session`` travels in it, packed but not hidden: whoever has the secret can read it. Raises TicketTooLong.
    """
    claim = {"k": key.name, "e": expires, "o": origin, "n": secrets.token_hex(8), "s": dict(session or {})}
    body = _text(zlib.compress(json.dumps(claim, separators=(",", ":")).encode(), 9))
    if len(body) > LONGEST:
        raise TicketTooLong(
            f"the session takes {len(body):,} characters of a client secret, and {LONGEST:,} fit into a header;"
            " shorten it, put it into a persona, or send the rest by session.update"
        )
    return f"{PREFIX}{body}.{_text(_signature(keys, key, body))}"


def check(keys: Keys, secret: str, now: float) -> Ticket | None:
    """The ticket in a client secret; None if it is forged, too old, or its key is gone."""
    body, dot, signature = secret.removeprefix(PREFIX).partition(".")
    try:
        claim = json.loads(_unpacked(_bytes(body)))
        key = keys.by_name.get(claim["k"])
        expires, origin, session = int(claim["e"]), str(claim["o"]), dict(claim["s"])
        signed = _bytes(signature)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):  # whoever forges it writes what he likes
        return None
    if not dot or key is None or not hmac.compare_digest(signed, _signature(keys, key, body)):
        return None
    return Ticket(key, expires, origin, session) if now < expires else None


def _signature(keys: Keys, key: Key, body: str) -> bytes:
    return hmac.digest(keys.signing, f"{key.sha256}.{body}".encode(), hashlib.sha256)


def _unpacked(data: bytes) -> bytes:
    """The claim; a forged one may claim to be large. Raises ValueError."""
    unpacking = zlib.decompressobj()
    try:
        return unpacking.decompress(data, UNPACKED)
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
