"""How many sessions a second of the gateway's CPU carries, and what it adds to the way of a message.

The gateway runs in a process of its own (``host.py``) and only that process's CPU time counts, system time included.
All clients live in this process: each sends a microphone packet every 20 ms and its playhead four times a second, and
receives a reply that does not end. Their own lateness is in the latencies.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import websockets

from serve_app.bench.host import STAMP
from serve_app.bench.table import Bar, Result
from serve_app.errors import UserError
from serve_app.gateway.wire import SUBPROTOCOL
from streaming.media import HEADER_BYTES, MIC_RATE, RATE, Flag, Kind, Unit, pack

PACKET = MIC_RATE // 50
REPORTS = 12
"""Packets between two reports of the playhead: about 250 ms."""
SETTLE_S = 2.5
"""From the first session's first word to the measurement: all replies are under way then, their lead is sent."""
TIMED_S = 6.0
START_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is put on the gateway."""

    name: str
    sessions: int
    listener: str = "stub"
    binary: bool = True
    """False: everything as JSON and base64, without the subprotocol."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What it took."""

    load: Load
    sessions_per_cpu_s: float
    up: list[float]
    """Milliseconds from a client's send to the listener's answer."""
    down: list[float]
    """Milliseconds from a picture's making to the client's receipt."""
    pictures: float
    """A second, of each session."""
    sounds: float


@dataclass(slots=True)
class _Client:
    """One session."""

    load: Load
    number: int
    timing: bool = False
    pictures: int = 0
    sounds: int = 0
    down: list[float] = field(default_factory=list[float])
    playing: float | None = None
    turn: int = 0

    async def live(self, url: str) -> None:
        """Ask, then talk and listen until cancelled."""
        protocols = [websockets.Subprotocol(SUBPROTOCOL)] if self.load.binary else None
        async with websockets.connect(url, subprotocols=protocols, compression=None, close_timeout=0.2) as socket:
            await socket.send(json.dumps(_CHOICE))
            for event in _QUESTION:
                await socket.send(json.dumps(event))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(socket))
                tasks.create_task(self._talk(socket))

    async def _talk(self, socket: websockets.ClientConnection) -> None:
        """A packet every 20 ms, each session at another moment of them."""
        noise = np.random.default_rng(self.number)
        room = [noise.normal(0, 3, PACKET).astype("<i2").tobytes()[STAMP.size :] for _ in range(8)]
        begun = time.monotonic() + self.number * 0.02 * 0.618 % 0.02
        k = 0
        while True:
            await asyncio.sleep(max(begun + k * 0.02 - time.monotonic(), 0))
            sound = STAMP.pack(time.monotonic_ns() * self.timing) + room[k % 8]
            await socket.send(self._packet(sound, k))
            k += 1
            if self.load.binary and k % REPORTS == 0 and self.playing is not None:
                pts = round((time.monotonic() - self.playing) * RATE)
                await socket.send(f'{{"type":"avatar.playhead","turn":{self.turn},"pts":{pts}}}')

    def _packet(self, sound: bytes, k: int) -> str | bytes:
        if self.load.binary:
            return pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, k, k * PACKET, 0, sound))
        return f'{{"type":"input_audio_buffer.append","audio":"{base64.b64encode(sound + sound[:320]).decode()}"}}'

    async def _listen(self, socket: websockets.ClientConnection) -> None:
        async for message in socket:
            if isinstance(message, bytes):
                if message[0] == Kind.VIDEO:
                    self._saw(message[HEADER_BYTES : HEADER_BYTES + STAMP.size])
                elif message[0] == Kind.AUDIO:
                    self.turn = int.from_bytes(message[2:4], "little")
                    self._heard()
            elif message.startswith('{"type":"avatar.video.delta"'):
                at = message.rindex('"delta":"') + 9
                self._saw(base64.b64decode(message[at : at + 12])[: STAMP.size])
            elif message.startswith('{"type":"response.output_audio.delta"'):
                self._heard()
            elif message.startswith('{"type":"error"'):
                raise UserError(f"the gateway refuses the measurement: {message}")

    def _saw(self, stamp: bytes) -> None:
        if self.timing:
            self.pictures += 1
            self.down.append((time.monotonic_ns() - STAMP.unpack(stamp)[0]) / 1e6)

    def _heard(self) -> None:
        self.playing = time.monotonic() if self.playing is None else self.playing
        self.sounds += self.timing


