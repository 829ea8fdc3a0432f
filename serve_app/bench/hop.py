"""What Ray Serve adds to every item that a stage yields, in time, CPU and memory: the same stubs here and as replicas.

Each session asks a language model, a voice and a face, over and over at the pace at which people hear it; the stubs
sleep as long as recorded stages compute. Every item carries the moment at which it was made, on the machine's clock,
which all its processes share. In one process an item's age is the event loop's; over handles it is that and the hop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from serve_app.bench.gateway import cpu_seconds
from serve_app.bench.host import CLIP_S, PIECE, STAMP, VOICE_S, Draws
from serve_app.bench.table import Bar, Result
from serve_app.settings import load
from streaming.media import RATE
from streaming.stages import Avatar, FaceState, Said, Span, Spoken, TextDelta

SESSIONS = (1, 4, 8)
TIMED_S = 8.0
WORDS, WORD_S = 40, 0.05
"""Of a reply of two seconds."""
HOP_MS = 1.5
"""Most that a hop may add at its median."""
SPAN = Span("hop", 1, 0, bytes(2 * RATE), 25, (), False, 7, "", "h264", 400, 20)
AVATAR = Avatar("default", 384, 576, 384, 576)


class Writes:
    """A language model of twenty words a second; each word is the moment at which it was written."""

    async def reply(self, *_: Any) -> AsyncIterator[TextDelta]:
        """Two seconds of words."""
        for _word in range(WORDS):
            await asyncio.sleep(WORD_S)
            yield TextDelta(str(time.monotonic_ns()))


class Speaks:
    """A voice whose pieces begin with the moment at which they were made."""

    def __init__(self) -> None:
        self._rest = os.urandom(PIECE * 2 - STAMP.size)

    async def speak(self, *_: Any) -> AsyncIterator[Spoken]:
        """Two seconds of sound, 100 ms a piece."""
        for _piece in range(CLIP_S * 10):
            await asyncio.sleep(0.1 * VOICE_S)
            yield Spoken(STAMP.pack(time.monotonic_ns()) + self._rest)


ENGINES: dict[str, type] = {"llm": Writes, "tts": Speaks, "face": Draws}


@dataclass(frozen=True, slots=True)
class Took:
    """What a load took."""

    ages: dict[str, list[float]]
    """ms from making an item to having it, by stage."""
    cpu: float
    """Share of one core."""
    memory: float
    """MB of all processes; shared pages count in parts."""


async def hop(*, quick: bool = False) -> Result:
    """A row for each number of sessions and wiring, and what the cluster takes while nobody calls."""
    here: Any = {stage: engine() for stage, engine in ENGINES.items()}
    seconds = 1.5 if quick else TIMED_S
    local: dict[int, Took] = {}
    remote: dict[int, Took] = {}
    with _cluster() as there:
        await _load(there, 1, 2.0, family)  # connections are made, code is warm
        idle = await _load({}, 0, seconds, family)
        for count in SESSIONS[: 1 if quick else None]:
            local[count] = await _load(here, count, seconds, alone)
            remote[count] = await _load(there, count, seconds, family)
    rows: list[tuple[str, ...]] = []
    for count in local:
        rows += [_row(f"in process, {count}", local[count]), _row(f"Ray Serve, {count}", remote[count])]
    rows.append(("Ray Serve, nobody", *["-"] * 3, f"{idle.cpu:.0f} %", f"{idle.memory:.0f}"))
    added = max(_p50(remote[n], stage) - _p50(local[n], stage) for n in local for stage in ENGINES)
    bar = Bar("added by a hop, p50, the slowest stage and number of sessions", added, HOP_MS, "ms")
    notes = (
        f"{seconds:g} s each, one after another; ms from an item's making to its caller having it, p50 / p95;"
        " of the face the first picture of a call, for later ones wait for each other to go together",
        "CPU of one core and MB of memory: of this process, and with Ray of all processes, its own included",
    )
    return Result("hop", ("sessions", *ENGINES, "CPU", "MB"), tuple(rows), (bar,), notes)


def _p50(took: Took, stage: str) -> float:
    return float(np.median(took.ages[stage]))


def _row(name: str, took: Took) -> tuple[str, ...]:
    ages = (np.percentile(took.ages[stage], (50, 95)) for stage in ENGINES)
    return (name, *(f"{p50:.2f} / {p95:.2f}" for p50, p95 in ages), f"{took.cpu:.0f} %", f"{took.memory:.0f}")


async def _load(stages: Any, sessions: int, seconds: float, processes: Callable[[], list[int]]) -> Took:
    """That many sessions for so long."""
    ages: dict[str, list[float]] = defaultdict(list)
    ends = time.monotonic() + seconds
    cpu, begun = _cpu(processes()), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(_over_and_over(lambda: _written(stages["llm"], ages), 2.0, ends))
            group.create_task(_over_and_over(lambda: _spoken(stages["tts"], ages), CLIP_S, ends))
            group.create_task(_over_and_over(lambda: _drawn(stages["face"], ages), 1.0, ends))
        group.create_task(asyncio.sleep(seconds))
    pids = processes()
    return Took(ages, (_cpu(pids) - cpu) * 100 / (time.monotonic() - begun), sum(map(_memory, pids)))


async def _over_and_over(call: Callable[[], Any], period_s: float, ends: float) -> None:
    while (begun := time.monotonic()) < ends:
        await call()
        await asyncio.sleep(max(begun + period_s - time.monotonic(), 0))


def _age(made: int) -> float:
    return (time.monotonic_ns() - made) / 1e6


async def _written(responder: Any, ages: dict[str, list[float]]) -> None:
    async for delta in responder.reply((Said("user", "Hello", 1),), "", ()):
        ages["llm"].append(_age(int(delta.text)))


async def _spoken(voice: Any, ages: dict[str, list[float]]) -> None:
    async for piece in voice.speak("Hello.", "default", "en", 1):
        ages["tts"].append(_age(STAMP.unpack_from(piece.pcm24k)[0]))


async def _drawn(face: Any, ages: dict[str, list[float]]) -> None:
    first = True
    async for packet in face.animate(SPAN, AVATAR, None):
        if first and not isinstance(packet, FaceState):
            ages["face"].append(_age(STAMP.unpack_from(packet.data)[0]))
        first = False


# ---- as replicas -------------------------------------------------------------------------------------------


@contextmanager
def _cluster() -> Iterator[dict[str, Any]]:
    """The same stages behind handles."""
    from actors import handles
    from serve_app import head

    settings = load("cpu", ray={"dashboard": False})
    with head.cluster(settings.ray, lambda name, state: None):
        _deploy(settings)
        yield {
            "llm": handles.RemoteResponder(handles.connect("llm")),
            "tts": handles.RemoteVoice(handles.connect("tts")),
            "face": handles.RemoteFace(handles.connect("face")),
        }


def _deploy(settings: Any) -> None:
    from ray import serve

    from serve_app.placement import options

    targets: list[Any] = []
    for stage in ENGINES:
        whole: Any = import_module(f"actors.{stage}.deployment").deployment
        made: Any = serve.deployment(name=stage, **options(settings, stage))(_stubbed(stage, whole.func_or_class))
        targets.append(serve.RunTarget(made.bind(), name=stage, route_prefix=None))
    serve.run_many(targets, wait_for_ingress_deployment_creation=False)


def _stubbed(stage: str, replica: Any) -> type:
    """The stage's own replica, with a stub for an engine."""

    class Stub(replica):
        def __init__(self) -> None:
            import_module(f"actors.{stage}").ENGINES["hop"] = f"{__name__}:{ENGINES[stage].__name__}"
            super().__init__("hop", {})

    return Stub


# ---- what it costs -----------------------------------------------------------------------------------------


def alone() -> list[int]:
    """This process."""
    return [os.getpid()]


def family() -> list[int]:
    """This process and all that it started, and they."""
    above: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            above[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    own = alone()
    for pid in own:
        own += [child for child, parent in above.items() if parent == pid]
    return own


def _cpu(pids: list[int]) -> float:
    spent = 0.0
    for pid in pids:
        try:
            spent += cpu_seconds(Path(f"/proc/{pid}/stat").read_text())
        except OSError:
            continue
    return spent


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1000 for line in lines if line.startswith("Pss:")), 0.0)
