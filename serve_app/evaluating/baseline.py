"""What was measured before, and whether it has become worse.

A figure is a regression if its median is worse by more than its kind's tolerance *and* each of its runs is worse than
every run before: with three runs each, chance alone does that once in twenty times. Times of another machine are not
judged. What was measured before and is no more is a regression too: a face that has broken must not pass.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_app.errors import UserError
from serve_app.evaluating.figures import KINDS, Figure, Kind

VERSION = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """The figures of an earlier evaluation, and where they are from."""

    path: Path
    digest: str
    """Of the set."""
    machine: str
    runs: Mapping[str, tuple[str, tuple[float, ...]]]
    """Name of a figure -> its kind, what each run gave."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure beside what it was."""

    figure: Figure
    before: float | None
    """None: it was not measured then."""
    worse: bool
    """A regression."""
    told: str
    """A sentence if it is one; else a word or two."""


def content(figures: Sequence[Figure], about: Mapping[str, Any]) -> dict[str, Any]:
    """What is written of an evaluation: a later one can be held against it."""
    rows = {
        figure.name: {
            "kind": figure.kind,
            "value": figure.value,
            "unit": figure.of.unit,
            "runs": list(figure.runs),
            "note": figure.note,
        }
        for figure in figures
    }
    return {"version": VERSION, **about, "figures": rows}


def read(path: Path) -> Baseline:
    """Read what ``content`` wrote. Raises UserError."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"the baseline {path} cannot be read: {reason}; make one with --write-baseline") from None
    except ValueError as error:  # JSON and UTF-8 both
        raise UserError(f"the baseline {path} is not JSON ({error}); make one with --write-baseline") from None
    try:
        if found["version"] != VERSION:
            raise UserError(f"the baseline {path} is of another version; make one with --write-baseline")
        runs = {
            str(name): (row["kind"], tuple(float(value) for value in row["runs"]))
            for name, row in found["figures"].items()
        }
        return Baseline(path, found["set"]["digest"], found["machine"], _known(path, runs))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is no baseline ({type(error).__name__}: {error}); make one with --write-baseline"
        ) from None


def _known(path: Path, runs: dict[str, tuple[str, tuple[float, ...]]]) -> dict[str, tuple[str, tuple[float, ...]]]:
    for name, (kind, _) in runs.items():
        if kind not in KINDS:
            raise UserError(f"the baseline {path} has {name!r} of an unknown kind {kind!r}; make it anew")
    return runs


def fitting(baseline: Baseline, digest: str) -> Baseline:
    """The baseline, if it is of the same set. Raises UserError: figures of two sets say nothing of each other."""
    if baseline.digest != digest:
        raise UserError(
            f"the baseline {baseline.path} is of another set, or of other cases of it; use the set that it was made"
            " with, or make one of this with --write-baseline"
        )
    return baseline


def changes(figures: Sequence[Figure], baseline: Baseline, machine: str) -> list[Change]:
    """Every figure beside what it was, those that are gone among them."""
    rows = [_change(figure, baseline, same=machine == baseline.machine) for figure in figures]
    names = {figure.name for figure in figures}
    for name, (kind, before) in baseline.runs.items():
        if name not in names and before:
            rows.append(_gone(Figure(name, kind, note="nothing measures it any more"), before))
    return rows


def _change(figure: Figure, baseline: Baseline, *, same: bool) -> Change:
    kind, before = baseline.runs.get(figure.name, (figure.kind, ()))
    if not before or kind != figure.kind:
        return Change(figure, None, False, "new" if figure.runs else "")
    if not figure.runs:
        return _gone(figure, before)
    was, now = Figure(figure.name, kind, before), figure
    assert was.value is not None and now.value is not None
    if figure.of.timed and not same:
        return Change(figure, was.value, False, "another machine")
    more = _badness(now.value, figure.of) - _badness(was.value, figure.of)
    allowed = max(figure.of.relative * abs(was.value), figure.of.least)
    apart = min(_badness(run, figure.of) for run in now.runs) > max(_badness(run, figure.of) for run in before)
    if more > allowed + 1e-9 and apart:
        told = f"{figure.name}: {now.shown}, was {was.shown}; it may be worse by {figure.of.tolerance}"
        return Change(figure, was.value, True, told)
    return Change(figure, was.value, False, _word(more, allowed, apart=apart))


def _word(more: float, allowed: float, *, apart: bool) -> str:
    if more < -allowed:
        return "better"
    return "within scatter" if more > allowed and not apart else "same"


def _gone(figure: Figure, before: tuple[float, ...]) -> Change:
    was = Figure(figure.name, figure.kind, before)
    told = f"{figure.name}: not measured ({figure.note}), was {was.shown}"
    return Change(figure, was.value, True, told)


def _badness(value: float, kind: Kind) -> float:
    """The larger the worse."""
    return {"less": value, "more": -value, "zero": abs(value)}[kind.better]
