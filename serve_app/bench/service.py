"""The service as it is started: how long until it is ready, and how much memory it holds after a turn."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import websockets

from serve_app.bench.questions import ask_with
from serve_app.bench.table import Bar, Result
from serve_app.errors import UserError
from serve_app.gateway.wire import SUBPROTOCOL
from streaming.media import Flag, Kind, Unit, pack
from streaming.stages import Voice

START_S = 120.0
TURN_S = 60.0


@dataclass(frozen=True, slots=True)
class _Service:
    pid: int
    url: str
    ready_s: float


@asynccontextmanager
async def _running(*arguments: str) -> AsyncIterator[_Service]:
    """`avatar run` in a process of its own. Raises UserError with its last words if it does not become ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begun = time.monotonic()
    run = "from serve_app.cli import main; raise SystemExit(main())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", run, "run", "--port", str(port), *arguments),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "AVATAR_DOOR__KEYS": os.devnull},  # the keys of whoever measures are not asked for
    )
    assert process.stderr is not None
    said = ""
    try:
        async with asyncio.timeout(START_S):
            while not (found := re.search(r"ready: (http\S+)", said)):
                line = (await process.stderr.readline()).decode()
                if not line:
                    raise UserError(f"the service ended before it was ready: {said.strip().splitlines()[-1:]}")
                said = line
        drain = asyncio.create_task(process.stderr.read())
        yield _Service(process.pid, found[1], time.monotonic() - begun)
        drain.cancel()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _turn(service: _Service, pcm16k: bytes) -> None:
    """One spoken turn over the socket, push-to-talk, heard to its end."""
    url = service.url.replace("http", "ws", 1) + "/v1/realtime"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol(SUBPROTOCOL)]) as client:
        await client.send('{"type":"avatar.press"}')
        for at in range(0, len(pcm16k) // 2, 320):
            block = pcm16k[at * 2 : at * 2 + 640]
            await client.send(pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, at, 0, block)))
        await client.send('{"type":"avatar.release"}')
        async with asyncio.timeout(TURN_S):
            async for message in client:
                if isinstance(message, bytes):
                    heard = int.from_bytes(message[8:12], "little")
                    await client.send(json.dumps({"type": "avatar.playhead", "turn": 1, "pts": heard}))
                elif json.loads(message)["type"] == "response.done":
                    return


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise UserError("this machine does not say how much memory a process holds")


async def service(voice: Voice, *, quick: bool = False) -> Result:
    """Start to ready of both wirings, and the resident memory of the one-process service after spoken turns."""
    (question,) = await ask_with(voice, ("What is twelve times seven?",))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    async with _running("--local") as local:
        for _ in range(1 if quick else 3):
            await _turn(local, question.pcm16k)
        memory = _resident_mb(local.pid)
    rows = [("`avatar run --local`", f"{local.ready_s:.1f}", f"{memory:.0f}")]
    bars = [
        Bar("one process, start to ready", local.ready_s, 8, "s"),
        Bar("one process, resident memory after spoken turns", memory, 900, "MB"),
    ]
    if not quick:
        async with _running() as ray:
            await _turn(ray, question.pcm16k)
        rows.append(("`avatar run` (Ray Serve)", f"{ray.ready_s:.1f}", "not measured"))
        bars.append(Bar("Ray Serve, start to ready", ray.ready_s, 40, "s"))
    return Result("service", ("service", "ready after s", "resident MB"), tuple(rows), tuple(bars))
