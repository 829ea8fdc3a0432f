"""The real gateway with given stages on a free loopback port, in the event loop of the test that asks for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from serve_app.gateway.server import server_config


@asynccontextmanager
async def serving(application: FastAPI) -> AsyncIterator[str]:
    """The application's ``ws://HOST:PORT``, served for as long as the block lasts."""
    server = uvicorn.Server(server_config(application))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]), name="server")
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0)
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
