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
PICTURES, SOUNDS = 25, 10
"""Due a second."""
TRIES = 3
CALM = 0.03
"""Share of time without a core up to which a machine counts as free: one's own work takes it for less than that."""
KEPT = 0.94
"""Least share of what is due that must arrive for a measurement to count."""


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
    up: Sequence[float]
    """Milliseconds from a client's send to the listener's answer; empty where sound is resampled on its way."""
    down: Sequence[float]
    """Milliseconds from a picture's making to the client's receipt."""
    pictures: float
    """A second, of each session."""
    sounds: float
    starved: float = 0.0
    """Share of the time in which the gateway's loop, or this process, waited for a core that something else had."""

    @property
    def whole(self) -> bool:
        """True if the sessions got all that was due: a starved server sends less, in batches, and looks cheap."""
        return min(self.pictures / PICTURES, self.sounds / SOUNDS) >= KEPT


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
        # Such clients send 24 kHz: half as much again for the same 20 ms.
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


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Seconds since anything: the wall's, the gateway's CPU time, and the waits for a core of its loop and of ours."""

    wall: float
    cpu: float
    theirs: float
    ours: float

    @classmethod
    def of(cls, pid: int) -> _Clocks:
        waits = [int(Path(f"/proc/{one}/schedstat").read_text().split()[1]) / 1e9 for one in (pid, os.getpid())]
        return cls(time.monotonic(), cpu_seconds(Path(f"/proc/{pid}/stat").read_text()), *waits)


async def carried(load: Load) -> Carried:
    """Put the load on a fresh gateway, let it settle, and measure."""
    async with _hosted(load.listener) as host:
        clients = [_Client(load, k) for k in range(load.sessions)]
        tasks = [asyncio.create_task(client.live(host.url)) for client in clients]
        try:
            await asyncio.sleep(SETTLE_S)
            before = _Clocks.of(host.pid)
            _let(clients, timing=True)
            await asyncio.sleep(TIMED_S)
            after = _Clocks.of(host.pid)
            _let(clients, timing=False)
            for task in tasks:
                if task.done():
                    raise UserError(f"a session ended in mid-measurement: {task.exception() or 'it was closed'}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    took = after.wall - before.wall
    each = load.sessions * took
    return Carried(
        load,
        each / (after.cpu - before.cpu),
        host.up,
        [value for client in clients for value in client.down],
        sum(client.pictures for client in clients) / each,
        sum(client.sounds for client in clients) / each,
        max(after.theirs - before.theirs, after.ours - before.ours) / took,
    )


def _let(clients: Sequence[_Client], *, timing: bool) -> None:
    for client in clients:
        client.timing = timing


@dataclass(frozen=True, slots=True)
class Promise:
    """What a kind of load must cost at most; latencies count at half of the sessions that one CPU must carry."""

    name: str
    least: int
    """Sessions a CPU-second."""
    listener: str


PROMISES = (Promise("listener stubbed", 60, "stub"), Promise("Silero for all in one call", 35, "silero"))
ADDED_MS = 20.0
JSON = Load("JSON and base64, listener stubbed", 20, binary=False)


async def calmest(load: Load) -> Carried:
    """The same load until the machine had no other work, at most ``TRIES`` times; the calmest counts."""
    best: Carried | None = None
    for _ in range(TRIES):
        found = await carried(load)
        best = found if best is None or found.starved < best.starved else best
        if best.starved <= CALM:
            break
    assert best is not None
    return best


async def gateway(*, quick: bool = False) -> Result:
    """The table of what the gateway carries: each promise at half its sessions and at all, then JSON without one."""
    rows: list[tuple[str, ...]] = []
    bars: list[Bar] = []
    for promise in PROMISES:
        half = await calmest(Load(promise.name, -(-promise.least // 2), promise.listener))
        rows.append(row_of(half))
        bars += bars_of(promise, half)
        if not quick:
            rows.append(row_of(await carried(Load(promise.name, promise.least, promise.listener))))
    rows.append(row_of(await carried(JSON)))
    notes = (
        f"{TIMED_S:g} s each, {SETTLE_S:g} s after the clients came; bars are of the smaller load, where a session "
        "costs more and a message does not wait for others; ms are p50 / p99",
        "up: from a client's send of a packet to the listener's answer; down: from a picture's making to the client's "
        "receipt, with the client's own lateness; starved: share of the time in which gateway or clients waited for a "
        f"core; above {CALM:.0%} the smaller loads are tried again, {TRIES} times at most, and the calmest counts",
    )
    return Result("gateway", HEADER, tuple(rows), tuple(bars), notes)


HEADER = ("load", "sessions", "a CPU-second", "pictures/s", "sounds/s", "up ms", "down ms", "starved")


def bars_of(promise: Promise, half: Carried) -> list[Bar]:
    """Whether the promise holds. A load that was not carried whole carries nothing."""
    name, rate = promise.name, half.sessions_per_cpu_s if half.whole else 0.0
    bars = [Bar(f"{name}, sessions a CPU-second", rate, promise.least, "sessions", least=True)]
    for way, values in (("microphone to listener", half.up), ("picture to client", half.down)):
        late = float(np.percentile(values, 99)) if half.whole else float("inf")
        bars.append(Bar(f"{name}, {half.load.sessions} sessions, {way}, p99", late, ADDED_MS, "ms"))
    return bars


def row_of(one: Carried) -> tuple[str, ...]:
    """The load's row in the table."""
    return (
        one.load.name,
        str(one.load.sessions),
        f"{one.sessions_per_cpu_s:.0f}" if one.whole else "not carried whole",
        f"{one.pictures:.1f}",
        f"{one.sounds:.1f}",
        _ms(one.up),
        _ms(one.down),
        f"{one.starved:.1%}",
    )


def _ms(values: Sequence[float]) -> str:
    return "{:.1f} / {:.1f}".format(*np.percentile(values, [50, 99])) if values else "-"
