"""When each word of a text is heard: the decoder's attention over time, mended by where the sound is quiet.

The attention says which 20 ms each token was written for (CTranslate2's ``align``), a little late and through every
pause. So all times are moved earlier by what was measured, and words end where a pause begins and begin where it
ends. This file knows no window and no utterance longer than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 16_000
STEP = RATE // 50
"""Samples between two places of the attention: 20 ms."""
LATE = 4 * STEP
"""By how much attention comes late: 80 ms, tiny.en's median over 401 words whose times the built-in voice knows."""
HOP = RATE // 100
"""Samples of one measure of loudness: 10 ms."""
PAUSE = RATE * 12 // 100
"""Shortest quiet that parts two words, in samples: the closure of a plosive stays below 120 ms."""
NEAR = RATE * 4 // 10
"""A pause this near to the border of two words lies between them."""
QUIET_DB = -36.0
"""Loudness under the loudest 20 ms at which nobody speaks."""
SHORTEST = RATE // 50


@dataclass(frozen=True, slots=True)
class Spot:
    """A word and its samples ``start`` to ``end`` in one piece of sound."""

    text: str
    start: int
    end: int


def spots(model: Any, tokenizer: Any, ids: list[int], encoded: Any, sound: npt.NDArray[np.float32]) -> list[Spot]:
    """The words of the text ``ids`` in ``sound``, in order and without overlap; marks stay with their word.

    ``model`` is faster-whisper's, ``encoded`` what it made of the sound, floats at 16 kHz.
    """
    frames = max(len(sound) // HOP, 2)
    found = model.find_alignment(tokenizer, [ids], encoded, frames)[0]
    words: list[Spot] = []
    for each in found:
        start, end = (max(round(float(each[side]) * RATE) - LATE, 0) for side in ("start", "end"))
        if words and not any(letter.isalnum() for letter in each["word"]):
            words[-1] = Spot(words[-1].text + each["word"].rstrip(), words[-1].start, words[-1].end)
        elif each["word"].strip():
            words.append(Spot(each["word"].strip(), start, end))
    return settled(words, pauses(sound), len(sound))


def pauses(sound: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Where the sound is quiet for at least ``PAUSE``, as samples from and to; beginning and end always count."""
    if not len(sound):
        return []
    square = np.convolve(sound * sound, np.full(2 * HOP, 0.5 / HOP), "same")[::HOP]
    quiet = square <= square.max(initial=0.0) * 10 ** (QUIET_DB / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8))).reshape(-1, 2) * HOP
    last = len(square) * HOP
    return [(int(a), int(b)) for a, b in edges if b - a >= PAUSE or a == 0 or b == last]


def settled(words: Sequence[Spot], quiet: Sequence[tuple[int, int]], total: int) -> list[Spot]:
    """The same words out of the pauses: what was attended to in a pause belongs to the sound beside it."""
    if not words:
        return []
    starts = [word.start for word in words]
    ends = [min(word.end, total) for word in words]
    for begin, over in quiet:
        if begin == 0:
            starts[0] = max(starts[0], over)
            continue
        if over >= total - HOP:
            ends[-1] = min(ends[-1], begin)
            continue
        borders = [(abs((ends[k] + starts[k + 1]) - (begin + over)) // 2, k) for k in range(len(words) - 1)]
        distance, k = min(borders, default=(NEAR + 1, 0))
        if distance <= NEAR:
            ends[k], starts[k + 1] = begin, over
    for k in range(len(words)):  # a border that moved past its neighbour's takes it along
        starts[k] = max(starts[k], ends[k - 1] if k else 0)
        ends[k] = max(ends[k], starts[k] + SHORTEST)
    # Nothing is heard after the sound's end, however many words crowd there.
    return [
        Spot(word.text, min(start, total), min(end, total))
        for word, start, end in zip(words, starts, ends, strict=True)
    ]
