"""What is measured, as figures: each with its unit, which way is better, and how much worse is a regression.

The tolerances are here and nowhere else. This file measures nothing and reads no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Better = Literal["less", "more", "zero"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure."""

    unit: str
    better: Better
    """``zero``: the nearer to zero, whatever the sign."""
    relative: float
    """Share of the value before by which a figure may be worse."""
    least: float
    """What it may be worse by in any case, in its unit: a figure near zero has no room in percent."""
    timed: bool = False
    """It depends on the machine."""
    digits: int = 1

    @property
    def tolerance(self) -> str:
        """For a person: ``10 %, 0.5 points at least``."""
        least = f"{self.least:g} {'points' if self.unit == '%' else self.unit}".rstrip() if self.least else "nothing"
        return f"{100 * self.relative:g} %, {least} at least" if self.relative else least


KINDS: dict[str, Kind] = {
    "errors": Kind("%", "less", 0.10, 0.5),  # a word of two hundred
    "answered": Kind("%", "more", 0.0, 0.0),
    "real time": Kind("x", "less", 0.30, 0.02, timed=True, digits=3),  # by the clock: other programs count
    "work": Kind("x", "less", 0.15, 0.01, timed=True, digits=3),  # CPU time: they hardly do
    "wait": Kind("ms", "less", 0.20, 50.0, timed=True, digits=0),
    "likeness": Kind("", "more", 0.0, 0.03, digits=3),
    "agreement": Kind("", "more", 0.05, 0.03, digits=2),
    "lag": Kind("ms", "zero", 0.0, 10.0),
    "lips shut": Kind("%", "more", 0.0, 2.0),
    "lips open": Kind("%", "less", 0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, or why it was not."""

    name: str
    kind: str
    """A key of ``KINDS``."""
    runs: tuple[float, ...] = ()
    """What each run gave; empty: it was not measured."""
    note: str = ""
    """Of how much, or why not."""

    @property
    def of(self) -> Kind:
        """Unit, direction and tolerance."""
        return KINDS[self.kind]

    @property
    def value(self) -> float | None:
        """The median of the runs: one run beside a busy program does not move it."""
        return median(self.runs) if self.runs else None

    @property
    def shown(self) -> str:
        """For a person."""
        if self.value is None:
            return "not measured"
        text = f"{self.value:.{self.of.digits}f} {self.of.unit}".rstrip()
        if len(set(self.runs)) > 1:
            text += f" ({min(self.runs):.{self.of.digits}f}-{max(self.runs):.{self.of.digits}f})"
        return text


def merged(runs: Sequence[Sequence[Figure]]) -> list[Figure]:
    """One figure for each name, in the order of the first run, with what every run gave."""
    found: dict[str, Figure] = {}
    for figures in runs:
        for figure in figures:
            before = found.get(figure.name)
            found[figure.name] = Figure(
                figure.name,
                figure.kind,
                (*before.runs, *figure.runs) if before else figure.runs,
                figure.note if figure.runs or before is None else before.note,
            )
    return list(found.values())
