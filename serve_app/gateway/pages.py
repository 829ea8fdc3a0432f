"""Pages of other hosts: which of them a browser lets read our answers.

The door decides who may come in; this only tells browsers the same, before they ask (CORS). Cookies are never taken.
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from serve_app.gateway.auth import Door

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Pages(CORSMiddleware):
    """ASGI middleware; it must be outside of the door, so that a page can read why it is refused, too."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        super().__init__(app, allow_methods=METHODS, allow_headers=("Authorization",))
        self._door = door

    def is_allowed_origin(self, origin: str) -> bool:
        """Asked before the request with the key is made: enough that somebody may come from there."""
        return self._door.welcomes(origin)
