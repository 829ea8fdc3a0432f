"""The work of `avatar run`: the service on this machine, in one process or on Ray Serve, until it is stopped.

What runs is composed in app.py and cluster.py; this file says how far the start is and where the page is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

import uvicorn

from actors.lines import write
from actors.measuring import Measures
from serve_app.app import build_stages
from serve_app.errors import UserError
from serve_app.gateway.admission import Admission, Limits
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door
from serve_app.gateway.house import House
from serve_app.gateway.server import event_loop, idle_clip, port_of_ours, server_config, shared_socket
from serve_app.instruments import Instruments
from serve_app.keeper import archive
from serve_app.persona import cast_of
from serve_app.room import alone
from serve_app.settings import Settings, load
from serve_app.traces import usable

log = logging.getLogger(__name__)

Say = Callable[[str], None]


def main(*, local: bool, profile: str | None, host: str | None = None, port: int | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM. ``host`` and ``port`` None are those of the settings.

    Raises UserError if it cannot start: the port is taken, a setting or a model is wrong, or others could come in
    without a key.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    wished = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load(profile, gateway=wished) if wished else load(profile)
    write(settings.log.format)
    Door.of(settings.door, settings.gateway.host)  # says so at once if others could come in without a key
    cast_of(settings)  # or if a persona is wrong
    begun = time.monotonic()

    def say(text: str) -> None:
        # One write a line: stages load in threads of their own and speak at the same time.
        sys.stderr.write(f"[{time.monotonic() - begun:5.1f} s] {text}\n")
        sys.stderr.flush()

    with port_of_ours(settings.gateway):
        if not local:
            asyncio.run(_cluster(settings, say))
            return 0
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            loop = runner.get_loop()
            log.info("event loop: %s, because it is what is installed here", type(loop).__module__)
            runner.run(_local(settings, say))
    return 0


async def _local(settings: Settings, say: Say) -> None:
    """Everything in this process."""
    instruments = Instruments()
    told = lambda name, state: say(f"{name}: {state}")  # noqa: E731
    stages = await asyncio.to_thread(build_stages, settings, told, instruments.record)
    engines = (stages.listener, stages.transcriber, stages.responder, stages.voice, stages.face)
    instruments.measures = Measures(instruments.record, engines)
    door = Door.of(settings.door, settings.gateway.host)
    cast = cast_of(settings)
    async with archive(settings.store, owner=f"process {os.getpid()}") as kept:
        house = House(
            stages,
            settings.reporting_pace(),
            settings.driving(),
            Admission(instruments, Limits(alone(settings), settings.gateway.speaking, settings.gateway.late)),
            archive=kept,
            cast=cast,
            tracing=usable(settings.tracing.endpoint),
            about=settings.about(),
            counts=settings.gateway.counts,
        )
        server = uvicorn.Server(server_config(build_gateway(house, idle_clip, door, settings.tts.engine)))
        listener = shared_socket(settings.gateway)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="gateway")
        while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        _ready(settings.gateway.host, listener.getsockname()[1], say)
        await serving  # uvicorn takes Ctrl-C and SIGTERM itself


async def _cluster(settings: Settings, say: Say) -> None:
    """The same on Ray Serve."""
    from serve_app import cluster

    if settings.gateway.port == 0:
        raise UserError("with Ray the gateway needs a port of its own, for its replicas share it; choose one")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with cluster.deploy(settings, gateway=True, tell=lambda name, state: say(f"{name}: {state}")) as serving:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if serving.dashboard:
            say(f"Ray dashboard: {serving.dashboard}")
        if serving.targets:
            say(f"metrics for Prometheus (dashboards/prometheus.yml): {serving.targets}")
        _ready(settings.gateway.host, settings.gateway.port, say)
        await stop.wait()
        say("stopping")


def _ready(host: str, port: int, say: Say) -> None:
    shown = "localhost" if host in ("127.0.0.1", "::1") else host
    say(f"ready: http://{shown}:{port}  (Ctrl-C stops it)")
