"""How many sessions a profile carries: a small simulation of people who ask, stages that work, and what they wait for.

Nothing is run and nothing is measured here: costs go in, waits come out, and the same seed gives the same table. It is
as right as its costs; those that nobody measured say so. This file knows no engine's insides, no clock and no Ray.
"""

from __future__ import annotations

import heapq
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from serve_app.app import choices
from serve_app.errors import UserError
from serve_app.settings import Settings, load

LIP_S = 1.5
"""p95 from the last word to the first moving lip that still counts as carried..."""
STALLED = 0.01
"""...and the share of speech for which sound and picture had to wait."""

GATEWAY = 1 / 41
"""Cores for a session in the gateway, listener included (docs/performance.md)."""

SECONDS, WARM_S = 120.0, 20.0
"""Simulated time, and what of it does not count, because everybody begins at once."""

END_OF_TURN_S, PAUSE_S, PARTIAL_S = 0.5, 0.2, 0.8
VOICE_LEAD_S, SEND_LEAD_S = 8.0, 1.2
FIRST_CLIP_S, CLIP_S, SPAN_S = 1.5, 4.0, 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of an engine costs: ``first`` seconds, and ``each`` for a second of sound."""

    first: float
    each: float
    device: str
    """``cpu`` (one core), ``gpu`` (all of one GPU), or ``""`` for somebody else's machine."""
    source: str
    step: float = 0.0
    """Seconds of sound at a step, between two of which another call gets the device; 0: a call is one step."""


COSTS: Mapping[str, Cost] = {
    "whisper": Cost(0.055, 0.026, "cpu", "tiny.en, docs/performance.md"),
    "whisper base": Cost(0.11, 0.052, "cpu", "not measured: twice tiny.en, as its layers say"),
    "whisper on cuda": Cost(0.1, 0.02, "gpu", "not measured"),
    "guide": Cost(0.002, 0.0, "cpu", "not measured: next to nothing"),
    "chat": Cost(0.5, 0.0, "", "not measured"),
    "hibari": Cost(0.0, 0.010, "cpu", "docs/performance.md"),
    "kokoro": Cost(0.0, 1.01, "cpu", "Mandarin, Spanish costs 0.75: docs/performance.md, 'roundtrip'"),
    "polyglot": Cost(0.0, 1.01, "cpu", "that of kokoro, the slowest of its usual engines"),
    "portrait": Cost(0.0, 0.111, "cpu", "4.4 ms a picture, docs/performance.md", 0.16),
    "xtts": Cost(0.0, 0.70, "gpu", "not measured here; an earlier program in batch, one L4", 0.4),
    "ditto": Cost(0.0, 1.23, "gpu", "not measured here; an earlier program in batch, one L4", 0.2),
}
"""Engine -> its cost. docs/operations.md says how each was come by."""


@dataclass(frozen=True, slots=True)
class House:
    """What there is to work with."""

    costs: Mapping[str, Cost]
    """By stage."""
    replicas: Mapping[str, int]
    """By stage; a replica does one thing at a time."""
    devices: Mapping[str, int]
    """``cpu``: cores, ``gpu``: GPUs."""


@dataclass(slots=True)
class Seen:
    """What people got, after the warm-up."""

    sessions: int
    lips: list[float] = field(default_factory=list[float])
    """Seconds from the last word to the first moving lip, one for each reply."""
    spoken_s: float = 0.0
    stalled_s: float = 0.0
    busy: dict[str, float] = field(default_factory=dict[str, float])
    """Device -> share of its time."""

    @property
    def p95(self) -> float:
        """Of ``lips``; endless if nobody was answered."""
        return _percentile(self.lips, 0.95)

    @property
    def stalled(self) -> float:
        """Share of speech."""
        return self.stalled_s / self.spoken_s if self.spoken_s else 1.0

    @property
    def carried(self) -> bool:
        """Whether that is good enough."""
        return self.p95 <= LIP_S and self.stalled <= STALLED


def house(settings: Settings, cores: int, changed: Mapping[str, float]) -> House:
    """What a profile has. ``changed``: stage -> seconds of work for a second of sound. Raises UserError."""
    chosen, ray = choices(settings), settings.ray
    costs: dict[str, Cost] = {}
    for stage, choice in chosen.items():
        name = f"{choice.engine} on cuda" if choice.arguments.get("device") == "cuda" else choice.engine
        if (particular := f"{choice.engine} {choice.arguments.get('model')}") in COSTS and name == choice.engine:
            name = particular
        if name not in COSTS:
            raise UserError(f"nobody has told what {name} costs; choose an engine out of {', '.join(COSTS)}")
        costs[stage] = COSTS[name]
    for stage, each in changed.items():
        if stage not in costs:
            raise UserError(f"the profile {settings.profile} has no stage {stage!r}; choose {', '.join(costs)}")
        costs[stage] = replace(costs[stage], each=each, source="as you say")
    shares = {stage: ray.share("gpu" if stage in ray.together else stage) for stage in costs}
    replicas = {stage: share.largest for stage, share in shares.items()}
    if costs["llm"].device == "":
        replicas["llm"] = shares["llm"].largest * shares["llm"].ongoing
    return House(costs, replicas, {"cpu": cores, "gpu": ray.num_gpus, "": 1 << 20})


