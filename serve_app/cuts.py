"""How the SDK's connections end: with which codes, what these mean, and which are worth another attempt."""

from __future__ import annotations

from dataclasses import dataclass

from websockets.exceptions import ConnectionClosed

LOST = 1006
"""Of a connection that ended without a word."""
CUT = (1001, 1005, LOST, 1011, 1012, 4008)
"""Close codes after which it is worth while to come back."""

MEANING = {
    1001: "the service is going away; connect again",
    LOST: "the connection was lost without a word; look at the network, or at the service's log",
    1009: "a message was larger than the service takes; send less at once",
    1011: "the session broke on the service's side; its log says why; connect again",
    1012: "the service restarts; connect again",
    1013: "the service is full; try again in a while",
    4008: "this client did not read what it was sent; read units as they come, and connect again",
    4029: "more was sent than this client may; send less",
}
"""What the codes of a closed connection mean; docs/protocol.md lists them."""


class AvatarError(Exception):
    """The conversation cannot begin or go on; the message is one sentence that says what to do."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        """Close code of the socket or HTTP status of its refusal; None if the service was not reached."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A connection that was cut, and replaced by another one."""

    code: int
    """With which it was closed; 1006: without a word."""
    cut: float
    mended: float
    """When, by ``time.monotonic``."""


def code_of(closed: ConnectionClosed) -> int:
    """The close code that was received."""
    return closed.rcvd.code if closed.rcvd else LOST


def gone(closed: ConnectionClosed) -> AvatarError:
    """What whoever talks is told of it."""
    code, reason = code_of(closed), closed.rcvd.reason if closed.rcvd else ""
    meaning = MEANING.get(code) or reason or "the connection was closed"
    return AvatarError(f"{meaning} (close code {code}{f': {reason}' if reason and reason != meaning else ''})", code)
