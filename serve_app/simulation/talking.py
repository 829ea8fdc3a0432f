"""One machine and the people who talk to it, call by call: who waits for what, and how long.

Stages each do one thing at a time and share devices. Nothing is run here: costs go in, waits come out, and the same
seed gives the same waits. The rule by which people are let in is the gateway's own. This file knows no engine.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from serve_app.gateway.admission import Admission, Limits
from serve_app.simulation.costs import House

LIP_S = 1.5
"""p95 from the last word to the first moving lip that still counts as carried..."""
STALLED = 0.01
"""...and the share of speech for which sound and picture had to wait."""

GATEWAY = 1 / 41
"""Cores for a session in the gateway, listener included. Runs of other hours found 28 to 43 of them to a core
(docs/performance.md)."""

SECONDS, WARM_S = 120.0, 20.0
"""Simulated time, and what of it does not count, because everybody begins at once."""

END_OF_TURN_S, PAUSE_S, PARTIAL_S = 0.5, 0.25, 0.8
VOICE_LEAD_S, SEND_LEAD_S = 8.0, 1.2
FIRST_CLIP_S, CLIP_S, SPAN_S = 1.5, 4.0, 1.0
LOOK_AHEAD_S, SPAN_LEAST_S = 0.28, 0.2
"""Sound that the face must know past what it draws, and the least that it is asked for in mid-reply."""
REPORT_S = 0.25
"""Between two reports of a client's playhead: what may be drawn is known only so often."""


Then = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Habits:
    """How people talk. Pairs are least and most, of seconds."""

    questions: tuple[float, float] = (1.5, 4.0)
    asked: tuple[float, ...] = ()
    """Lengths of questions that are known, in order; person k begins with the k-th. Empty: by chance, as above."""
    answers: tuple[float, float] = (4.0, 12.0)
    clips: tuple[float, float] = (FIRST_CLIP_S, CLIP_S)
    """Speech of a reply's first clip, and of each that follows."""
    rests: tuple[float, float] = (1.0, 6.0)
    apart_s: float | None = None
    """Between the first words of two sessions; None: at any time of the first ten seconds."""
    seconds: float = SECONDS
    warm_s: float = WARM_S
    """What of it does not count."""


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
    admitted: int = 0

    @property
    def p95(self) -> float:
        """Of ``lips``; endless if nobody was answered."""
        return percentile(self.lips, 0.95)

    @property
    def stalled(self) -> float:
        """Share of speech."""
        return self.stalled_s / self.spoken_s if self.spoken_s else 1.0

    @property
    def carried(self) -> bool:
        """Whether that is good enough."""
        return self.p95 <= LIP_S and self.stalled <= STALLED


