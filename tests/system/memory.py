"""`python -m tests.system.memory`: a replica eats memory until Ray's own monitor kills it; tells what came of it.

Ray watches the memory of the whole node. Its threshold is set 1 GiB above what is in use when this begins, and the
replica eats twice that at most, so nothing else of the machine is in danger. Writes one JSON object.
"""

from __future__ import annotations

import os
from pathlib import Path

MORE = 2**30
MOST = 2 * MORE
BITE = 32 * 2**20


def in_use() -> tuple[int, int]:
    """Bytes in use and in all, as Ray's monitor has them: of the control group if that is limited, else the machine."""
    told = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").open()}
    whole, used = told["MemTotal"], told["MemTotal"] - told["MemAvailable"]
    group = Path("/sys/fs/cgroup")
    limit = group / "memory.max"
    if limit.exists() and (text := limit.read_text().strip()) != "max" and int(text) < whole:
        stat = dict(line.split() for line in (group / "memory.stat").open())
        cache = int(stat["inactive_file"]) + int(stat["active_file"])
        return int((group / "memory.current").read_text()) - cache, int(text)
    return used, whole


used, whole = in_use()
os.environ.setdefault("RAY_memory_usage_threshold", f"{(used + MORE) / whole:.4f}")
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "100")

import actors.serving  # noqa: E402  # before ray

# isort: split

import asyncio  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import AsyncIterator  # noqa: E402
from typing import Any, cast  # noqa: E402

import ray  # noqa: E402
from ray import serve  # noqa: E402

import actors.tts  # noqa: E402
from actors.handles import RemoteVoice, connect  # noqa: E402
from actors.tts.deployment import Speech  # noqa: E402
from streaming.stages import Spoken, StageLost  # noqa: E402
from tests.system.endless import Face  # noqa: E402

BACK_S = 60.0


class Glutton:
    """Speaks; and eats when it is told to."""

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        kept: list[bytearray] = []
        while text == "Eat." and len(kept) * BITE < MOST:
            kept.append(bytearray(os.urandom(1)) * BITE)
            await asyncio.sleep(0.05)  # the monitor looks ten times a second
            yield Spoken(bytes(480))
        yield Spoken(bytes(480))


class Eater(Speech):
    """Its replica."""

    def __init__(self) -> None:
        actors.tts.ENGINES["glutton"] = f"{__name__ if __name__ != '__main__' else 'tests.system.memory'}:Glutton"
        super().__init__("glutton", {})

    def pid(self) -> int:
        """Who this is."""
        return os.getpid()


async def told() -> dict[str, Any]:
    made = cast(Any, serve.deployment)
    options = {"graceful_shutdown_timeout_s": 1.0, "health_check_period_s": 1.0}
    targets = [
        serve.RunTarget(made(Eater, name="tts", **options).bind(), name="tts", route_prefix=None),
        serve.RunTarget(made(Face, name="face", **options).bind(False), name="face", route_prefix=None),
    ]
    serve.run_many(targets, wait_for_ingress_deployment_creation=False)
    eater, face, voice = connect("tts"), connect("face"), RemoteVoice(connect("tts"))
    before = await eater.pid.remote(), (await face.told.remote())["pid"]
    bites, outcome = 0, "it ate its fill"
    try:
        async for _ in voice.speak("Eat.", "default", "en", 1):
            bites += 1
    except StageLost as error:
        outcome = f"StageLost: {error}"
    begun = time.monotonic()
    while True:
        try:
            pieces = [piece async for piece in voice.speak("Good morning.", "default", "en", 1)]
            break
        except StageLost:
            if time.monotonic() - begun > BACK_S:
                raise
            await asyncio.sleep(0.1)
    after = await eater.pid.remote(), (await face.told.remote())["pid"]
    return {
        "outcome": outcome,
        "eaten_mb": bites * BITE // 2**20,
        "back_s": time.monotonic() - begun,
        "pieces": len(pieces),
        "voice_replaced": before[0] != after[0],
        "face_replaced": before[1] != after[1],
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mem-") as folder:
        ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=100 * 2**20,
                 _temp_dir=folder, log_to_driver=False, logging_level=logging.ERROR)  # fmt: skip
        serve.start(proxy_location="Disabled")
        try:
            print(json.dumps(asyncio.run(told())))
        finally:
            ray.shutdown()


if __name__ == "__main__":
    main()