# ---- work and time -----------------------------------------------------------------------------------------


class _World:
    """Time, and stages that each do one thing at a time; the most urgent call goes first and is not interrupted."""

    def __init__(self, house: House, sessions: int) -> None:
        self.house = house
        self.now = 0.0
        self.work: dict[str, float] = dict.fromkeys(house.devices, 0.0)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: dict[str, list[tuple[float, int, float, Callable[[], None]]]] = {s: [] for s in house.costs}
        self._free = {**house.replicas, **{f"device {name}": count for name, count in house.devices.items()}}
        self._count = 0
        left = 1 - sessions * GATEWAY / house.devices["cpu"]
        self.stretch = 1 / max(left, 0.01)
        """The gateway takes its part of every core."""

    def at(self, when: float, then: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(when, self.now), self._count, then))

    def ask(self, stage: str, sound_s: float, urgent: float, then: Callable[[], None]) -> None:
        """``urgent``: when it is needed."""
        cost = self.house.costs[stage]
        seconds = (cost.first + cost.each * sound_s) * (self.stretch if cost.device == "cpu" else 1)
        self._count += 1
        heapq.heappush(self._waiting[stage], (urgent, self._count, seconds, then))
        self._begin()

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, then = heapq.heappop(self._events)
            then()

    def _begin(self) -> None:
        while True:
            able = [stage for stage in self._waiting if self._waiting[stage] and self._room(stage)]
            if not able:
                return
            stage = min(able, key=lambda stage: self._waiting[stage][0][:2])
            _, _, seconds, then = heapq.heappop(self._waiting[stage])
            device = self.house.costs[stage].device
            self._free[stage] -= 1
            self._free[f"device {device}"] -= 1
            self.work[device] += seconds
            self.at(self.now + seconds, lambda stage=stage, device=device, then=then: self._end(stage, device, then))

    def _room(self, stage: str) -> bool:
        return self._free[stage] > 0 and self._free[f"device {self.house.costs[stage].device}"] > 0

    def _end(self, stage: str, device: str, then: Callable[[], None]) -> None:
        self._free[stage] += 1
        self._free[f"device {device}"] += 1
        then()
        self._begin()


class _Person:
    """Asks, listens to the answer, thinks, asks again."""

    def __init__(self, world: _World, seen: Seen, chance: random.Random) -> None:
        self._world, self._seen, self._chance = world, seen, chance
        world.at(chance.uniform(0, WARM_S / 2), self._ask)

    def _ask(self) -> None:
        world, length = self._world, self._chance.uniform(1.5, 4.0)
        begun, over = world.now, world.now + length
        for k in range(1, int(length / PARTIAL_S) + 1):
            heard = k * PARTIAL_S
            world.at(begun + heard, lambda heard=heard: world.ask("asr", heard, over + 60, lambda: None))
        world.at(over + PAUSE_S, lambda: world.ask("asr", length, over + END_OF_TURN_S, lambda: self._told(over)))

    def _told(self, over: float) -> None:
        self._world.at(over + END_OF_TURN_S, lambda: self._world.ask("llm", 0, over + 1, lambda: self._answer(over)))

    def _answer(self, over: float) -> None:
        _Reply(self._world, self._seen, over, self._chance.uniform(4.0, 12.0), self._rest)

    def _rest(self) -> None:
        self._world.at(self._world.now + self._chance.uniform(1.0, 6.0), self._ask)


