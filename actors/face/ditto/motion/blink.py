"""When the eyes blink and how a stretch of frames fades in and out: places in tables, by frame.

It draws by a seed and moves nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, repeat

import numpy as np
from numpy.typing import NDArray

BLINK = 15
"""Frames of a blink: rows of its table of movements; row 0 is an open eye."""
SHORTEST_GAP, LONGEST_GAP = 60, 100
"""Frames between two blinks."""


def blinks(frames: int, gaps: Sequence[int]) -> NDArray[np.int64]:
    """(frames,) rows of the blink's table: after each gap, taken in turn and again, a blink that fits whole.

    No gap means no blink.
    """
    out = np.zeros(frames, np.int64)
    _fill(out, cycle(gaps))
    return out


def blinks_of(seed: int, first: int, frames: int) -> NDArray[np.int64]:
    """Rows for the frames ``first`` on of a reply without end: any stretch of it, the same whoever asks."""
    draw = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed % (1 << 64), 2))))
    out = np.zeros(first + frames + BLINK, np.int64)
    _fill(out, (int(draw.integers(SHORTEST_GAP, LONGEST_GAP + 1)) for _ in repeat(None)))
    return out[first : first + frames]


def _fill(out: NDArray[np.int64], gaps: Iterable[int]) -> None:
    at = 0
    for gap in gaps:
        at += gap
        if at + BLINK > len(out):
            return
        out[at : at + BLINK] = np.arange(BLINK)
        at += BLINK


def fades(frames: int, fade_in: int, fade_out: int) -> NDArray[np.float32]:
    """(frames,) share of the new motion: rises over ``fade_in`` frames, falls to 0 over ``fade_out``; else NaN."""
    out = np.full(frames, np.nan, np.float32)
    if fade_out > 0:
        out[max(frames - fade_out - 1, 0) :] = np.linspace(1, 0, fade_out + 1, dtype=np.float32)[-frames:]
    if fade_in > 0:
        count = min(fade_in, frames)
        out[:count] = (np.arange(fade_in, dtype=np.float32) / fade_in)[:count]
    return out
