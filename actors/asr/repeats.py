"""Whether a text says the same thing twice in a row, as a decoder does that lost its end. Pure text."""

from __future__ import annotations

import re


def repeated(text: str) -> bool:
    """True if two or more words follow themselves, whole or cut off by the end, or one word stands three times."""
    return _first_repeat(_words(text)) is not None


def without_repeats(text: str) -> str:
    """The text up to where it begins to repeat itself."""
    found = _first_repeat(_words(text))
    return text if found is None else " ".join(text.split()[:found])


def _words(text: str) -> list[str]:
    return [re.sub(r"[^\w']", "", word.lower()) for word in text.split()]


def _first_repeat(words: list[str]) -> int | None:
    """Index of the first word of the earliest repetition."""
    for second in range(1, len(words)):
        for first in range(second):
            period, run = second - first, 0
            while second + run < len(words) and words[first + run] == words[second + run]:
                run += 1
            at_end = second + run == len(words)
            if (period == 1 and run >= 2) or (period >= 2 and (run >= period or (at_end and run >= 2))):
                return second
    return None
