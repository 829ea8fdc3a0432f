"""`python -m tests.system.leaks COUNT`: interrupt COUNT streams at random, kill a caller, tell what still runs.

Writes one JSON object. The mode of Ray Serve is that of the environment, which Ray reads when it is imported: each mode
needs a process of its own. With an address instead of a number it is the one who calls and is killed.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

import asyncio
import json
import logging
import random
import signal
import sys
import tempfile
import time
from contextlib import aclosing
from typing import Any

import ray
from ray import serve
from ray.serve._private.constants import RAY_SERVE_THROUGHPUT_OPTIMIZED

from actors.handles import RemoteFace, RemoteResponder, RemoteTranscriber, RemoteVoice, connect
from streaming.calls import Envelope, enter
from streaming.stages import Avatar, Said, Span
from tests.system.endless import STAGES, deployments

TOGETHER = 24
LONGEST_S = 0.4
LEASE_S = 3.0
"""Far longer than any of these calls is let live."""
GONE_S = 2.0
"""After a lease, or an interruption, until nothing runs: a step, and what a busy machine needs."""


def streams() -> dict[str, Any]:
    """A call of each stage."""
    asr, llm = RemoteTranscriber(connect("asr")), RemoteResponder(connect("llm"))
    tts, face = RemoteVoice(connect("tts")), RemoteFace(connect("face"))
    avatar = Avatar("default", 384, 576, 384, 576)
    span = Span("s", 1, 0, bytes(4800), 10, (), False, 7, "", "h264", 400, 20)
    return {
        "asr": lambda: asr.transcribe(bytes(32_000), "en", True),
        "llm": lambda: llm.reply((Said("user", "Hello", 1),), "", ()),
        "tts": lambda: tts.speak("Hello.", "default", "en", 1),
        "face": lambda: face.animate(span, avatar, None),
    }


async def interrupted(stream: Any, after_s: float, leaves: bool) -> None:
    """Read until then, and leave in order or be cancelled in the middle."""

    async def read() -> None:
        async with aclosing(stream):
            async for _ in stream:
                if leaves and time.monotonic() > until:
                    return

    until = time.monotonic() + after_s
    reading = asyncio.create_task(read())
    if not leaves:
        await asyncio.sleep(after_s)
        reading.cancel()
    await asyncio.wait([reading])
    if not reading.cancelled() and (error := reading.exception()):
        raise error


async def interruptions(count: int) -> None:
    calls, chance = streams(), random.Random(7)
    rounds = [(chance.choice(STAGES), chance.uniform(0, LONGEST_S), chance.random() < 1 / 3) for _ in range(count)]
    gate = asyncio.Semaphore(TOGETHER)

    async def one(stage: str, after_s: float, leaves: bool) -> None:
        async with gate:
            enter(Envelope("random", 1, stage, "", LEASE_S))
            await interrupted(calls[stage](), after_s, leaves)

    async with asyncio.TaskGroup() as group:
        for made in rounds:
            group.create_task(one(*made))


async def told() -> dict[str, dict[str, Any]]:
    return {name: await connect(name).told.remote() for name in STAGES}


async def quiet(within_s: float) -> dict[str, dict[str, Any]]:
    """What replicas tell as soon as nothing runs, or when the time is up."""
    until = time.monotonic() + within_s
    while True:
        now = await told()
        if not any(one["running"] or one["load"] for one in now.values()) or time.monotonic() > until:
            return now
        await asyncio.sleep(0.05)


async def kill_a_caller() -> float:
    """Have another process call every stage, and kill it. Seconds from that to silence."""
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.system.leaks", address]
    caller = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert caller.stdout is not None
    line = await caller.stdout.readline()
    assert line == b"calling\n", line
    assert all(one["running"] for one in (await told()).values())
    caller.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    await caller.wait()
    await quiet(LEASE_S + GONE_S)
    return time.monotonic() - killed


async def call_for_ever() -> None:
    """Every stage at once, and a word as soon as all of them answer."""
    enter(Envelope("killed", 1, "", "", LEASE_S))
    calls = [call() for call in streams().values()]
    for call in calls:
        await anext(call)

    async def read(call: Any) -> None:
        async for _ in call:
            pass

    print("calling", flush=True)
    await asyncio.gather(*map(read, calls))


async def measured(count: int) -> dict[str, Any]:
    begun = time.monotonic()
    targets = [serve.RunTarget(made, name=name, route_prefix=None) for name, made in deployments().items()]
    serve.run_many(targets, wait_for_ingress_deployment_creation=False)
    ready = time.monotonic()
    await interruptions(count)
    over = time.monotonic()
    after = await quiet(GONE_S)
    later = await quiet(LEASE_S)
    await asyncio.sleep(0.2)
    still = {name: one["steps"] - later[name]["steps"] for name, one in (await told()).items()}
    kill_s = await kill_a_caller()
    return {
        "mode": "throughput" if RAY_SERVE_THROUGHPUT_OPTIMIZED else "default",
        "after": after,
        "later": later,
        "still": still,
        "after_kill": await told(),
        "seconds": {"start": ready - begun, "interruptions": over - ready, "kill": kill_s},
    }


def main() -> None:
    wish = sys.argv[1]
    if not wish.isdecimal():
        ray.init(address=wish, log_to_driver=False, logging_level=logging.ERROR)
        asyncio.run(call_for_ever())
        return
    with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
        ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=100 * 2**20,
                 _temp_dir=folder, log_to_driver=False, logging_level=logging.ERROR)  # fmt: skip
        serve.start(proxy_location="Disabled")
        try:
            print(json.dumps(asyncio.run(measured(int(wish)))))
        finally:
            ray.shutdown()


if __name__ == "__main__":
    main()
