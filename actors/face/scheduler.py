"""What a face's replica does next: one order for the work of all its sessions, on one device.

Each chunk, window and picture has a moment after which a picture would be late; the most urgent goes first, and others
of its kind go along in one batch as long as that makes nobody late, or wins more time than it costs. Pictures that
would be late are not drawn, but for a span's first, which is waited for, and its last, which closes the mouth. This
file knows no clock, no thread, no network: time is told to it in milliseconds, so that every story of a load is a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.face.scheduling.costs import Costs, Kind
from actors.face.scheduling.ladder import ADMITTED, FULL, LATE, RUNGS, Demand, Ladder, use
from actors.face.scheduling.work import FRAME_MS, Line, Task, Work
from streaming.stages import Rung, StageError

HELD = 16
"""Pictures of a span that may wait for their consumer (0.64 s, 13 MB of 512 x 512): then it pauses until half of them
were taken."""
LONGEST_MS = 80.0
"""Longest batch of more than one: a cancelled one is not stopped in the middle, and a new reply waits for its end."""
SPEAKING_MS = 2000.0
"""A session between two spans of a reply speaks; nothing of it for so long, and it does not."""
AMPLE_MS = 60_000.0
"""Who has so much time is in no conversation: a file's pictures take what time others leave, and all are drawn."""
RETRY_S = 2.0
"""When to try again if no reply is known to end sooner: half a sentence."""


class FaceBusy(StageError):
    """The replica has as many speaking sessions as it can draw; the same call is welcome after ``retry_s`` seconds."""

    def __init__(self, said: str, retry_s: float = RETRY_S) -> None:
        super().__init__(said)
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Batch:
    """Tasks of one kind to be done at once."""

    tasks: tuple[Task, ...]

    @property
    def kind(self) -> Kind:
        """Of them all."""
        return self.tasks[0].kind


@dataclass(frozen=True, slots=True)
class Standing:
    """How a replica stands."""

    chunk_ms: float
    window_ms: float
    frame_ms: float
    """What one of each costs a session: a batch with one for every session that speaks now."""
    rung: Rung
    sessions: int
    """That speak."""


@dataclass(slots=True)
class Counts:
    """What has happened since the start."""

    drawn: int = 0
    late: int = 0
    """Of those that were drawn: ready after their moment; a span's first is waited for and not among them."""
    skipped: int = 0
    refused: int = 0
    batches: dict[Kind, int] = field(default_factory=dict[Kind, int])
    tasks: dict[Kind, int] = field(default_factory=dict[Kind, int])


