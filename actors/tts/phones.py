"""From the network's durations to speech sounds with exact times, and their fit to the sound itself.

The network gives every sign it reads (phonemes, stress marks, spaces, punctuation) a number of 25 ms frames; together
they are as long as the sound. They run late against it, and a sound before a pause is counted into the pause; both
are mended here. This file knows neither network nor words' spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FRAME = 600
"""Samples at 24 kHz of one unit of the network's durations: 25 ms."""

LATE = 1320
"""Samples by which the durations run behind the sound: 55 ms, found by ``align.label_shift`` (voice "heart").

Every voice and every other source of durations needs its own measurement.
"""

VOWELS = frozenset("AIOQWYaeiouyæɐɑɒɔəɚɛɜɤɪɨʊʌᵊᵻ")
STEP = 120
"""Samples of one loudness value: 5 ms."""

_STRESS = {"ˈ": 1, "ˌ": 2}
_LENGTHENS = frozenset("ːʰʲ̃ᵝ↓→↗↘")
_PAUSES = frozenset(';:,.!?—…"()“”')
_SHORT = 3120
"""Samples (130 ms): a shorter space or an unheard pause is no pause, its time belongs to its neighbours."""
_QUIET = -40.0
"""dB below the loud parts of a piece: less is silence. The network's own silence lies below -80."""
_KEEP = 1200
"""Samples (50 ms) that a sound before a pause keeps at least."""
_GAP = 3
"""Steps (15 ms) of quiet that make a pause."""


@dataclass(slots=True)
class Label:
    """One speech sound or silence, in samples of the piece."""

    symbol: str
    """IPA as the voice writes it (A I O Q W Y are diphthongs, T a flap); "" is silence."""
    start: int
    end: int
    stress: int
    word: int
    """Number of the written word, -1 for silence."""


def labels(signs: str, owners: Sequence[int], frames: Sequence[int]) -> list[Label]:
    """Contiguous labels from 0 to the last sample. ``frames`` holds one number more at each end, for the pads.

    A stress mark's time goes to the sound after it, a short space's half to each neighbour, punctuation is silence.
    """
    found: list[Label] = []
    at = carried = stress = 0
    for sign, owner, count in zip(("", *signs, ""), (-1, *owners, -1), frames, strict=True):
        start, at = at - carried, at + count * FRAME
        carried = 0
        if sign in _STRESS:
            stress, carried = _STRESS[sign], at - start
        elif sign in _LENGTHENS and found:
            found[-1].end = at
        elif sign == "" or sign == " " or sign in _PAUSES:
            _add_pause(found, "" if sign != " " else " ", start, at)
        else:
            found.append(Label(sign, start, at, stress if sign in VOWELS else 0, owner))
            stress = 0 if sign in VOWELS else stress
    return _without_short_spaces(found)


def _add_pause(found: list[Label], symbol: str, start: int, end: int) -> None:
    """Pauses side by side are one; a space beside punctuation is part of its silence."""
    if found and found[-1].symbol in ("", " "):
        found[-1].end = end
        found[-1].symbol = found[-1].symbol and symbol
    else:
        found.append(Label(symbol, start, end, 0, -1))


def _without_short_spaces(found: list[Label]) -> list[Label]:
    for at, label in enumerate(found):
        if label.symbol == " ":
            label.symbol = ""
            if label.end - label.start < _SHORT:
                _share(found, at)
    return [label for label in found if label.end > label.start]


def _share(found: list[Label], at: int) -> None:
    """Give a pause's time half to the sound before it and half to the one after."""
    middle = (found[at].start + found[at].end) // 2
    found[at - 1].end = found[at].start = found[at].end = found[at + 1].start = middle


def earlier(found: list[Label], late: int = LATE) -> list[Label]:
    """The same labels, every inner boundary ``late`` samples earlier. Changes and returns the list."""
    for before, after in pairwise(found):
        before.end = after.start = max(0, before.end - late)
    return [label for label in found if label.end > label.start]


def loudness(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """dB of every 5 ms, relative to the piece's loud parts (their 95th percentile)."""
    steps = sound[: len(sound) // STEP * STEP].reshape(-1, STEP).astype(np.float64)
    level = 10 * np.log10(np.mean(steps * steps, axis=1) + 1e-14)
    return level - np.percentile(level, 95)


def settled(found: list[Label], level: NDArray[np.float64]) -> list[Label]:
    """The same labels, every pause fitted to where the sound is really quiet. Changes and returns the list.

    A pause may grow into the sound before it (whose label outlasts its sound by up to 200 ms) and begins no later
    than labelled; its end may only move earlier. A short pause in which the sound never falls silent is none.
    """
    for at, label in enumerate(found):
        if label.symbol:
            continue
        before, after = found[at - 1] if at else None, found[at + 1] if at + 1 < len(found) else None
        left = min(before.start + _KEEP, label.start) if before else 0
        start, end = _quiet_run(level, left, label.start, label.end if after else len(level) * STEP)
        if end > start:
            label.start = label.start if before is None else start
            label.end = label.end if after is None else end
        elif before and after and label.end - label.start < _SHORT:
            _share(found, at)
        if before:
            before.end = label.start
        if after:
            after.start = label.end
    return [label for label in found if label.end > label.start]


def _quiet_run(level: NDArray[np.float64], left: int, start: int, end: int) -> tuple[int, int]:
    """The longest quiet run within ``left`` to ``end`` that reaches past ``start``, in samples; (0, 0) if none."""
    first = -(-left // STEP)
    quiet = np.concatenate(([False], level[first : end // STEP] < _QUIET, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))).reshape(-1, 2) + first
    runs = [(a, b) for a, b in edges.tolist() if b - a >= _GAP and b * STEP > start]
    if not runs:
        return 0, 0
    a, b = max(runs, key=lambda run: run[1] - run[0])
    return a * STEP, b * STEP