class _Reply:
    """Clips of voice one after another, spans of pictures under them, and playing, which waits for both."""

    def __init__(self, world: _World, seen: Seen, over: float, length: float, then: Callable[[], None]) -> None:
        self._world, self._seen, self._over, self._length, self._then = world, seen, over, length, then
        self._spoken = self._drawn = 0.0
        self._ends = over + 1.0
        """When what is there has been played."""
        self._playing = self._drawing = False
        self._speak()

    def _speak(self) -> None:
        if self._spoken >= self._length:
            return
        step = self._world.house.costs["tts"].step or (CLIP_S if self._spoken else FIRST_CLIP_S)
        clip = min(step, self._length - self._spoken)
        due = self._ends + self._spoken - self._drawn
        self._world.ask("tts", clip, due, lambda: self._speech(clip))

    def _speech(self, clip: float) -> None:
        self._spoken += clip
        ahead = self._spoken - self._drawn + max(self._ends - self._world.now, 0)
        self._world.at(self._world.now + max(ahead - VOICE_LEAD_S, 0), self._speak)
        self._draw()

    def _draw(self) -> None:
        if self._drawing or self._spoken - self._drawn < 1e-9:
            return
        cost = self._world.house.costs.get("face")
        span = min(cost.step if cost and cost.step else SPAN_S, self._spoken - self._drawn)
        self._drawing = True
        if cost:
            self._world.ask("face", span, self._ends, lambda: self._show(span))
        else:
            self._show(span)

    def _show(self, span: float) -> None:
        world, seen, counts = self._world, self._seen, self._over >= WARM_S
        if counts and not self._playing:
            seen.lips.append(world.now - self._over)
        if counts and self._playing:
            seen.stalled_s += max(world.now - self._ends, 0.0)
        seen.spoken_s += span if counts else 0.0
        self._ends = span + (max(self._ends, world.now) if self._playing else world.now)
        self._playing, self._drawing = True, False
        self._drawn += span
        if self._drawn >= self._length - 1e-9:
            world.at(self._ends, self._then)
        else:
            world.at(self._ends - SEND_LEAD_S, self._draw)


def simulate(house: House, sessions: int, seed: int) -> Seen:
    """So many people at once for two minutes. Pure: the same arguments, the same answer."""
    seen = Seen(sessions)
    world = _World(house, sessions)
    for k in range(sessions):
        _Person(world, seen, random.Random(f"{seed}/{k}"))
    world.run(SECONDS)
    room = {name: count * SECONDS for name, count in house.devices.items() if name and count}
    seen.busy = {name: min(world.work[name] / room[name], 1.0) for name in room}
    seen.busy["cpu"] = min(seen.busy["cpu"] / world.stretch + sessions * GATEWAY / house.devices["cpu"], 1.0)
    return seen


def search(house: House, most: int, seed: int) -> list[Seen]:
    """Simulations by number of sessions, among them the largest that is carried and the smallest that is not."""
    tried: dict[int, Seen] = {}

    def carried(sessions: int) -> bool:
        tried[sessions] = simulate(house, sessions, seed)
        return tried[sessions].carried

    good, bad = 0, 1
    while bad <= most and carried(bad):
        good, bad = bad, bad * 2
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if carried(middle) else (good, middle)
    return [tried[sessions] for sessions in sorted(tried)]


# ---- for a person ------------------------------------------------------------------------------------------


def main(profile: str | None, most: int, seed: int, changed: Sequence[str], cores: int | None = None) -> int:
    """Print how many sessions a profile carries. Raises UserError."""
    if most < 1:
        raise UserError(f"--sessions is {most}; write 1 or more")
    settings = load(profile)
    there = house(settings, cores or os.cpu_count() or 1, dict(map(_changed, changed)))
    print("\n".join(table(settings.profile, there, search(there, most, seed), most)))
    return 0


def table(profile: str, house: House, tried: Sequence[Seen], most: int) -> list[str]:
    """The lines that tell it, Markdown."""
    device = ", ".join(f"{count} {name.upper()}" for name, count in house.devices.items() if name and count)
    lines = ["| sessions | lip p50 s | lip p95 s | stalled | " + " | ".join(f"{n} busy" for n in tried[0].busy) + " |"]
    lines.append("|" + "---|" * (4 + len(tried[0].busy)))
    for seen in tried:
        busy: list[Any] = [f"{share:.0%}" for share in seen.busy.values()]
        row = [seen.sessions, f"{_percentile(seen.lips, 0.5):.2f}", f"{seen.p95:.2f}", f"{seen.stalled:.1%}", *busy]
        lines.append("| " + " | ".join(map(str, row)) + " |")
    carried = max((seen.sessions for seen in tried if seen.carried), default=0)
    more = " or more" if carried == most else ""
    lines += [
        "",
        f"{profile} ({device}) carries {carried}{more} sessions: lip p95 at most {LIP_S} s, stalled at most 1 %",
    ]
    for stage, cost in house.costs.items():
        where = cost.device or "elsewhere"
        lines.append(
            f"- {stage}: {cost.first:g} s a call + {cost.each:g} s a second of sound on {where}; {cost.source}"
        )
    return lines


def _changed(text: str) -> tuple[str, float]:
    stage, _, number = text.partition("=")
    try:
        each = float(number)
    except ValueError:
        each = -1.0
    if not 0 <= each < float("inf"):
        raise UserError(f"--cost {text} is no cost; write STAGE=SECONDS, face=0.4 for instance")
    return stage, each


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")
