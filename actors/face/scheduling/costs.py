"""What a batch costs on this device: a curve for each kind of work, measured at start and kept true while it runs.

Other models share the GPU and their load comes and goes, so one factor follows what batches really take. This file
knows no clock and no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

Kind = Literal["hear", "move", "draw"]
"""A chunk of sound heard, a window of motion, a picture."""

KINDS: tuple[Kind, ...] = ("hear", "move", "draw")

FOLLOWED = 0.1
"""Share of a new measurement in the factor: some ten batches, a quarter of a second, until it is believed."""
BETWEEN = (0.5, 8.0)
"""Bounds of the factor: one hiccup must not make the replica refuse everybody."""

Curve = tuple[tuple[int, float], ...]
"""(batch size, milliseconds), sizes ascending."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds of a batch."""

    curves: Mapping[Kind, Curve]
    factor: float = 1.0
    """How many times longer than measured at start batches take now."""

    @classmethod
    def of(cls, measured: Mapping[Kind, Mapping[int, float]]) -> Costs:
        """From milliseconds by batch size; where noise made a larger batch cheaper, it costs what the smaller one does.

        Raises ValueError for a kind without a batch of one.
        """
        for kind in KINDS:
            if 1 not in measured.get(kind, {}):
                raise ValueError(f"measure {kind!r} for a batch of one; measured are {sorted(measured.get(kind, {}))}")
        return cls({kind: _rising(measured[kind]) for kind in KINDS})

    def most(self, kind: Kind) -> int:
        """The largest batch that was measured; a larger one is not run."""
        return self.curves[kind][-1][0]

    def ms(self, kind: Kind, size: int, scale: float = 1.0) -> float:
        """Of a batch; ``scale`` is its work beside that of the measured one. Past the largest in proportion."""
        curve = self.curves[kind]
        largest, its = curve[-1]
        if size >= largest:
            return its * size / largest * scale * self.factor
        (low, cheap), (high, dear) = next(pair for pair in pairwise(curve) if pair[0][0] <= size < pair[1][0])
        return (cheap + (dear - cheap) * (size - low) / (high - low)) * scale * self.factor

    def seen(self, kind: Kind, size: int, scale: float, took_ms: float) -> Costs:
        """After a batch took so long."""
        now = self.factor * took_ms / max(self.ms(kind, size, scale), 1e-6)
        least, most = BETWEEN
        return replace(self, factor=min(max(self.factor + FOLLOWED * (now - self.factor), least), most))


def _rising(measured: Mapping[int, float]) -> Curve:
    sizes = sorted(measured)
    return tuple(zip(sizes, accumulate((measured[size] for size in sizes), max), strict=True))
