"""A network that can be hindered: a TCP proxy that holds bytes back, swallows them, or hangs up when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65_536


class Hindrance:
    """The network between one service and whoever comes through ``url``."""

    def __init__(self, port: int) -> None:
        """``port`` of the service on the loopback address."""
        self._port = port
        self._open = asyncio.Event()
        self._open.set()
        self._deaf: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def hold(self, seconds: float) -> None:
        """Nothing passes for so long; then everything does."""
        self._open.clear()
        await asyncio.sleep(seconds)
        self._open.set()

    def deafen(self) -> None:
        """What the connections of now carry is lost from now on, and neither end is told; new ones are good."""
        self._deaf |= self._writers

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            near, far = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far}
        self._tasks |= {asyncio.create_task(self._carry(*way)) for way in ((reader, far), (near, writer))}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if writer not in self._deaf:
                    writer.write(data)
                    await writer.drain()
        if writer not in self._deaf:
            writer.close()

    async def close(self) -> None:
        """Hang up on everybody."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


@asynccontextmanager
async def hindered(port: int) -> AsyncIterator[Hindrance]:
    """A proxy before the service on this port."""
    network = Hindrance(port)
    server = await asyncio.start_server(network._connected, "127.0.0.1", 0)
    network.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield network
    finally:
        server.close()
        await network.close()
