"""A client's text message as an object, without what JSON allows and a conversation cannot hold.

A message that counts is stored, shown again and read back after a cut. What would break there is refused here, at the
door, where one sentence to the client is all that comes of it. This file knows no event.
"""

from __future__ import annotations

import json
import math
from typing import Any

from serve_app.gateway.wishes import ClientError

DEEPEST = 100
"""Objects and lists within each other: three times as deep as schemas of functions go. Python reads and writes JSON
recursively, so that what came in could be too deep to go out."""
VALUES_MOST = 50_000
"""Values of one message: 128 functions have fewer, and to look at as many takes about 10 ms."""
NUMBER_MOST = 2**64
"""A whole number is smaller: schemas name the limits of 64 bits, and one of any length is no float any more."""


def parsed(sent: str) -> dict[str, Any]:
    """The object. Raises ClientError if it is none."""
    try:
        event = json.loads(sent)
    except (ValueError, RecursionError) as error:  # a ValueError also for a number of thousands of digits
        raise ClientError("invalid_json", f"a text message is one JSON object: {error}") from None
    if not isinstance(event, dict):
        raise ClientError("invalid_json", f"a text message is one JSON object, not {type(event).__name__}")
    return event


def check_plain(event: dict[str, Any]) -> None:
    """Raise ValueError, one sentence, for what no store, clock or other reader of JSON could take."""
    waiting: list[tuple[Any, int]] = [(event, 1)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            seen += len(value)
            if depth > DEEPEST:
                raise ValueError(f"objects and lists may be {DEEPEST} deep within each other; send flatter ones")
            if seen > VALUES_MOST:
                raise ValueError(f"a message may have {VALUES_MOST:,} values; send less at once")
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            waiting += [(one, depth + 1) for one in inner]
        elif isinstance(value, str):
            _check_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is no number in JSON; send a finite one")
        elif isinstance(value, int) and abs(value) >= NUMBER_MOST:
            raise ValueError("a number has more than 64 bits; send a smaller one")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a surrogate pair; send whole characters") from None
    if "\0" in text:
        raise ValueError("a text holds the character NUL; leave it out")
