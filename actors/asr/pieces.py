"""Where an utterance is cut before it is recognised: to its speech, and into pieces of at most 17 s at pauses.

Pure arithmetic on voice probabilities; it knows no recogniser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from actors.asr.silero import FRAME

QUIET = 0.15
"""Probability of voice below which a frame is nobody's: noise, hum, clicks and breath stay under 0.11, speech at a
twentieth of full volume reaches 0.9."""

LONGEST = 17 * 16_000
"""Samples of one piece at most: the recogniser then works in its 20 s window, a third of the 30 s one's cost."""

SHORTEST = 8 * 16_000
"""A long utterance is not cut before this sample, so that each piece keeps some context."""

BEFORE, AFTER = int(0.3 * 16_000), int(0.4 * 16_000)
"""Samples kept around the voiced frames: soft first and last sounds lie there."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples ``start`` to ``end`` at 16 kHz."""

    start: int
    end: int


def pieces(odds: npt.NDArray[np.float32], total: int) -> list[Piece]:
    """Cut ``total`` samples, whose frames hold a voice with probability ``odds``. Empty if nobody speaks."""
    voiced = np.flatnonzero(odds >= QUIET)
    calm = np.convolve(odds, np.full(9, 1 / 9), "same") if len(odds) else odds  # a pause is 0.3 s, not one frame
    cut: list[Piece] = []
    begin = 0
    while len(voiced := voiced[voiced * FRAME >= begin]):
        start = max(begin, int(voiced[0]) * FRAME - BEFORE)
        limit = min(total, (int(voiced[-1]) + 1) * FRAME + AFTER)
        if limit - start <= LONGEST:
            cut.append(Piece(start, limit))
            break
        first, last = (start + SHORTEST) // FRAME, (start + LONGEST) // FRAME
        begin = (first + int(np.argmin(calm[first:last]))) * FRAME
        inside = voiced[(voiced + 1) * FRAME <= begin]
        cut.append(Piece(start, min(begin, (int(inside[-1]) + 1) * FRAME + AFTER) if len(inside) else begin))
    return cut
