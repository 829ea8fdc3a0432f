"""A synthesised piece with its labels, cut into the blocks that travel: about 200 ms of sound, its phones and words.

Knows no network and no text beyond the written words.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from actors.tts.phones import Label
from streaming.stages import Phone, Spoken, Word

BLOCK = 4800
"""Samples of one Spoken: 200 ms."""


def blocks(pcm: NDArray[np.int16], found: list[Label], words: tuple[str, ...], at: int) -> Iterator[Spoken]:
    """A piece that begins at the clip's sample ``at``, in blocks."""
    phones = [Phone(label.symbol, at + label.start, label.end - label.start, label.stress) for label in found]
    told = _words(found, words, at)
    sound = pcm.astype("<i2").tobytes()
    for start, stop in cuts(len(pcm)):
        first, after = at + start, at + stop
        yield Spoken(
            sound[2 * start : 2 * stop],
            tuple(phone for phone in phones if first <= phone.start < after),
            tuple(word for word in told if first <= word.start < after),
        )


def cuts(length: int) -> Iterator[tuple[int, int]]:
    """Where blocks of so many samples begin and end; a last short one goes with the one before it."""
    return pairwise([*range(0, max(length - BLOCK // 2, 1), BLOCK), length])


def _words(found: list[Label], words: tuple[str, ...], at: int) -> list[Word]:
    """From the first to the last sound of each written word; a word without any sound is left out."""
    spans: dict[int, tuple[int, int]] = {}
    for label in found:
        if label.word >= 0:
            start, _ = spans.get(label.word, (label.start, 0))
            spans[label.word] = start, label.end
    return [Word(words[number], at + start, end - start) for number, (start, end) in sorted(spans.items())]