class Unrecorded:
    """Where the numbers of an Admission go that nobody scrapes."""

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Nothing is kept."""

    def text(self) -> bytes:
        """Nothing."""
        return b""


class _World:
    """Time, and stages that each do one thing at a time; the most urgent call goes first and is not interrupted."""

    def __init__(self, house: House, sessions: int, limits: Limits) -> None:
        self.house = house
        self.now = 0.0
        self.admission = Admission(Unrecorded(), limits, lambda: self.now)
        self.work: dict[str, float] = dict.fromkeys(house.devices, 0.0)
        self._events: list[tuple[float, int, Then]] = []
        self._waiting: dict[str, list[tuple[float, int, float, Then]]] = {s: [] for s in house.costs}
        self._free = {**house.replicas, **{f"device {name}": count for name, count in house.devices.items()}}
        self._count = 0
        left = 1 - sessions * GATEWAY / house.devices["cpu"]
        self.stretch = 1 / max(left, 0.01)
        """The gateway takes its part of every core."""

    def at(self, when: float, then: Then) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(when, self.now), self._count, then))

    def ask(self, stage: str, sound_s: float, urgent: float, then: Then, *, goes_on: bool = False) -> None:
        """``urgent``: when it is needed. ``goes_on``: the next step of a call, whose beginning is paid for."""
        cost = self.house.costs[stage]
        first = 0.0 if goes_on else cost.first
        seconds = (first + cost.each * sound_s) * (self.stretch if cost.device == "cpu" else 1)
        self._count += 1
        order = urgent if self.house.urgent_first else self.now
        heapq.heappush(self._waiting[stage], (order, self._count, seconds, then))
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

    def _end(self, stage: str, device: str, then: Then) -> None:
        self._free[stage] += 1
        self._free[f"device {device}"] += 1
        then()
        self._begin()


class _Person:
    """Comes, asks, listens to the answer, thinks, asks again; goes if not let in."""

    def __init__(self, world: _World, seen: Seen, habits: Habits, chance: random.Random, number: int) -> None:
        self._world, self._seen, self._habits, self._chance = world, seen, habits, chance
        self._number = number
        self._partial = False
        """Whether one is listened to: there is one at a time."""
        begin = chance.uniform(0, WARM_S / 2) if habits.apart_s is None else number * habits.apart_s
        world.at(begin, self._come)

    def _come(self) -> None:
        if self._world.admission.refusal() is None:
            self._world.admission.record("avatar_sessions_active", 1, {})
            self._seen.admitted += 1
            self._ask()

    def _ask(self) -> None:
        world, length = self._world, self._length()
        over = world.now + length
        self._partial = False
        self._listen(world.now, world.now + PARTIAL_S, over)
        heard = length + PAUSE_S  # the final has the pause in it by which it is known
        world.at(over + PAUSE_S, lambda: world.ask("asr", heard, over + END_OF_TURN_S, lambda: self._told(over)))

    def _length(self) -> float:
        """Of the next question."""
        asked = self._habits.asked
        self._number += 1
        return asked[(self._number - 1) % len(asked)] if asked else self._chance.uniform(*self._habits.questions)

    def _listen(self, begun: float, when: float, over: float) -> None:
        """A partial as soon as there is enough new sound, if the one before has come back by then."""

        def ask() -> None:
            self._partial = True
            heard = world.now
            world.ask("asr", heard - begun, over + 60, lambda: came(heard))

        def came(heard: float) -> None:
            self._partial = False
            self._listen(begun, heard + PARTIAL_S, over)

        world = self._world
        if max(when, world.now) < over:
            world.at(when, ask)

    def _told(self, over: float) -> None:
        self._world.at(over + END_OF_TURN_S, lambda: self._world.ask("llm", 0, over + 1, lambda: self._answer(over)))

    def _answer(self, over: float) -> None:
        length, counts = self._chance.uniform(*self._habits.answers), over >= self._habits.warm_s
        _Reply(self._world, self._seen, over, length, self._habits.clips, self._rest, counts=counts)

    def _rest(self) -> None:
        self._world.at(self._world.now + self._chance.uniform(*self._habits.rests), self._ask)


class _Reply:
    """Clips of voice one after another, spans of pictures under them, and playing, which waits for both."""

    def __init__(
        self,
        world: _World,
        seen: Seen,
        over: float,
        length: float,
        clips: tuple[float, float],
        then: Then,
        *,
        counts: bool,
    ) -> None:
        self._world, self._seen, self._over, self._length, self._then = world, seen, over, length, then
        self._clips, self._counts = clips, counts
        self._spoken = self._drawn = 0.0
        self._clip = 0.0
        """Sound at which the clip ends that is being spoken."""
        self._span = 0.0
        """What is left of the span that is being drawn."""
        self._ends = over + 1.0
        """When what is there has been played."""
        self._began: float | None = None
        """When playing did."""
        self._drawing = self._waiting = False
        self._speak()

    def _speak(self) -> None:
        """The next piece of the clip, or the first of the next one."""
        if self._spoken >= self._length - 1e-9:
            return
        goes_on = self._spoken < self._clip - 1e-9
        if not goes_on:
            self._clip = min(self._spoken + self._clips[self._spoken > 0], self._length)
        left = self._clip - self._spoken
        piece = min(self._world.house.costs["tts"].step or left, left)
        due = self._ends + self._spoken - self._drawn
        self._world.ask("tts", piece, due, lambda: self._speech(piece), goes_on=goes_on)

    def _speech(self, piece: float) -> None:
        if not self._spoken:
            self._world.admission.record("avatar_sessions_speaking", 1, {})
        self._spoken += piece
        ahead = self._spoken - self._drawn + max(self._ends - self._world.now, 0)
        over = self._spoken >= self._clip - 1e-9  # only between two clips is it waited for the playhead
        self._world.at(self._world.now + (max(ahead - VOICE_LEAD_S, 0) if over else 0), self._speak)
        self._draw()

    def _draw(self) -> None:
        """The next step of a span, or the first of the next one, if enough is known and may be sent."""
        if self._drawing or self._drawn >= self._length - 1e-9:
            return
        self._span = self._span if self._span > 1e-9 else self._next_span()
        if not self._span:
            return
        cost = self._world.house.costs.get("face")
        step = min(cost.step if cost and cost.step else SPAN_S, self._span)
        self._drawing = True
        if cost:
            self._world.ask("face", step, self._ends, lambda: self._show(step))
        else:
            self._show(step)

    def _next_span(self) -> float:
        """Its sound; 0 if it is too short to be asked for. Then it is looked at again when the client has reported."""
        now, spoken = self._world.now, self._spoken >= self._length - 1e-9
        known = self._spoken - self._drawn - (0 if spoken else LOOK_AHEAD_S)
        reported = now if self._began is None else now - (now - self._began) % REPORT_S
        ahead = self._drawn if self._began is None else max(self._ends - reported, 0)
        span = min(known, SEND_LEAD_S - ahead, SPAN_S)
        last = spoken and self._drawn + span >= self._length - 1e-9
        if span > 1e-9 and (last or not self._drawn or span >= SPAN_LEAST_S - 1e-9):
            return span
        if self._began is not None and not self._waiting:
            self._waiting = True
            self._world.at(reported + REPORT_S + 1e-6, self._look)
        return 0.0

    def _look(self) -> None:
        self._waiting = False
        self._draw()

    def _show(self, step: float) -> None:
        world, seen = self._world, self._seen
        if self._began is None:
            if self._counts:
                seen.lips.append(world.now - self._over)
        else:
            world.admission.record("avatar_deadline_slack_seconds", self._ends - world.now, {})
            seen.stalled_s += max(world.now - self._ends, 0.0) if self._counts else 0.0
        seen.spoken_s += step if self._counts else 0.0
        self._ends = step + (world.now if self._began is None else max(self._ends, world.now))
        self._began = world.now if self._began is None else self._began
        self._drawing = False
        self._drawn += step
        self._span -= step
        if self._drawn >= self._length - 1e-9:
            world.at(self._ends, self._end)
        else:
            self._draw()

    def _end(self) -> None:
        self._world.admission.record("avatar_sessions_speaking", -1, {})
        self._then()


def simulate(
    house: House, sessions: int, seed: int, habits: Habits | None = None, limits: Limits | None = None
) -> Seen:
    """So many people for two minutes, or as their habits say. Pure: the same arguments, the same answer."""
    habits = habits or Habits()
    seen = Seen(sessions)
    world = _World(house, sessions, limits or Limits())
    for k in range(sessions):
        _Person(world, seen, habits, random.Random(f"{seed}/{k}"), k)
    world.run(habits.seconds)
    room = {name: count * habits.seconds for name, count in house.devices.items() if name and count}
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


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; endless of nothing."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("inf")
