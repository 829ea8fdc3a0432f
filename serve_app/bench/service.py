"""The service as it is started: how long until it is ready, and how much memory it holds after a turn."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from serve_app.bench.questions import ask_with
from serve_app.bench.table import Bar, Result
from serve_app.client import PATH, connect
from serve_app.errors import UserError
from serve_app.ports import free_port
from serve_app.units import End, Sound, State
from streaming.media import samples
from streaming.stages import Voice

START_S = 120.0
TURN_S = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """One that runs."""

    pid: int
    url: str
    """Of its socket."""
    ready_s: float
    """Seconds from its start."""


@asynccontextmanager
async def running(*arguments: str, settings: Mapping[str, str] | None = None) -> AsyncIterator[Service]:
    """`avatar run` in a process of its own, with these variables beside ours, and a store that is thrown away.

    Raises UserError with its last words if it does not become ready.
    """
    with TemporaryDirectory(prefix="avatar-bench-") as kept:
        # The keys and the conversations of whoever measures are left alone.
        ours = {"AVATAR_DOOR__KEYS": os.devnull, "AVATAR_STORE__URL": f"sqlite:///{kept}/avatar.db"}
        async with _process(*arguments, settings={**ours, **(settings or {})}) as service:
            yield service


@asynccontextmanager
async def _process(*arguments: str, settings: Mapping[str, str]) -> AsyncIterator[Service]:
    begun = time.monotonic()
    run = "from serve_app.cli import main; raise SystemExit(main())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", run, "run", "--port", str(free_port()), *arguments),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **settings},
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
        url = found[1].replace("http", "ws", 1) + PATH
        yield Service(process.pid, url, time.monotonic() - begun)
        drain.cancel()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def turn(url: str, pcm16k: bytes) -> None:
    """One spoken turn over the socket, push-to-talk, as fast as it goes and heard to its end.

    Raises TimeoutError if the answer takes too long, AvatarError if the conversation breaks.
    """
    async with asyncio.timeout(TURN_S), connect(url, playhead=False) as avatar:
        await avatar.configure(audio={"input": {"turn_detection": None}})
        await avatar.press()
        await avatar.hear(pcm16k)
        await avatar.release()
        ended = False
        async for unit in avatar:
            match unit:
                case Sound(turn, pts, pcm):
                    await avatar.report_playhead(turn, pts + samples(pcm))
                case End(turn, pts):
                    ended = True
                    await avatar.report_playhead(turn, pts)
                case State("idle") if ended:
                    return
                case _:
                    pass


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise UserError("this machine does not say how much memory a process holds")


async def service(voice: Voice, *, quick: bool = False) -> Result:
    """Start to ready of both wirings, and the resident memory of the one-process service after spoken turns."""
    (question,) = await ask_with(voice, ("What is twelve times seven?",))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    async with running("--local") as local:
        for _ in range(1 if quick else 3):
            await turn(local.url, question.pcm16k)
        memory = _resident_mb(local.pid)
    rows = [("`avatar run --local`", f"{local.ready_s:.1f}", f"{memory:.0f}")]
    bars = [
        Bar("one process, start to ready", local.ready_s, 8, "s"),
        Bar("one process, resident memory after spoken turns", memory, 900, "MB"),
    ]
    if not quick:
        async with running() as ray:
            await turn(ray.url, question.pcm16k)
        rows.append(("`avatar run` (Ray Serve)", f"{ray.ready_s:.1f}", "not measured"))
        bars.append(Bar("Ray Serve, start to ready", ray.ready_s, 40, "s"))
    return Result("service", ("service", "ready after s", "resident MB"), tuple(rows), tuple(bars))
