"""An hour of people who come, talk, interrupt and go: does the service keep anything of them?

The service has stand-ins for its engines and stores nothing, so that what grows is ours. After each wave of people,
when nobody is there, it is looked at from outside (/proc) and asked from inside (`gateway.counts`): memory, threads,
open files, tasks, sessions. What it takes once, the first waves take; from there on nothing may stay.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from urllib.request import urlopen

from actors.tts.hibari import Hibari
from serve_app.bench.questions import SHORT, Question, ask_with
from serve_app.bench.service import Service, running
from serve_app.bench.simulator import STAND_INS
from serve_app.bench.table import Bar, Result
from serve_app.client import PATH
from serve_app.errors import UserError
from serve_app.loading.caller import Manner, Pattern
from serve_app.loading.crowd import load
from serve_app.loading.meter import looked
from serve_app.loading.tally import Tally, together

PATTERNS: tuple[Pattern, ...] = ("talk", "barge", "idle", "barge")
PEOPLE = 6
WAVE_S = 8.0
SETTLE_S = 2.0
"""From the last person's going to the look."""
FULL_S, QUICK_S = 3600.0, 180.0
WARM = 0.25
"""Share of the waves that do not count: caches fill, allocators take what they keep."""
MB = 2**20


@dataclass(frozen=True, slots=True)
class Quiet:
    """The service at a moment when nobody is there."""

    at_s: float
    resident: int
    """Bytes."""
    threads: int
    files: int
    tasks: int
    sessions: int
    """Conversations that it still holds to be under way."""


async def endured(questions: Sequence[Question], seconds: float) -> tuple[list[Quiet], Tally]:
    """Waves of people for so long; how it stood after each, and what all of them saw."""
    looks: list[Quiet] = []
    tallies: list[Tally] = []
    counted = {"AVATAR_GATEWAY__COUNTS": "true"}
    async with running("--local", "--profile", str(STAND_INS), settings=counted) as service:
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            pattern = PATTERNS[len(looks) % len(PATTERNS)]
            manner = Manner(PEOPLE, WAVE_S, apart_s=0.2, pattern=pattern, rest_s=(0.2, 1.0))
            tallies.append(await load(service.url, None, questions, manner))
            await asyncio.sleep(SETTLE_S)
            looks.append(await asyncio.to_thread(_quiet, service, time.monotonic() - begun))
    return looks, together(tallies)


def _quiet(service: Service, at_s: float) -> Quiet:
    outside = looked(service.pid)
    if outside is None:
        raise UserError("this machine does not say how a process stands (no /proc); endurance is measured on Linux")
    address = service.url.replace("ws", "http", 1).removesuffix(PATH)
    with urlopen(f"{address}/debug/counts", timeout=10) as answer:
        inside = json.load(answer)
    tasks = sum(inside["tasks"].values())
    return Quiet(at_s, outside.resident, outside.threads, outside.files, tasks, inside["sessions"])


def grown(looks: Sequence[Quiet], name: str) -> float:
    """How much more there is at the end than after the warm-up: medians of the first and the last third."""
    values = [float(getattr(one, name)) for one in looks[int(len(looks) * WARM) :]]
    third = max(len(values) // 3, 1)
    return median(values[-third:]) - median(values[:third])


async def endurance(*, quick: bool = False) -> Result:
    """The table: how the service stood at a dozen of moments, and what stayed."""
    questions = await ask_with(Hibari(), SHORT[:6])
    looks, tally = await endured(questions, QUICK_S if quick else FULL_S)
    return result(looks, tally)


def result(looks: Sequence[Quiet], tally: Tally) -> Result:
    """Of what was seen."""
    first = looks[int(len(looks) * WARM)]
    bars = (
        Bar("memory, more than after the warm-up", grown(looks, "resident") / first.resident, 0.05, "of it"),
        *(Bar(f"{name} that stayed", grown(looks, name), 0, name) for name in ("tasks", "threads", "files")),
        Bar("conversations that stayed", max(one.sessions for one in looks), 0, "conversations"),
        Bar("failures that people saw", tally.failures.total(), 0, "failures"),
    )
    shown = looks[:: max(len(looks) // 12, 1)]
    rows = tuple(
        (
            f"{one.at_s / 60:.1f}",
            f"{one.resident / MB:.1f}",
            *(str(getattr(one, name)) for name in ("tasks", "threads", "files", "sessions")),
        )
        for one in shown
    )
    notes = (
        f"{len(looks)} waves of {PEOPLE} people who talk, interrupt, say nothing or leave in mid-answer: "
        f"{tally.asked} questions, {tally.answered} answers heard to the end, {len(tally.silence_s)} interruptions",
        *(f"{count} x {reason}" for reason, count in tally.failures.most_common(3)),
    )
    return Result("endurance", ("minutes", "MB", "tasks", "threads", "files", "sessions"), rows, bars, notes)
