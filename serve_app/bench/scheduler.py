"""The scheduler of a face's replica against first come and round robin: the same people, a simulated GPU, no clock.

Nothing is rendered; crowd.py tells the stories, and the same seed gives the same table on every machine. The costs are
assumed, not measured; what is compared is the order of the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from actors.face.scheduling.work import FRAME_MS
from serve_app.bench.crowd import ORDERS, Seen, Story, tell
from serve_app.bench.table import Bar, Result

GPUS = (24.0, 12.0, 8.0)
"""Milliseconds of a picture alone."""
SESSIONS = (1, 2, 3, 4, 6)
OTHERS = ("first come", "round robin")


def stories(*, quick: bool = False) -> list[Story]:
    """Everybody at their own time, then all at once, then that beside one who takes no more pictures."""
    return [
        Story(frame_ms, sessions, bursts=bursts, stalled=stalled, seconds=10.0 if quick else 30.0)
        for frame_ms in GPUS[1 if quick else 0 :]
        for sessions in (SESSIONS[2:3] if quick else SESSIONS)
        for bursts, stalled in ((False, False), (True, False), (True, True))
    ]


def missing(seen: Seen) -> float:
    """Share of moments of 40 ms without the picture that belongs there: it was skipped, or all waited for it."""
    stood_still = (seen.waited + sum(seen.first)) / FRAME_MS
    return (seen.skipped + stood_still) / max(seen.frames + stood_still, 1)


def scheduler(*, quick: bool = False) -> Result:
    """One row a story."""
    rows: list[tuple[str, ...]] = []
    worse = [0.0]
    late = [0.0]
    for story in stories(quick=quick):
        seen = {order: tell(story, order) for order in ORDERS}
        whole, best = seen["whole"], min(missing(seen[order]) for order in OTHERS)
        worse.append(missing(whole) - best)
        late.append(_p95(whole.lateness))
        rows.append(
            (
                f"{story.frame_ms:.0f}",
                f"{story.sessions}{' at once' * story.bursts}{' + one stalled' * story.stalled}",
                *(_short(seen[order]) for order in (*OTHERS, "deadlines", "whole")),
                f"{whole.sessions}",
                f"{whole.skipped} of {whole.frames}",
                whole.rung or "-",
                f"{whole.refused}",
            )
        )
    header = (
        "ms a picture", "speaking", "first come", "round robin", "deadlines alone", "as it runs", "spoke at once",
        "skipped", "highest rung", "refused",
    )  # fmt: skip
    bars = (
        Bar(
            "Moments without their picture, past the better of the other two, most in any row",
            100 * max(worse),
            0.5,
            "%",
        ),
        Bar("Lateness of a picture as it runs, p95, most in any row", max(late), 1.0, "ms"),
    )
    notes = (
        "each cell: share of moments of 40 ms without the picture that belongs there, whether it was skipped or sound"
        " and picture stood still for it, waiting for a reply's first picture included; then p95 of a picture's"
        " lateness and p95 until a reply's first picture, in ms",
        "a batch saves a fifth of each further picture and three fifths to seven tenths of each further chunk and"
        " window; a window alone costs half a picture, a chunk a fifth; batches take 5 % less to 10 % more than that",
        "replies of 2-6 s, pauses of 0.5-3 s, spans of 15 frames asked for 1.2 s ahead; one seed",
        "half the rate is not counted as missing, nor is what was refused: the last four columns tell both",
    )
    return Result("scheduler", header, tuple(rows), bars, notes)


def _short(seen: Seen) -> str:
    return f"{100 * missing(seen):.1f} %, {_p95(seen.lateness):.0f}, {_p95(seen.first):.0f}"


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95)) if values else 0.0
