"""What the people of a load saw, joined over sessions and worker processes, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(slots=True)
class Tally:
    """What all sessions saw. Times are in seconds."""

    audio_s: list[float] = field(default_factory=list[float])
    """From the last voiced sample of a question to the first sound of its answer."""
    frame_s: list[float] = field(default_factory=list[float])
    """The same to its first picture."""
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    silence_s: list[float] = field(default_factory=list[float])
    """From the first voiced sample of an interruption to when the client was told to be silent."""
    asked: int = 0
    admitted: int = 0
    """Sessions that began."""
    refused: int = 0
    """Sessions that were told to come another time."""
    pictures: int = 0
    late: int = 0
    """Pictures that the playhead had to wait for."""
    heard_s: float = 0.0
    """Speech that was sent to all of them."""
    early: int = 0
    """Questions that were answered before they were over, and then not again."""

    @property
    def waits(self) -> tuple[tuple[str, list[float]], ...]:
        """Name and seconds of each kind of wait."""
        return (
            ("end of speech to first audio", self.audio_s),
            ("end of speech to first frame", self.frame_s),
            ("interruption to silence", self.silence_s),
        )

    def text(self) -> str:
        """A table of the waits, what was seen, then the failures by reason, as Markdown."""
        lines = ["| ms | times | p50 | p95 | p99 | max |", "|---|---|---|---|---|---|"]
        for name, waits in self.waits:
            shown = [f"{value * 1000:.0f}" for value in spread(waits)] if waits else ["-"] * 4
            lines.append(f"| {name} | {len(waits)} | {' | '.join(shown)} |")
        late = f"{self.late / self.pictures:.2%}" if self.pictures else "none"
        lines += [
            "",
            f"{self.admitted} sessions were let in, {self.refused} told to come later",
            f"{self.asked} questions were asked, {self.answered} answers heard to the end, "
            f"{self.failures.total()} failures",
            *([f"{self.early} questions were answered before they were over"] if self.early else []),
            f"{self.late} of {self.pictures} pictures came late ({late}); {self.heard_s / 60:.1f} minutes of speech",
        ]
        return "\n".join(lines + [f"- {count} x {reason}" for reason, count in self.failures.most_common()])

    def told(self) -> dict[str, Any]:
        """The same as JSON values; waits in milliseconds."""
        names = ("p50", "p95", "p99", "max")
        counted = ("asked", "answered", "admitted", "refused", "early", "pictures", "late", "heard_s")
        return {
            "waits_ms": {
                name: {
                    "times": len(waits),
                    **{n: round(v * 1000, 1) for n, v in zip(names, spread(waits), strict=True)},
                }
                for name, waits in self.waits
                if waits
            },
            **{name: getattr(self, name) for name in counted},
            "failures": dict(self.failures),
        }


def spread(values: Sequence[float]) -> tuple[float, float, float, float]:
    """p50, p95, p99 and the largest."""
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return float(p50), float(p95), float(p99), max(values)


def together(tallies: Iterable[Tally]) -> Tally:
    """One of many."""
    whole = Tally()
    for one in tallies:
        for name in ("audio_s", "frame_s", "silence_s", "answered", "asked", "admitted", "refused", "pictures"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        whole.late += one.late
        whole.early += one.early
        whole.heard_s += one.heard_s
        whole.failures += one.failures
    return whole
