"""The gateway as a Serve deployment: a web server of its own in every replica, all on one port.

Media never passes through Serve's proxy. SO_REUSEPORT lets replicas, and the old and the new version during a
rollout, listen side by side. Serve awaits ``__del__`` when it stops a replica: that is the signal to drain. This file
knows no message of the wire.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split
import asyncio
import logging
import uuid
from contextlib import AsyncExitStack

import uvicorn
from ray import serve

from actors.handles import replicas
from actors.lines import OURS, write
from actors.measuring import Measures
from serve_app.app import remote_stages
from serve_app.gateway.admission import Admission, Limits
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door
from serve_app.gateway.house import House
from serve_app.gateway.server import idle_clip, server_config, shared_socket
from serve_app.instruments import RayInstruments
from serve_app.keeper import archive
from serve_app.persona import cast_of
from serve_app.room import Room
from serve_app.scaling import PEOPLE, TURNED_AWAY
from serve_app.settings import Settings
from serve_app.traces import usable

log = logging.getLogger(__name__)

STARTED_S = 10.0
_POLL_S = 0.02


class GatewayReplica:
    """One replica: a socket, a server, and the stages behind handles."""

    _server: uvicorn.Server | None = None

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]  # Serve awaits it
        """Listen.

        Raises OSError if the port is taken by somebody else, RuntimeError if the server does not start, StoreError if
        the conversation store cannot be opened, UserError if others could reach it without a key or a persona is wrong.
        """
        write(settings.log.format, *OURS)
        door = Door.of(settings.door, settings.gateway.host)
        self._open = AsyncExitStack()
        kept = await self._open.enter_async_context(archive(settings.store, owner=f"replica {uuid.uuid4().hex}"))
        self._drain_s = settings.gateway.drain_s
        stages, instruments = remote_stages(settings), RayInstruments()
        self._measures = Measures(instruments.record, [stages.listener])
        limits = Limits(speaking=settings.gateway.speaking, late=settings.gateway.late)
        admission = Admission(instruments, limits)
        room = Room(settings, admission.limit, replicas)
        house = self._house = House(
            stages,
            settings.reporting_pace(),
            settings.driving(),
            admission,
            archive=kept,
            cast=cast_of(settings),
            tracing=usable(settings.tracing.endpoint),
            about=settings.about(),
            counts=settings.gateway.counts,
        )
        server = uvicorn.Server(server_config(build_gateway(house, idle_clip, door, settings.tts.engine)))
        self._serving = asyncio.create_task(server.serve(sockets=[shared_socket(settings.gateway)]), name="gateway")
        async with asyncio.timeout(STARTED_S):
            while not server.started:
                self.check_health()
                await asyncio.sleep(_POLL_S)
        self._watching = asyncio.create_task(room.watch(), name="room")
        self._open.callback(self._watching.cancel)
        self._server = server

    def check_health(self) -> None:
        """Raise if the web server has ended; Serve then replaces this replica."""
        self._measures.tell()
        if self._serving.done():
            raise RuntimeError("the gateway's web server has ended") from self._serving.exception()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policies: open connections, places taken, and those turned away lately."""
        admission = self._house.admission
        return {
            "load": float(len(self._server.server_state.connections)) if self._server else 0.0,
            PEOPLE: float(admission.taken),
            TURNED_AWAY: float(admission.turned_away),
        }

    async def __del__(self) -> None:  # type: ignore[misc]  # Serve awaits it
        """Take no new client, let each go when its reply is over, then end. A half-made replica has no server."""
        server, self._server = self._server, None
        if server is None:
            return
        for listener in server.servers:
            listener.close()
        self._house.leaving.begin()
        try:
            async with asyncio.timeout(self._drain_s):
                while server.server_state.connections:  # noqa: ASYNC110  # uvicorn tells nobody
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            log.info("gateway: %d connections are closed with 1012", len(server.server_state.connections))
        server.should_exit = True
        await self._serving
        await self._open.aclose()


deployment = serve.deployment(GatewayReplica, name="gateway")
