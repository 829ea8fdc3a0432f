"""The gateway in a benchmark's own process, on a port of the loopback address that nobody has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.server import idle_clip, server_config, shared_socket
from serve_app.groups import Gateway
from serve_app.settings import Settings
from streaming.session import Stages


@asynccontextmanager
async def serving(stages: Stages, settings: Settings) -> AsyncIterator[int]:
    """The gateway with these stages; its port."""
    house = House(stages, settings.reporting_pace(), settings.driving())
    server = uvicorn.Server(server_config(build_gateway(house, idle_clip)))
    socket = shared_socket(Gateway(host="127.0.0.1", port=0))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        yield socket.getsockname()[1]
    finally:
        server.should_exit = True
        await running
