"""Many machines and very many people: who comes, who is let in, what is added and lost, what it costs.

A cluster: gateways that take their parts of the room (serve_app/room.py), and machines with the stages of a profile.
How long people wait on a machine with so many others is taken from the simulation of one (talking.py). What is added
and given up is decided by the policies that Ray asks (serve_app/scaling.py), who is let in by the gateway's own rule
(serve_app/gateway/admission.py): the same code, on the clock of this simulation. Pure: the same seed, the same day.
"""

from __future__ import annotations

import gc
import heapq
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serve_app.demand import Board
from serve_app.gateway.admission import Admission, Limits
from serve_app.room import share
from serve_app.scaling import PEOPLE, RULES, TURNED_AWAY, Policy
from serve_app.simulation.talking import Habits, Unrecorded

TRIES = 3
"""How often somebody asks to be let in before giving up."""
HASHED = 3
"""Machines that a conversation may come to, the emptiest first: its own, and those that stand in (placement.py)."""
TICK_S = 3.0
"""Between two questions to the policies: as long as the shortest patience of any."""
LOOK_S = 10.0
"""Between two looks at how many people come: it changes."""
NIGHT = 0.3
"""Share of the height at which the time begins and ends."""
LATE_PICTURES = 50
"""Picture messages that are told to the rule for a reply that stalled."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is simulated."""

    sessions: int
    """Conversations at once at the height."""
    hours: float = 2.0
    stay_s: float = 300.0
    """Mean length of a conversation."""
    cold_s: float = 180.0
    """From wanting a machine to its first conversation."""
    spot: float = 0.0
    """Share of the machines that is lost in an hour, without warning."""
    kind: str = "face"
    """Deployment whose policy is asked, out of serve_app.scaling.RULES."""
    each: float = 2.0
    """Conversations that a machine carries, as the policy is told."""
    limits: Limits = field(default_factory=Limits)
    """What one machine carries; the gateways share what all of them do."""
    habits: Habits = field(default_factory=Habits)


@dataclass(frozen=True, slots=True)
class Moment:
    """What there was at one moment."""

    at_s: float
    sessions: int
    machines: int
    """That are there or on their way: all of them are paid for."""
    gone: int
    """People who gave up so far."""
    came: int = 0
    refused: int = 0
    """Both so far, as a day has them."""


@dataclass(slots=True)
class Day:
    """What came of it."""

    came: int = 0
    admitted: int = 0
    refused: int = 0
    """Times that somebody was told to come later."""
    gone: int = 0
    """People who gave up."""
    lost: int = 0
    """Machines that were taken away."""
    moved: int = 0
    """Conversations that went on at another machine."""
    machine_s: float = 0.0
    spoken_s: float = 0.0
    most: int = 0
    """Machines at once."""
    height: int = 0
    """Conversations at once."""
    lips: list[float] = field(default_factory=list[float])
    moments: list[Moment] = field(default_factory=list[Moment])


class _Machine:
    """One of them."""

    __slots__ = ("open", "people")

    def __init__(self) -> None:
        self.people: set[int] = set()
        self.open = False


class _Door:
    """A gateway."""

    __slots__ = ("admission", "people")

    def __init__(self, limits: Limits, now: Any) -> None:
        self.admission = Admission(Unrecorded(), limits, now)
        self.people = 0


@dataclass(slots=True)
class _Context:
    """What the policy reads of Ray's; see serve_app.scaling.Context."""

    target_num_replicas: int
    total_num_requests: float
    aggregated_metrics: Mapping[str, Mapping[Any, float]] | None
    capacity_adjusted_min_replicas: int
    capacity_adjusted_max_replicas: int
    current_time: float | None


