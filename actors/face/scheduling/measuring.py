"""What batches cost on this device, found by running each kind at start.

This file knows no network: it is given something of each kind to run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actors.face.scheduling.costs import Costs, Kind

log = logging.getLogger(__name__)

Run = Callable[[Kind, Sequence[Any]], Sequence[Any]]
"""A batch of what was asked for to as many answers, in the same order."""
Clock = Callable[[], float]
"""Seconds."""

SIZES = (1, 2, 4, 8)
"""Batches that are measured; between them it is interpolated."""
TOO_LONG_MS = 160.0
"""A batch of more than one is never run for so long; larger ones need not be known."""


def measured(run: Run, samples: Mapping[Kind, Any], most: int, clock: Clock = time.perf_counter) -> Costs:
    """Milliseconds of batches of 1, 2, 4 and 8, up to ``most``, of each kind: the better of two, after one to warm up.

    Sizes between are run once: what a runtime prepares for a size it has not seen, nobody shall wait for later. A size
    that is too slow to be used, or too large for the device's memory, ends its kind. Raises what a batch of one raises.
    """
    costs = Costs.of({kind: _measured(run, kind, sample, most, clock) for kind, sample in samples.items()})
    for kind, curve in costs.curves.items():
        log.info("a batch (%s) takes %s", kind, ", ".join(f"{size}: {ms:.1f} ms" for size, ms in curve))
    return costs


def _measured(run: Run, kind: Kind, sample: Any, most: int, clock: Clock) -> dict[int, float]:
    found: dict[int, float] = {}
    for size in (size for size in SIZES if size <= most):
        took: list[float] = []
        try:
            for _ in range(3):
                began = clock()
                run(kind, [sample] * size)
                took.append((clock() - began) * 1000)
                if took[-1] > 5 * TOO_LONG_MS:
                    break
        except Exception as error:
            if size == 1:
                raise
            log.warning("batches of %d (%s) do not work here, smaller ones are used: %s", size, kind, error)
            break
        found[size] = min(took[1:] or took)
        if found[size] > TOO_LONG_MS:
            break
    for size in range(1, max(found) + 1):
        if size not in found:
            run(kind, [sample] * size)
    return found
