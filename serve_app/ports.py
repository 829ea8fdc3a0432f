"""Ports of this machine's loopback address that nobody has. It knows nothing of who will listen there."""

from __future__ import annotations

import socket
from contextlib import suppress

from serve_app.errors import UserError


def free_port(preferred: int = 0) -> int:
    """``preferred`` if nobody has it now, else any other; until it is bound somebody may take it. Raises UserError."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise UserError("no port is free on this machine")
