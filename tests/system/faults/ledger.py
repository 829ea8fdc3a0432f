"""What was seen of each kind of fault, and the table of it in docs/operations.md. This file breaks nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from serve_app.bench.table import Result, write_section
from tests.system.faults.people import Person


@dataclass
class Seen:
    """Of one kind."""

    times: int = 0
    pauses: list[float] = field(default_factory=list[float])
    """Longest time without sound and pictures after each fault, of each person that waited for some."""
    resumed: list[float] = field(default_factory=list[float])
    """From a cut connection to the next one, of each person that was cut off."""
    lost: int = 0
    """Conversations."""
    less: int = 0
    """Replies that went on with less."""
    beside: int = 0
    """Of these, replies of others than the one who asked for what broke."""


@dataclass
class Ledger:
    """One for a whole run."""

    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])

    def note(self, kind: str, at: float, people: list[Person], lost: int) -> None:
        """A fault of this kind at ``at``, after which everybody talked on but for ``lost`` of them."""
        seen = self.seen.setdefault(kind, Seen())
        seen.times += 1
        seen.lost += lost
        for person in people:
            seen.pauses.append(person.pause(at))
            seen.resumed += [one.mended - one.cut for one in person.resumed if one.cut >= at - 0.5]
            seen.less += sum(not reply.whole for reply in person.after(at))

    def beside(self, kind: str, count: int) -> None:
        """So many replies of others went on with less."""
        self.seen[kind].beside += count

    def result(self) -> Result:
        """The table."""
        rows = [
            (kind, str(s.times), _two(s.pauses), _two(s.resumed), str(s.lost), str(s.less), str(s.beside))
            for kind, s in self.seen.items()
        ]
        head = ("what fails", "times", "pause p50 / max, s", "resumed p50 / max, s", "conversations lost")
        notes = (
            "Pause: the longest time without a piece of sound or a picture after the fault, while one was waited for, a"
            " new reply's first one included; in a healthy service it is 0.3 to 0.6 s. What is ahead at the client"
            " (1.2 s) covers part of it.",
            "Resumed: from the cut of a connection until another gateway has the conversation.",
            "Stages sleep and load nothing; the time that a model takes to load comes on top.",
        )
        return Result("faults", (*head, "replies with less", "of others"), tuple(rows), (), notes)

    def write(self, path: Path) -> None:
        """Put the table between its marks. Raises UserError if there are none."""
        write_section(path, self.result())


def _two(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{np.percentile(values, 50):.1f} / {max(values):.1f}"
