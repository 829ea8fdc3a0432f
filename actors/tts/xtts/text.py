"""What XTTS-v2 can be asked to say: its languages, and a text cut where it would be too long for the model.

A cut costs melody, so a text is only cut where it must be: at the end of a sentence if that is near enough, else at a
comma, else between words, else anywhere. This file knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

LANGUAGES: Mapping[str, str] = {
    code: "zh-cn" if code == "zh" else code for code in "ar cs de en es fr hi hu it ko nl pl pt ru tr zh".split()
}
"""ISO 639-1 -> the model's own name. Japanese is left out: it needs a dictionary of 250 MB."""

_MARKS = (
    re.compile(r"[.!?…]+[\"”’')\]]*\s+|[。！？]+[”’』」]?|\n+"),
    re.compile(r"[,;:—–)]\s+|[，；：、]"),
    re.compile(r"\s+"),
)
"""What divides a text, the best first; a cut is after the match."""


def pieces(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """The text in as few pieces as ``fits`` allows, in order; together they hold all its words.

    A single sign that does not fit is a piece all the same.
    """
    rest = text.strip()
    while rest:
        cut = len(rest) if fits(rest) else _cut(rest, fits)
        if piece := rest[:cut].strip():
            yield piece
        rest = rest[cut:].strip()


def _cut(text: str, fits: Callable[[str], bool]) -> int:
    """After how many signs to cut: at least one, fewer than all but for one sign."""
    for mark in _MARKS:
        ends = [match.end() for match in mark.finditer(text) if match.end() < len(text)]
        fitting = [end for end in ends if fits(text[:end].strip())]
        if fitting:
            return fitting[-1]
    low, high = 1, max(1, len(text) - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low
