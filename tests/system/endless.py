"""Four stages that never stop by themselves, and know how many of their producers run: for tests of who stops them.

Half of them await, half work in a thread in steps of 10 ms. `deployments()` are the stages' own deployments with these
engines; each replica also tells what it counted.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from importlib import import_module
from threading import Lock
from typing import Any, cast

from ray import serve

from actors.asr.deployment import Recognition
from actors.face.deployment import Picture
from actors.llm.deployment import Language
from actors.threads import stepping
from actors.tts.deployment import Speech
from streaming.media import FRAME, FramePacket
from streaming.stages import Spoken, TextDelta, Transcript

STAGES = ("asr", "llm", "tts", "face")
STEP_S = 0.01


class Endless:
    """All stages in one."""

    def __init__(self, threads: bool) -> None:
        self.running = 0
        self.steps = 0
        self._threads = threads
        self._lock = Lock()

    def transcribe(self, *_: Any) -> AsyncIterator[Any]:
        return self._produce(lambda k: Transcript("word " * k, (), "en", False))

    def reply(self, *_: Any) -> AsyncIterator[Any]:
        return self._produce(lambda k: TextDelta(f"word {k} "))

    def speak(self, *_: Any) -> AsyncIterator[Any]:
        return self._produce(lambda k: Spoken(bytes(4800)))

    def animate(self, *_: Any) -> AsyncIterator[Any]:
        return self._produce(lambda k: FramePacket(k * FRAME, bytes(8000), k == 0))

    async def _produce(self, make: Any) -> AsyncIterator[Any]:
        if not self._threads:
            async for item in self._turns(make):
                yield item
            return
        executor = ThreadPoolExecutor(1)  # of the call, so that none waits for another
        try:
            async with aclosing(stepping(lambda: self._steps(make), executor)) as steps:  # type: ignore[type-var]
                async for item in steps:
                    yield item
        finally:
            executor.shutdown(wait=False)

    def _steps(self, make: Any) -> Iterator[Any]:
        self._runs(1)
        try:
            for k in range(10**9):
                time.sleep(STEP_S)
                self.steps += 1
                yield make(k)
        finally:
            self._runs(-1)

    def _runs(self, more: int) -> None:
        with self._lock:
            self.running += more

    async def _turns(self, make: Any) -> AsyncIterator[Any]:
        self._runs(1)
        try:
            for k in range(10**9):
                await asyncio.sleep(STEP_S)
                self.steps += 1
                yield make(k)
        finally:
            self._runs(-1)


class _Telling:
    """A replica of such a stage."""

    stage = ""

    def __init__(self, threads: bool) -> None:
        import_module(f"actors.{self.stage}").ENGINES["endless"] = f"{__name__}:Endless"
        super().__init__("endless", {"threads": threads})  # type: ignore[call-arg]
        self.counted: Counter[str] = Counter()
        replica: Any = self._replica  # type: ignore[attr-defined]
        replica._record = lambda name, value, labels: self.counted.update([labels.get("outcome", name)])

    def told(self) -> dict[str, Any]:
        """Producers that run, steps that were made, calls under way, streams by outcome, and who this is."""
        replica: Any = self._replica  # type: ignore[attr-defined]
        engine = replica.engine
        load = replica.stats()["load"]
        return {"running": engine.running, "steps": engine.steps, "load": load, "pid": os.getpid(), **self.counted}


class Asr(_Telling, Recognition):
    stage = "asr"


class Llm(_Telling, Language):
    stage = "llm"


class Tts(_Telling, Speech):
    stage = "tts"


class Face(_Telling, Picture):
    stage = "face"


def deployments() -> dict[str, serve.Application]:
    """By name; the listener and the voice work in threads."""
    classes = {"asr": Asr, "llm": Llm, "tts": Tts, "face": Face}
    options: Any = {"max_ongoing_requests": 64, "graceful_shutdown_timeout_s": 1.0, "health_check_period_s": 1.0}
    return {
        name: cast(Any, serve.deployment(name=name, **options)(made)).bind(name in ("asr", "tts"))
        for name, made in classes.items()
    }
