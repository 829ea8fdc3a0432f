"""A synthesised piece made ready to stand beside the next: silence cut, pause added, edges smooth, 16 bit.

Knows no text, no network, no clip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actors.tts.phones import STEP, Label

LEAD = 240
"""Samples of quiet (10 ms) left before the first sound; the voice itself begins with about 300 ms."""
_ONSET = -45.0
"""dB below the loud parts at which the first sound begins."""
_FADE = 120
"""Samples (5 ms) of fade at both edges: both lie in quiet, so this is only a guard against clicks."""


def trimmed(
    sound: NDArray[np.float32], found: list[Label], level: NDArray[np.float64], pause: int
) -> tuple[NDArray[np.int16], list[Label]]:
    """The piece from shortly before its first sound to ``pause`` samples after its last, and its labels.

    ``level`` is ``phones.loudness(sound)``. The labels stay contiguous, begin at 0 and end at the last sample.
    """
    spoken = [label for label in found if label.symbol]
    onset = int(np.argmax(level > _ONSET)) * STEP
    start = max(0, onset - LEAD)
    stop = max(spoken[-1].end, start + STEP) + pause
    body = sound[start:stop].copy()
    body[:_FADE] *= np.linspace(0, 1, min(_FADE, len(body)), dtype=np.float32)
    body[-_FADE:] *= np.linspace(1, 0, min(_FADE, len(body)), dtype=np.float32)
    pcm = np.zeros(stop - start, np.int16)
    pcm[: len(body)] = np.clip(np.rint(body * 32767), -32768, 32767).astype(np.int16)
    return pcm, _moved(found, start, stop)


def _moved(found: list[Label], start: int, stop: int) -> list[Label]:
    """The labels counted from ``start``; those cut away are dropped, the last one is silence up to ``stop``."""
    kept = [
        Label(label.symbol, max(label.start, start) - start, min(label.end, stop) - start, label.stress, label.word)
        for label in found
        if label.end > start and label.start < stop
    ]
    if kept[-1].symbol == "":
        kept[-1].end = stop - start
    elif kept[-1].end < stop - start:
        kept.append(Label("", kept[-1].end, stop - start, 0, -1))
    return kept
