"""An evaluation as a person reads it: every figure, beside what it was, and the cases that were understood worst."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from serve_app.evaluating.baseline import Change
from serve_app.evaluating.figures import Figure
from serve_app.evaluating.trial import Understood

WORST = 5
"""Cases that are shown."""


def of_figures(figures: Sequence[Figure]) -> str:
    """Name, value and note of each; what was not measured for one reason is one line."""
    rows: list[tuple[str, str, str]] = []
    for note, group in groupby(figures, lambda figure: None if figure.runs else figure.note):
        alike = list(group)
        if note is None or len(alike) == 1:
            rows += [(figure.name, figure.shown, figure.note) for figure in alike]
        else:
            rows.append((f"{alike[0].name}, and {len(alike) - 1} more", alike[0].shown, note))
    return _columns(rows)


def of_changes(changes: Sequence[Change]) -> str:
    """Name, value, what it was, the verdict and the tolerance it goes by."""
    rows = [("", "now", "before", "", "may be worse by")]
    for change in changes:
        before = "-" if change.before is None else Figure("", change.figure.kind, (change.before,)).shown
        verdict = "REGRESSION" if change.worse else change.told
        allowed = "" if change.before is None else change.figure.of.tolerance
        rows.append((change.figure.name, change.figure.shown, before, verdict, allowed))
    return _columns(rows)


def of_worst(understood: Sequence[Understood]) -> str:
    """The cases with most errors, and what was heard instead; empty if everything was understood."""
    wrong = sorted((row for row in understood if row.by_first.errors), key=lambda row: -row.by_first.errors)[:WORST]
    lines: list[str] = []
    for row in wrong:
        lines += ["", f"{row.case.id}: {row.by_first.errors} of {row.by_first.units}", f"  {row.case.text}"]
        lines.append(f"  heard: {row.heard or '(nothing)'}")
        if row.second is not None and row.second != row.heard:
            lines.append(f"  the second recogniser: {row.second or '(nothing)'}")
    return "\n".join(["understood worst:", *lines[1:]]) if lines else ""


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    wide = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, wide)).rstrip() for row in rows)
