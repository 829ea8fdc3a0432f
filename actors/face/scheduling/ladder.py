"""When a replica has too much to do: who is let in, and what is given up, one rung after another.

Fewer steps, half the frame rate, a still picture with the voice; whoever comes while only half the rate would leave
room for them is refused. A rung is asked for as soon as the work that is known needs more than the device has, or
pictures come late; it is left when the rung below has been enough for a while. The rung is told with each state, and
the plan that answers it is chosen elsewhere, so that a replay draws the same. This file knows no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from actors.face.scheduling.costs import KINDS, Costs
from streaming.media import FPS
from streaming.stages import Rung

RUNGS: tuple[Rung, ...] = ("", "steps", "rate", "still")

ADMITTED = RUNGS.index("rate")
"""A session more is let in if all fit on this rung: a moving face for each, or none for the one that comes last."""

FULL = 0.95
"""Share of the device from which on a rung is not enough; the rest is for batches that do not fill up."""
CALM = 0.8
"""Share that the rung below must not need before it is gone back to."""
LATE = 0.12
"""Share of the last second's pictures that were late or skipped, from which on a rung is not enough."""
UP_MS, STILL_MS, DOWN_MS = 300.0, 1500.0, 3000.0
"""How long that must be so. Up: a burst of one span; to a still picture, which everybody sees, as long as the rungs
before it need to have an effect; down: some spans, each drawn as the last state told."""
LAST_MS = 1000.0

FEWER_STEPS = 0.5
"""Share of the sampler's steps that is left on the first rung."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one speaking session needs for a second of speech."""

    hear: float = 5.0
    move: float = 2.5
    """Windows: of ten frames, as in mid-reply."""
    draw: float = 25.0

    def on(self, rung: Rung) -> Demand:
        """The same on a rung; each rung keeps what those before it gave up."""
        move = self.move if rung == "" else self.move * FEWER_STEPS
        draw = {"rate": self.draw / 2, "still": 0.0}.get(rung, self.draw)
        return Demand(self.hear, move, draw)


def use(costs: Costs, demand: Demand, sessions: int) -> float:
    """Share of the device that so many speaking sessions need, with batches across all of them."""
    if not sessions:
        return 0.0
    each = (getattr(demand, kind) * costs.ms(kind, sessions) for kind in KINDS)
    return sum(each) / 1000


class Ladder:
    """On which rung the replica is."""

    def __init__(self) -> None:
        self._rung = 0
        self._over: float | None = None
        self._calm: float | None = None
        self._drawn: deque[tuple[float, bool]] = deque()

    @property
    def rung(self) -> Rung:
        """The one that is asked for."""
        return RUNGS[self._rung]

    @property
    def exhausted(self) -> bool:
        """Nothing is left to give up."""
        return self._rung == len(RUNGS) - 1

    def saw(self, now: float, late: bool) -> None:
        """A picture was drawn, or skipped."""
        self._drawn.append((now, late))

    def late(self, now: float) -> float:
        """Share of the last second's pictures that were late or skipped; of one session's, if there were fewer."""
        while self._drawn and self._drawn[0][0] <= now - LAST_MS:
            self._drawn.popleft()
        return sum(late for _, late in self._drawn) / max(len(self._drawn), FPS)

    def at(self, now: float, uses: Sequence[float]) -> Rung:
        """The rung for the share of the device that is needed on each."""
        late = self.late(now)
        over = uses[self._rung] > FULL or late > LATE
        calm = self._rung > 0 and uses[self._rung - 1] < CALM and not late
        self._over = (now if self._over is None else self._over) if over else None
        self._calm = (now if self._calm is None else self._calm) if calm else None
        patience = STILL_MS if RUNGS[self._rung + 1 :] == ("still",) else UP_MS
        if self._over is not None and now - self._over >= patience:
            self._move(min(self._rung + 1, len(RUNGS) - 1))
        elif self._calm is not None and now - self._calm >= DOWN_MS:
            self._move(self._rung - 1)
        return self.rung

    def _move(self, rung: int) -> None:
        self._rung, self._over, self._calm = rung, None, None
        self._drawn.clear()  # they say how the rung before did