_CHOICE = {"type": "session.update", "session": {"type": "realtime", "avatar": {"video": {"codec": "h264"}}}}
_QUESTION = (
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Speak."}]},
    },
    {"type": "response.create"},
)


@dataclass(slots=True)
class _Host:
    pid: int
    url: str
    up: list[float] = field(default_factory=list[float])


@asynccontextmanager
async def _hosted(listener: str) -> AsyncIterator[_Host]:
    """The gateway's process. What it timed is known once the block is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "serve_app.bench.host", listener),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            port = (await process.stdout.readline()).decode().strip()
        if not port:
            raise UserError("the gateway's process ended before it listened; what it said stands above")
        host = _Host(process.pid, f"ws://127.0.0.1:{port}/v1/realtime")
        yield host
        said, _ = await process.communicate(b"")  # its standard input ends
        host.up += json.loads(said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def cpu_seconds(stat: str) -> float:
    """User and system time of all threads, out of the text of ``/proc/PID/stat``; a name may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def carried(load: Load) -> Carried:
    """Put the load on a fresh gateway, let it settle, and measure."""
    async with _hosted(load.listener) as host:
        clients = [_Client(load, k) for k in range(load.sessions)]
        tasks = [asyncio.create_task(client.live(host.url)) for client in clients]
        try:
            await asyncio.sleep(SETTLE_S)
            stat = Path(f"/proc/{host.pid}/stat")
            for client in clients:
                client.timing = True
            begun, spent = time.monotonic(), cpu_seconds(stat.read_text())
            await asyncio.sleep(TIMED_S)
            took, spent = time.monotonic() - begun, cpu_seconds(stat.read_text()) - spent
            for client in clients:
                client.timing = False
            for task in tasks:
                if task.done():
                    task.result()
                    raise UserError("a session ended in mid-measurement; what the gateway said stands above")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    each = load.sessions * took
    return Carried(
        load,
        load.sessions * took / spent,
        host.up,
        [value for client in clients for value in client.down],
        sum(client.pictures for client in clients) / each,
        sum(client.sounds for client in clients) / each,
    )


LOADS = (
    Load("listener stubbed", 60),
    Load("listener stubbed, half", 30),
    Load("Silero", 35, "silero"),
    Load("Silero, half", 18, "silero"),
    Load("JSON and base64, listener stubbed", 20, binary=False),
)


async def gateway(*, quick: bool = False) -> Result:
    """The table of what the gateway carries. Half loads are for the latencies: a full one waits for itself."""
    del quick
    found = [await carried(load) for load in LOADS]
    rows = tuple(_row(one) for one in found)
    return Result("gateway", HEADER, rows)


HEADER = ("load", "sessions", "sessions per CPU-second", "pictures/s", "sounds/s", "up p50", "up p99", "down p50", "down p99")


def _row(one: Carried) -> tuple[str, ...]:
    return (
        one.load.name,
        str(one.load.sessions),
        f"{one.sessions_per_cpu_s:.0f}",
        f"{one.pictures:.1f}",
        f"{one.sounds:.1f}",
        *_ms(one.up),
        *_ms(one.down),
    )


def _ms(values: Sequence[float]) -> tuple[str, str]:
    if not values:
        return "-", "-"
    p50, p99 = np.percentile(values, [50, 99])
    return f"{p50:.1f} ms", f"{p99:.1f} ms"
