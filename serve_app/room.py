"""How many conversations the service has room for: the one number by which gateways let people in and stages grow.

A replica of a stage carries so many (``ray.NAME.sessions``), whichever way they are counted: the stage with the least
room decides, and a stage asks for another replica before that room is full (scaling.py). Each gateway takes its part.
Where the number of replicas follows the load, the room follows the replicas. This file knows no Ray: who knows what
runs is handed to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from serve_app.app import choices
from serve_app.groups import Share
from serve_app.settings import Settings

EVERY_S = 2.0
"""Between two looks at what runs: models load for minutes, and a look asks Serve's controller."""

Counted = Callable[[], Mapping[str, int] | None]
"""Replicas that run, by application; None if nobody knows. It may block."""


def carrying(settings: Settings) -> dict[str, Share]:
    """The shares of the stages that are served and say how many conversations a replica carries."""
    served = {*choices(settings), "gpu"}
    shares = {name: settings.ray.share(name) for name in settings.ray.deployed() if name in served}
    return {name: share for name, share in shares.items() if share.sessions}


def room(settings: Settings, replicas: Callable[[str], int]) -> int:
    """Conversations that so many replicas carry; 0 if no stage says what it carries.

    A stage without a replica counts as one: whoever comes first wakes it.
    """
    rooms = [max(replicas(name), 1) * share.sessions for name, share in carrying(settings).items()]
    return min(rooms, default=0)


def part(settings: Settings, replicas: Callable[[str], int]) -> int:
    """What each gateway takes of it, bounded by ``gateway.sessions``; 0 is no limit."""
    each, own = share(room(settings, replicas), max(replicas("gateway"), 1)), settings.gateway.sessions
    return min(each, own) if each and own else each or own


def share(whole: int, gateways: int) -> int:
    """The part of one of so many gateways; 0 is no limit.

    At least one, so more gateways than places let in one too many rather than nobody.
    """
    return max(whole // gateways, 1) if whole else 0


def alone(settings: Settings) -> int:
    """The limit of a gateway whose stages are in its own process: one of each."""
    return part(settings, lambda name: 1)


def elastic(settings: Settings) -> bool:
    """Whether the room changes while the service runs."""
    carry = carrying(settings)
    counted = [*carry.values(), settings.ray.gateway] if carry else []
    return any(share.most for share in counted)


class Room:
    """Keeps a gateway's limit at its part of the room."""

    def __init__(self, settings: Settings, limit: Callable[[int], None], counted: Counted) -> None:
        """``limit`` is told how many conversations there may be, now and whenever somebody looks."""
        self._settings, self._limit, self._counted = settings, limit, counted
        limit(part(settings, lambda name: settings.ray.share(name).replicas))

    async def look(self) -> None:
        """Take what runs now for the room; while nobody knows, it stays as it was."""
        running = await asyncio.to_thread(self._counted)
        if running is not None:
            self._limit(part(self._settings, lambda name: running.get(name, 0)))

    async def watch(self) -> None:
        """Look again and again; returns at once where nothing changes."""
        while elastic(self._settings):
            await self.look()
            await asyncio.sleep(EVERY_S)
