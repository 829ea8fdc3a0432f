"""One span's work, in numbers only: chunks to hear, windows to run, pictures to draw, and when each is needed.

Chunks come before the windows that need them, windows one after the other, pictures after their window. This file
knows neither what is computed nor whose it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from actors.face.scheduling.costs import Costs, Kind

FRAME_MS = 40.0
PATIENT_MS = 5000.0
"""A file gets a batch so often, however much is said live: a longer silence would be taken for the replica's end."""


@dataclass(frozen=True, slots=True)
class Step:
    """A window, and what there is of the span once it was run."""

    chunks: int
    """Chunks that must have been heard for it, counted from the span's first."""
    frames: int
    """Frames, from the span's first, whose motion is finished then."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that a span needs."""

    session: str
    due: float
    """Milliseconds of the scheduler's clock at which the span's first frame is heard."""
    steps: tuple[Step, ...]
    draws: tuple[int, ...]
    """Frames, counted from the span's first, that the plan wants pictures of; ascending, may be empty."""
    finished: int = 0
    """Frames whose motion was finished before the span."""
    last: bool = False
    """True if the reply ends with it."""
    group: Hashable = None
    """Windows of different groups cannot be in one batch."""
    scale: float = 1.0
    """Work of a window beside that of a measured one."""

    @property
    def chunks(self) -> int:
        """To hear."""
        return self.steps[-1].chunks if self.steps else 0


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that can be done now."""

    line: int
    kind: Kind
    number: int
    """Of the chunk or the window; of the frame, counted from the span's first."""
    latest: float
    """Milliseconds: ended later than this, a picture is late."""
    group: Hashable = None
    scale: float = 1.0

    @property
    def urgency(self) -> tuple[float, int, int]:
        """Smaller goes first; who came first goes first where both are as urgent."""
        return self.latest, self.line, self.number


@dataclass(slots=True)
class Line:
    """How far one span has come. Its tasks end in the order in which they stand here."""

    number: int
    """Spans are numbered as they come."""
    work: Work
    hurried: bool = True
    """Somebody listens while it is drawn."""
    since: float = 0.0
    """When something was last done for it."""
    heard: int = 0
    moved: int = 0
    placed: int = 0
    """Of ``work.draws``: drawn or skipped."""
    held: int = 0
    """Pictures that the consumer has not taken."""
    delay: float = 0.0
    """Milliseconds by which the first picture was late: whoever watches waited for it, and hears all later by that."""
    begun: bool = False
    """The first picture was drawn."""
    paused: bool = False
    """The consumer left pictures lying until there was no room for more, and has not taken half of them yet."""
    stalled: bool = False
    """It was paused at some time: what its consumer misses is no fault of the device."""
    skipped: list[int] = field(default_factory=list[int])

    @property
    def over(self) -> bool:
        """Nothing is left to do."""
        return self.moved == len(self.work.steps) and self.placed == len(self.work.draws)

    @property
    def finished(self) -> int:
        """Frames whose motion is finished."""
        return self.work.steps[self.moved - 1].frames if self.moved else self.work.finished

    def pause(self, most: int) -> None:
        """See whether it has to wait for its consumer, who may hold ``most`` pictures."""
        self.paused = self.held >= most or (self.paused and self.held > most // 2)
        self.stalled = self.stalled or self.paused

    def tasks(self, now: float, costs: Costs, room: int) -> Iterator[Task]:
        """What can be done now, at most ``room`` pictures."""
        work, due, draw = self.work, self.due(now, costs), costs.ms("draw", 1)
        move = costs.ms("move", 1, work.scale)
        latest = [due + FRAME_MS * frame - draw - hops * move for frame, hops in self._windows()]
        wanted = 0
        for chunk in range(self.heard, work.chunks):
            while work.steps[wanted].chunks <= chunk:
                wanted += 1
            yield Task(self.number, "hear", chunk, latest[wanted] - move)
        if self.moved < len(work.steps) and work.steps[self.moved].chunks <= self.heard:
            yield Task(self.number, "move", self.moved, latest[self.moved], work.group, work.scale)
        for frame in work.draws[self.placed : self.placed + room]:
            if frame >= self.finished:
                return
            yield Task(self.number, "draw", frame, due + FRAME_MS * frame)

    def due(self, now: float, costs: Costs) -> float:
        """When the span's first frame is heard. While its first picture is not there, no sooner than that can be."""
        if not self.hurried:
            frame = next(iter(self.work.draws[self.placed :]), 0)
            return self.since + PATIENT_MS - FRAME_MS * frame
        if self.begun or not self.work.draws:
            return self.work.due + self.delay
        first = self.work.draws[0]
        windows = sum(1 for step in self.work.steps[self.moved :] if step.frames <= first) + (self.finished <= first)
        soonest = now + costs.ms("draw", 1) + windows * costs.ms("move", 1, self.work.scale)
        if windows and self.work.steps[self.moved].chunks > self.heard:
            soonest += costs.ms("hear", 1)
        return max(self.work.due, soonest - FRAME_MS * first)

    def skip_late(self, now: float, takes_ms: float) -> int:
        """Give up pictures that would be late if they took so long, but for the span's first and last; how many."""
        draws, due = self.work.draws, self.work.due + self.delay
        before = self.placed
        while self.hurried and self.begun and self.placed < len(draws) - 1 and draws[self.placed] < self.finished:
            if now + takes_ms <= due + FRAME_MS * draws[self.placed]:
                break
            self.skipped.append(draws[self.placed])
            self.placed += 1
        return self.placed - before

    def done(self, task: Task, now: float) -> float:
        """A task ended; for a picture the milliseconds by which it was late, below 0 what it was early."""
        self.since = now
        match task.kind:
            case "hear":
                self.heard += 1
            case "move":
                self.moved += 1
            case "draw":
                self.placed += 1
                self.held += 1
                late = now - (self.work.due + self.delay + FRAME_MS * task.number)
                if not self.hurried:
                    return 0.0
                if not self.begun:
                    self.begun, self.delay = True, max(late, 0.0)
                return late
        return 0.0

    def _windows(self) -> Iterator[tuple[int, int]]:
        """For each window the frame that waits for it, and how many windows that frame needs after it."""
        steps, before = self.work.steps, self.work.finished
        for place, step in enumerate(steps):
            after = next((k for k, later in enumerate(steps[place:]) if later.frames > before), 0)
            yield before, after
            before = step.frames