class Fleet:
    """The machines and the people of one simulation; ``day`` runs it."""

    def __init__(self, wish: Wish, waits: Sequence[Sequence[float]], stalls: Sequence[float], seed: int) -> None:
        """``waits``: lip waits on a machine with k + 1 people, ``stalls`` the share of speech that stalled."""
        self.day = Day()
        self._wish, self._waits, self._stalls = wish, waits, stalls
        self._chance = random.Random(seed)
        self._now = 0.0
        self._events: list[tuple[float, int, Any, tuple[Any, ...]]] = []
        self._count = 0
        self._machines: dict[_Machine, None] = {}  # in the order in which they came: the same seed, the same day
        self._open: list[_Machine] = []
        self._doors: list[_Door] = []
        self._in: dict[int, _Door] = {}
        """Person -> gateway."""
        self._at: dict[int, _Machine] = {}
        """Person -> machine."""
        self._until: dict[int, float] = {}
        """Person -> when it goes."""
        board = Board()
        self._gateways = Policy("gateway", RULES["gateway"].each, board=board)
        self._policy = Policy(wish.kind, wish.each, conversations=True, board=board)
        self._target = max(1, math.ceil(wish.sessions * NIGHT / max(self._room(), 1)))

    def run(self) -> Day:
        """To the end."""
        end = self._wish.hours * 3600
        for _ in range(self._target):
            self._order(0.0)
        self._stand(1)
        self._wait()
        self._plan(0.0, self._tick)
        collecting = gc.isenabled()
        gc.disable()  # nothing here refers in circles, and to look for that takes a sixth of the time
        try:
            while self._events and self._events[0][0] <= end:
                self._now, _, then, about = heapq.heappop(self._events)
                then(*about)
        finally:
            if collecting:
                gc.enable()
        return self.day

    def _plan(self, after: float, then: Any, *about: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (self._now + after, self._count, then, about))

    def _room(self) -> float:
        """Sessions of a machine at the beginning, when nothing is known yet."""
        return self._wish.limits.sessions or self._wish.each / 0.6

    # ---- people --------------------------------------------------------------------------------------------

    def _rate(self) -> float:
        """People a second: a hump over the whole time."""
        share = NIGHT + (1 - NIGHT) * math.sin(math.pi * self._now / (self._wish.hours * 3600)) ** 2
        return share * self._wish.sessions / self._wish.stay_s

    def _arrive(self) -> None:
        self.day.came += 1
        self._knock(self.day.came, 1)
        self._wait()

    def _wait(self) -> None:
        """For the next one. Nobody knows how long the last one has been gone, so a wait may begin anew at any time."""
        gap = self._chance.expovariate(self._rate())
        self._plan(min(gap, LOOK_S), self._arrive if gap <= LOOK_S else self._wait)

    def _knock(self, person: int, tries: int) -> None:
        """At the emptier of two gateways."""
        door = min((self._one(self._doors) for _ in range(2)), key=lambda door: door.people)
        busy = door.admission.knock()
        if busy:
            self.day.refused += 1
            if tries < TRIES:
                self._plan(busy.retry_s, self._knock, person, tries + 1)
            else:
                self.day.gone += 1
            return
        self._in[person] = door
        door.people += 1
        door.admission.record("avatar_sessions_active", 1, {})
        self.day.admitted += 1
        self.day.height = max(self.day.height, len(self._in))
        self._until[person] = self._now + self._chance.expovariate(1 / self._wish.stay_s)
        self._place(person)

    def _place(self, person: int) -> None:
        """Its calls go to one machine, as long as that is there."""
        if not self._open:  # its calls wait
            self._plan(1.0, self._place, person)
            return
        machine = min((self._one(self._open) for _ in range(HASHED)), key=lambda machine: len(machine.people))
        machine.people.add(person)
        self._at[person] = machine
        self._ask(person, machine)

    def _one(self, among: Sequence[Any]) -> Any:
        return among[int(self._chance.random() * len(among))]

    def _ask(self, person: int, machine: _Machine) -> None:
        if self._at.get(person) is not machine:  # it was lost meanwhile
            return
        if self._now >= self._until[person]:
            self._leave(person, machine)
            return
        waits = self._waits[min(len(machine.people), len(self._waits)) - 1]
        wait = waits[int(self._chance.random() * len(waits))] if waits else 60.0
        least, most = self._wish.habits.questions
        self.day.lips.append(wait)
        self._plan(least + (most - least) * self._chance.random() + wait, self._speak, person, machine)

    def _speak(self, person: int, machine: _Machine) -> None:
        if self._at.get(person) is not machine:
            return
        self._speaks(person, 1)
        least, most = self._wish.habits.answers
        length = least + (most - least) * self._chance.random()
        self.day.spoken_s += length
        stalled = self._stalls[min(len(machine.people), len(self._stalls)) - 1]
        if stalled > self._wish.limits.late:  # with less the rule turns nobody away, and telling it takes time
            for k in range(LATE_PICTURES):
                slack = -1.0 if k < stalled * LATE_PICTURES else 1.0
                self._in[person].admission.record("avatar_deadline_slack_seconds", slack, {})
        self._plan(length * (1 + stalled), self._rest, person, machine)

    def _rest(self, person: int, machine: _Machine) -> None:
        if self._at.get(person) is not machine:
            return
        self._speaks(person, -1)
        least, most = self._wish.habits.rests
        self._plan(least + (most - least) * self._chance.random(), self._ask, person, machine)

    def _speaks(self, person: int, more: int) -> None:
        if self._wish.limits.speaking:  # else nobody asks for it, and telling it takes time
            self._in[person].admission.record("avatar_sessions_speaking", more, {})

    def _leave(self, person: int, machine: _Machine) -> None:
        del self._at[person], self._until[person]
        machine.people.discard(person)
        door = self._in.pop(person)
        door.people -= 1
        door.admission.record("avatar_sessions_active", -1, {})

    # ---- machines ------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """What the policies want, what the gateways may let in, and what is paid."""
        people, away = float(len(self._in)), float(sum(door.admission.turned_away for door in self._doors))
        told = {"load": {"all": people}, PEOPLE: {"all": people}, TURNED_AWAY: {"all": away}}
        most = 4 * self._wish.sessions
        doors, _ = self._gateways(_Context(len(self._doors), 0.0, told, 1, most, self._now))
        self._stand(doors)
        wanted, _ = self._policy(_Context(self._target, 0.0, {"load": {"all": 0.0}}, 1, most, self._now))
        for _ in range(wanted - self._target):
            self._order(self._wish.cold_s * self._chance.uniform(0.8, 1.2))
        if wanted < self._target:
            self._give_up(self._target - wanted)
        self._target = wanted
        day = self.day
        day.machine_s += TICK_S * len(self._machines)
        day.most = max(day.most, len(self._machines))
        if self._now % 60 < TICK_S:
            day.moments.append(Moment(self._now, len(self._in), len(self._machines), day.gone, day.came, day.refused))
        self._plan(TICK_S, self._tick)

    def _stand(self, doors: int) -> None:
        """So many gateways, each with its part. They load no model, so they are there at once, and stay."""
        while len(self._doors) < doors:
            self._doors.append(_Door(Limits(), lambda: self._now))
        ready, limits = max(len(self._open), 1), self._wish.limits
        sessions, speaking = (share(most * ready, len(self._doors)) for most in (limits.sessions, limits.speaking))
        for door in self._doors:
            door.admission.limits = Limits(sessions, speaking, limits.late)

    def _order(self, after: float) -> None:
        machine = _Machine()
        self._machines[machine] = None
        self._plan(after, self._ready, machine)

    def _ready(self, machine: _Machine) -> None:
        if machine not in self._machines:
            return
        machine.open = True
        self._open.append(machine)
        if self._wish.spot:
            self._plan(self._chance.expovariate(self._wish.spot / 3600), self._lose, machine)

    def _give_up(self, count: int) -> None:
        """Those that are not there yet, then those with the fewest people."""
        for machine in sorted(self._machines, key=lambda one: (one.open, len(one.people)))[:count]:
            self._end(machine)

    def _end(self, machine: _Machine) -> None:
        """Its people go on at others: every call says all that it needs."""
        self._machines.pop(machine, None)
        if machine.open:
            self._open.remove(machine)
        for person in sorted(machine.people):
            del self._at[person]
            self.day.moved += 1
            self._plan(self._chance.uniform(0.1, 2.0), self._place, person)
        machine.people.clear()

    def _lose(self, machine: _Machine) -> None:
        """It is taken away; what replaces it is ordered at once."""
        if machine in self._machines:
            self.day.lost += 1
            self._end(machine)
            self._order(self._wish.cold_s * self._chance.uniform(0.8, 1.2))


def simulate(wish: Wish, waits: Sequence[Sequence[float]], stalls: Sequence[float], seed: int) -> Day:
    """The whole time, from a night over a height to a night."""
    return Fleet(wish, waits, stalls, seed).run()
