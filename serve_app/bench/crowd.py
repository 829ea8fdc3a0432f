"""People who are answered at once, on a simulated GPU, under one order of work or another: a seeded story, no clock.

Each session's replies begin at seeded moments; spans are asked for as far ahead as a conversation does, and whoever
watches waits for a picture that is not there (the gate). Nothing is rendered: batches take the time that a cost curve
says. This file prints nothing.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from actors.face.scheduler import Batch, FaceBusy, Scheduler
from actors.face.scheduling.costs import Costs, Kind
from actors.face.scheduling.ladder import FEWER_STEPS, RUNGS
from actors.face.scheduling.work import FRAME_MS, Step, Task, Work
from streaming.stages import Rung

SPAN = 15
"""Frames of a span."""
LEAD_MS = 1200.0
"""A span is asked for once its end is so near to the playhead."""
REPLY_S, PAUSE_S = (2.0, 6.0), (0.5, 3.0)
STALLS_AFTER = 20
"""Pictures that the session that stalls takes before it takes none for ever."""
BURST_MS = 6000.0
"""In a story of bursts everybody's reply begins within 100 ms, so often."""

SIZES = (1, 2, 4, 8)


def costs(frame_ms: float) -> Costs:
    """A GPU that draws a picture alone in so long. The shape is assumed: pictures fill the device, so a batch saves a
    fifth of each; windows and chunks are small and launch-bound, so it saves most of them."""
    shapes: Mapping[Kind, tuple[float, float]] = {"hear": (0.2, 0.4), "move": (0.5, 0.3), "draw": (1.0, 0.8)}
    return Costs.of(
        {
            kind: {size: frame_ms * alone * (1 - more + more * size) for size in SIZES}
            for kind, (alone, more) in shapes.items()
        }
    )


class Fifo(Scheduler):
    """First come, first served: spans in the order of their coming, batches as large as there is work for."""

    def _room_for(self, sessions: int) -> bool:
        return True

    def _skip_late(self, now: float) -> None:
        pass

    def _chosen(self, ready: Sequence[Task], now: float) -> tuple[Task, ...]:
        return self._greedy(sorted(ready, key=lambda task: (task.line, task.latest)))

    def _greedy(self, ordered: Sequence[Task]) -> tuple[Task, ...]:
        head = ordered[0]
        alike = [task for task in ordered if (task.kind, task.group) == (head.kind, head.group)]
        return tuple(alike[: self.costs.most(head.kind)])


class RoundRobin(Fifo):
    """Everybody in turn, one task each; the tasks of one kind in one batch."""

    def __init__(self, given: Costs) -> None:
        super().__init__(given)
        self._served: dict[int, int] = {}
        self._turn = 0

    def _chosen(self, ready: Sequence[Task], now: float) -> tuple[Task, ...]:
        first: dict[int, Task] = {}
        for task in sorted(ready, key=lambda task: task.latest):
            first.setdefault(task.line, task)
        turn = sorted(first.values(), key=lambda task: (self._served.get(task.line, 0), task.line))
        chosen = self._greedy(turn)
        self._turn += 1
        self._served |= {task.line: self._turn for task in chosen}
        return chosen


class Deadlines(Scheduler):
    """The order of work alone: everybody is let in, and nobody is asked to do with less."""

    def _room_for(self, sessions: int) -> bool:
        return True


ORDERS: Mapping[str, Callable[[Costs], Scheduler]] = {
    "first come": Fifo, "round robin": RoundRobin, "deadlines": Deadlines, "whole": Scheduler,
}  # fmt: skip
"""The last one is what a replica runs: with admission and the ladder."""


@dataclass(slots=True)
class Seen:
    """What people got."""

    replies: int = 0
    refused: int = 0
    frames: int = 0
    """That a plan wanted pictures of."""
    skipped: int = 0
    late: int = 0
    lateness: list[float] = field(default_factory=list[float])
    """Milliseconds past its moment of each picture that was drawn; 0 if it was there before."""
    first: list[float] = field(default_factory=list[float])
    """Milliseconds from a reply's first span to its first picture."""
    waited: float = 0.0
    """Milliseconds for which sound and picture stood still."""
    rung: Rung = ""
    """The highest."""
    sessions: int = 0
    """The most that spoke at once."""

    @property
    def missed(self) -> int:
        """Pictures that were not there at their moment."""
        return self.skipped + self.late


@dataclass(frozen=True, slots=True)
class Story:
    """Who speaks when."""

    frame_ms: float
    sessions: int
    bursts: bool = False
    stalled: bool = False
    """One more session that stops taking pictures."""
    seconds: float = 30.0
    seed: int = 1


