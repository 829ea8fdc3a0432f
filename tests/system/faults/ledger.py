"""What was seen of each kind of fault, and the table of it in docs/runbook.md. This file breaks nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from serve_app.bench.table import Result, write_section
from tests.system.faults.people import AHEAD_S, Person

BESIDE_S = 5.0
"""For so long before and after a fault the pictures of those whom it did not hit are counted."""


@dataclass
class Seen:
    """Of one kind."""

    times: int = 0
    breaks: list[float] = field(default_factory=list[float])
    """Longest time without sound and pictures in the reply that was heard, of each person whom the fault hit."""
    pauses: list[float] = field(default_factory=list[float])
    """Longest time without sound and pictures after each fault, of each person that waited for some."""
    resumed: list[float] = field(default_factory=list[float])
    """From a cut connection to the next one, of each person that was cut off."""
    lost: int = 0
    """Conversations."""
    before: tuple[int, int] = (0, 0)
    """Late pictures and all pictures of whoever was not hit, before the faults."""
    after: tuple[int, int] = (0, 0)
    """The same after them."""
    less: int = 0
    """Replies that went on with less."""
    beside: int = 0
    """Of these, replies of others than the one who asked for what broke."""


@dataclass
class Ledger:
    """One for a whole run."""

    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])

    def note(self, kind: str, at: float, people: list[Person], lost: int, hit: set[str]) -> None:
        """A fault of this kind at ``at``, after which everybody talked on but for ``lost`` of them.

        ``hit``: sessions that a replica worked for when it died; those whose connection was cut are known.
        """
        seen = self.seen.setdefault(kind, Seen())
        seen.times += 1
        seen.lost += lost
        for person in people:
            seen.pauses.append(person.pause(at))
            seen.resumed += [one.mended - one.cut for one in person.resumed if one.cut >= at - 0.5]
            seen.less += sum(not reply.whole for reply in person.after(at))
            if person.session in hit or any(one.cut >= at - 0.5 for one in person.resumed):
                seen.breaks += [longest for longest in [person.break_in(at)] if longest is not None]
            else:
                seen.before = _sum(seen.before, person.late(at - BESIDE_S, at))
                seen.after = _sum(seen.after, person.late(at, at + BESIDE_S))

    def beside(self, kind: str, count: int) -> None:
        """So many replies of others went on with less."""
        self.seen[kind].beside += count

    def result(self) -> Result:
        """The table."""
        rows = [
            (
                kind,
                str(s.times),
                _two(s.breaks),
                _two(s.pauses),
                _two(s.resumed),
                str(s.lost),
                f"{s.less} / {s.beside}",
                f"{_share(s.before)} / {_share(s.after)}",
            )
            for kind, s in self.seen.items()
        ]
        head = ("what fails", "times", "goes on after", "pause", "resumed", "conversations lost")
        notes = (
            "Times are p50 / max in seconds.",
            "Goes on after: the longest time without a piece of sound or a picture in a reply that was being heard, of"
            " those whom the fault hit: their call, or their connection, died with it.",
            "Pause: the longest time without a piece of sound or a picture after the fault, while one was waited for, a"
            " new reply's first one included, of everybody; in a healthy service it is 0.3 to 0.6 s. What is ahead at"
            " the client (1.2 s) covers part of it.",
            "Resumed: from the cut of a connection until another gateway has the conversation.",
            "Replies with less: all, and those of others than the one who asked for what broke.",
            f"Late: of 1,000 pictures for whomever the fault did not hit, those for which a player that keeps"
            f" {AHEAD_S:g} s ahead had to wait, in the {BESIDE_S:g} s before the fault and after it.",
            "Stages sleep and load nothing; the time that a model takes to load comes on top.",
        )
        return Result("faults", (*head, "replies with less", "late, before / after"), tuple(rows), (), notes)

    def write(self, path: Path) -> None:
        """Put the table between its marks. Raises UserError if there are none."""
        write_section(path, self.result())


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _share(late: tuple[int, int]) -> str:
    return f"{1000 * late[0] / late[1]:.1f}" if late[1] else "-"


def _two(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{np.percentile(values, 50):.1f} / {max(values):.1f}"