class Scheduler:
    """One device's."""

    def __init__(self, costs: Costs, demand: Demand | None = None) -> None:
        self.costs = costs
        self.counts = Counts()
        self._demand = Demand() if demand is None else demand
        self._ladder = Ladder()
        self._lines: dict[int, Line] = {}
        self._seen: dict[str, float] = {}
        self._opened = 0
        self._pressed = False

    # ---- spans come and go ---------------------------------------------------------------------------------

    def open(self, work: Work, now: float) -> int:
        """A span's work is to be done; its number. Raises FaceBusy if its session would be one too many."""
        speaking = self._speaking(now)
        hurried = work.due - now < AMPLE_MS
        if hurried and work.session not in speaking and not self._room_for(len(speaking) + 1):
            self.counts.refused += 1
            retry = self._retry_s(now)
            raise FaceBusy(
                f"the face draws {len(speaking)} speaking sessions and has no room for one more; try again in"
                f" {retry:.1f} s, or start another replica of the face",
                retry,
            )
        self._opened += 1
        self._lines[self._opened] = line = Line(self._opened, work, hurried, now)
        self._saw(line, now)
        return self._opened

    def over(self, number: int) -> bool:
        """True if nothing of the span is left to do."""
        return self._lines[number].over

    def skipped(self, number: int) -> tuple[int, ...]:
        """Frames of the span, counted from its first, that were not drawn because they would have been late."""
        return tuple(self._lines[number].skipped)

    def close(self, number: int, now: float) -> None:
        """A span ended, was cancelled or failed; what is left of it is forgotten."""
        line = self._lines.pop(number, None)
        if line is None:
            return
        session, others = line.work.session, {other.work.session for other in self._lines.values()}
        if line.work.last and line.over and session not in others:
            self._seen.pop(session, None)
        else:
            self._saw(line, now)

    def took(self, number: int, now: float) -> None:
        """The consumer took a picture."""
        if line := self._lines.get(number):
            line.held -= 1
            self._saw(line, now)

    # ---- what is done next ---------------------------------------------------------------------------------

    def pick(self, now: float) -> Batch | None:
        """The next batch; None if nothing can be done until something comes or is taken. Nothing else is picked
        before it is `done` or its spans are closed."""
        self._pressed = self._ladder.late(now) > LATE
        for line in self._lines.values():
            line.pause(HELD)
        self._skip_late(now)
        ready = self._ready(now)
        return Batch(self._chosen(ready, now)) if ready else None

    def done(self, batch: Batch, now: float, took_ms: float | None = None) -> None:
        """A batch ended. ``took_ms``: how long it took, to learn from."""
        first = batch.tasks[0]
        if took_ms is not None:
            self.costs = self.costs.seen(batch.kind, len(batch.tasks), first.scale, took_ms)
        self.counts.batches[batch.kind] = self.counts.batches.get(batch.kind, 0) + 1
        for task in batch.tasks:
            self.counts.tasks[batch.kind] = self.counts.tasks.get(batch.kind, 0) + 1
            if line := self._lines.get(task.line):
                self._done(line, task, now)

    def standing(self, now: float, number: int | None = None) -> Standing:
        """What is told with the state of a span: from it the next plan is chosen."""
        sessions = len(self._speaking(now))
        each = {kind: self.costs.ms(kind, max(sessions, 1)) for kind in self.costs.curves}
        rung = self._rung(now, sessions)
        if number is not None and not self._lines[number].hurried:
            rung = ""
        return Standing(each["hear"], each["move"], each["draw"], rung, sessions)

    # ---- inside --------------------------------------------------------------------------------------------

    def _room_for(self, sessions: int) -> bool:
        """Whether so many can speak at once; one always can: slower than time is better than not at all."""
        needed = use(self.costs, self._demand.on(RUNGS[ADMITTED]), sessions)
        return sessions == 1 or (needed <= FULL and not self._ladder.exhausted)

    def _ready(self, now: float) -> list[Task]:
        most = self.costs.most("draw")
        ready: list[Task] = []
        for line in self._lines.values():
            if not line.paused:
                ready += line.tasks(now, self.costs, min(HELD - line.held, most))
        return ready

    def _chosen(self, ready: Sequence[Task], now: float) -> tuple[Task, ...]:
        """The most urgent task and those that go along with it."""
        head = min(ready, key=lambda task: task.urgency)
        alike = sorted(
            (task for task in ready if task.kind == head.kind and task.group == head.group),
            key=lambda task: task.urgency,
        )
        others = [task for task in ready if task.kind != head.kind or task.group != head.group]
        size, most = 1, min(len(alike), self.costs.most(head.kind))
        while size < most and self._worth(alike, others, size, now):
            size += 1
        return tuple(alike[:size])

    def _worth(self, alike: Sequence[Task], others: Sequence[Task], size: int, now: float) -> bool:
        """Whether one more in the batch makes nobody late, or saves those who are late more than it costs others.

        Under pressure a picture more is always worth it: as many as can be are drawn, and what that makes late is not.
        """
        kind, scale = alike[0].kind, alike[0].scale
        ends, later = (now + self.costs.ms(kind, count, scale) for count in (size, size + 1))
        alone = self.costs.ms(kind, 1, scale)
        step, gain = later - ends, alone - (later - ends)
        if gain <= 0 or later - now > LONGEST_MS:
            return False
        if self._pressed and kind == "draw":
            return True

        def latest(task: Task) -> float:
            return task.latest - self.costs.ms(task.kind, 1, task.scale)

        hurt = sum(task.latest < later for task in alike[:size])
        hurt += sum(ends <= latest(task) < later for task in others)
        if not hurt:
            return True
        helped = sum(task.latest < ends + alone for task in alike[size:])
        helped += sum(latest(task) < ends for task in others)
        return gain * helped >= step * hurt

    def _fullest(self) -> int:
        """The most pictures that a batch may hold."""
        sizes = range(1, self.costs.most("draw") + 1)
        return max(size for size in sizes if size == 1 or self.costs.ms("draw", size) <= LONGEST_MS)

    def _skip_late(self, now: float) -> None:
        takes = self.costs.ms("draw", self._fullest() if self._pressed else 1)
        for line in self._lines.values():
            skipped = 0 if line.paused else line.skip_late(now, takes)
            self.counts.skipped += skipped
            for _ in range(0 if line.stalled else skipped):
                self._ladder.saw(now, late=True)

    def _done(self, line: Line, task: Task, now: float) -> None:
        first = task.kind == "draw" and not line.begun
        late = line.done(task, now)
        self._saw(line, now)
        if task.kind != "draw":
            return
        self.counts.drawn += 1
        self.counts.late += late > 0 and not first
        self._ladder.saw(now, late=late > FRAME_MS and not first and not line.stalled)
        self._rung(now, len(self._speaking(now)))

    def _rung(self, now: float, sessions: int) -> Rung:
        return self._ladder.at(now, [use(self.costs, self._demand.on(rung), sessions) for rung in RUNGS])

    def _saw(self, line: Line, now: float) -> None:
        if line.hurried:
            self._seen[line.work.session] = now

    def _speaking(self, now: float) -> set[str]:
        """Sessions that something was done for lately: a stalled one does not count for long."""
        self._seen = {session: seen for session, seen in self._seen.items() if now - seen < SPEAKING_MS}
        return set(self._seen)

    def _retry_s(self, now: float) -> float:
        """Seconds until the first reply ends whose end is known, within bounds."""
        ends = [
            line.work.due + line.delay + FRAME_MS * (line.work.draws[-1] + 1)
            for line in self._lines.values()
            if line.work.last and line.work.draws
        ]
        known = min(ends, default=now + 1000 * RETRY_S) - now
        return min(max(known / 1000, 0.1), RETRY_S)