class _World:
    def __init__(self, story: Story, order: str) -> None:
        given = costs(story.frame_ms)
        self.story, self.order = story, order
        self.scheduler = ORDERS[order](given)
        self.now = 0.0
        self.seen = Seen()
        self.lines: dict[int, _Session] = {}
        self._true = given
        self._chance = random.Random(story.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._busy = False

    def at(self, when: float, then: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(when, self.now), self._count, then))

    def run(self) -> Seen:
        while self._events and self._events[0][0] <= self.story.seconds * 1000:
            self.now, _, then = heapq.heappop(self._events)
            then()
            self._begin()
        self.seen.skipped = sum(session.skipped for session in self.sessions if not session.stalls)
        return self.seen

    sessions: Sequence[_Session] = ()

    def _begin(self) -> None:
        if self._busy or (batch := self.scheduler.pick(self.now)) is None:
            return
        self._busy = True
        took = self._true.ms(batch.kind, len(batch.tasks), batch.tasks[0].scale) * self._chance.uniform(0.95, 1.1)
        self.at(self.now + took, lambda: self._end(batch, took))

    def _end(self, batch: Batch, took: float) -> None:
        self._busy = False
        self.scheduler.done(batch, self.now, took)
        for task in batch.tasks:
            if batch.kind == "draw":
                self.lines[task.line].picture(task)
        for number in sorted({task.line for task in batch.tasks}):
            if self.scheduler.over(number):
                self.lines[number].span_ended(number)


class _Session:
    """Somebody who is answered, again and again."""

    def __init__(self, world: _World, name: str, chance: random.Random, *, stalls: bool) -> None:
        self._world, self._name, self._chance = world, name, chance
        self.stalls, self.skipped, self._taken = stalls, 0, 0
        self._rung: Rung = ""
        world.at(chance.uniform(0, 100 if world.story.bursts or stalls else 3000), self._reply)

    def _reply(self) -> None:
        self._total = int(self._chance.uniform(*REPLY_S) * 25)
        self._began, self._base = self._world.now, None
        self._first, self._end, self._open, self._newest = 0, 0, 0, -1
        self._ask()

    def _due(self, frame: int) -> float:
        return self._world.now if self._base is None else self._base + FRAME_MS * frame

    def _ask(self) -> None:
        world = self._world
        self._count = min(SPAN, self._total - self._first)
        work = self._work()
        try:
            number = world.scheduler.open(work, world.now)
        except FaceBusy:
            world.seen.refused += 1
            self._again()
            return
        world.lines[number] = self
        if not self.stalls:
            world.seen.replies += self._first == 0
            world.seen.frames += len(work.draws)
        world.seen.sessions = max(world.seen.sessions, world.scheduler.standing(world.now).sessions)
        if world.scheduler.over(number):
            self.span_ended(number)

    def _work(self) -> Work:
        """Windows of five frames at a reply's beginning, of ten later: what `plan` would choose."""
        first, until, steps, chunks = self._first, self._first + self._count, list[Step](), 0
        before = max(self._end - self._open - first, 0)
        while self._end - self._open < until:
            self._open = 5 if self._end < 10 else 10
            self._end, chunks = self._end + self._open, chunks + self._open // 5
            steps.append(Step(chunks, min(max(self._end - self._open - first, 0), self._count)))
        draws = () if self._rung == "still" else tuple(range(0, self._count, 2 if self._rung == "rate" else 1))
        if draws and draws[-1] != self._count - 1 and until == self._total:
            draws += (self._count - 1,)
        scale = 1.0 if self._rung == "" else FEWER_STEPS
        last = until == self._total
        return Work(self._name, self._due(first), tuple(steps), draws, before, last, scale, scale)

    def picture(self, task: Task) -> None:
        """It came: whoever watches shows it, and hears on if that is what was waited for."""
        world, seen, frame = self._world, self._world.seen, self._first + task.number
        if self.stalls:
            self._taken += 1
            if self._taken <= STALLS_AFTER:
                world.scheduler.took(task.line, world.now)
            return
        world.scheduler.took(task.line, world.now)
        if self._base is None:
            self._base = world.now - FRAME_MS * frame
            seen.first.append(world.now - self._began)
        late = max(world.now - self._due(frame), 0.0)
        waited = max(world.now - self._due(self._newest + 1), 0.0)
        seen.late += late > 0
        seen.lateness.append(late)
        seen.waited += waited
        self._base += waited
        self._newest = frame

    def span_ended(self, number: int) -> None:
        world = self._world
        self.skipped += len(world.scheduler.skipped(number))
        rung = world.scheduler.standing(world.now).rung
        world.scheduler.close(number, world.now)
        world.seen.rung = RUNGS[max(map(RUNGS.index, (world.seen.rung, rung)))]
        self._rung = rung if world.order == "whole" else ""
        self._first += self._count
        self._newest = self._first - 1  # what a plan or a skip left out is told at the end, and not waited for
        if self._base is None:
            self._base = world.now
        if self._first == self._total:
            world.at(self._due(self._total), self._again)
        else:
            end = min(self._first + SPAN, self._total)
            world.at(self._due(end) - LEAD_MS, self._ask)

    def _again(self) -> None:
        world = self._world
        pause = self._chance.uniform(*PAUSE_S) * 1000
        when = world.now + pause
        if world.story.bursts:
            when = (when // BURST_MS + 1) * BURST_MS + self._chance.uniform(0, 100)
        world.at(when, self._reply)


def tell(story: Story, order: str) -> Seen:
    """What people get in a story under one of ORDERS."""
    world = _World(story, order)
    count = story.sessions + story.stalled
    world.sessions = [
        _Session(world, f"session {k}", random.Random(story.seed * 1000 + k), stalls=k == story.sessions)
        for k in range(count)
    ]
    return world.run()
