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
from dataclasses import dataclass

from serve_app.gateway.keys import Key, Keys

PREFIX = "ek_"
DEFAULT_S, LONGEST_S = 60, 3600
"""How long a secret opens the door, in seconds. A conversation may last longer."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A client secret that was looked at and is good."""

    key: Key
    expires: int
    """Seconds since 1970."""
    origin: str
    """The only page that may use it; empty: any that the key allows."""


def issue(keys: Keys, key: Key, expires: int, origin: str = "") -> str:
    """A client secret for ``key``. Its letters may stand in a WebSocket subprotocol."""
    claim = json.dumps({"k": key.name, "e": expires, "o": origin, "n": secrets.token_hex(8)}, separators=(",", ":"))
    body = _text(claim.encode())
    return f"{PREFIX}{body}.{_text(_signature(keys, key, body))}"


def check(keys: Keys, secret: str, now: float) -> Ticket | None:
    """The ticket in a client secret; None if it is forged, too old, or its key is gone."""
    body, dot, signature = secret.removeprefix(PREFIX).partition(".")
    try:
        claim = json.loads(_bytes(body))
        key = keys.by_name.get(claim["k"])
        expires, origin = int(claim["e"]), str(claim["o"])
        signed = _bytes(signature)
    except (ValueError, KeyError, TypeError):
        return None
    if not dot or key is None or not hmac.compare_digest(signed, _signature(keys, key, body)):
        return None
    return Ticket(key, expires, origin) if now < expires else None


def _signature(keys: Keys, key: Key, body: str) -> bytes:
    return hmac.digest(keys.signing, f"{key.sha256}.{body}".encode(), hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
