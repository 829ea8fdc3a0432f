"""What is shown of an utterance while it is being spoken: words that two transcripts in a row agree on stay.

Each partial is a guess at all that was said so far, and its last words often change with the next one. Local agreement
of two (Liu et al. 2020, Macháček et al. 2023): what the newest guess and the one before it begin with alike is shown
for good; the rest is a guess and is shown as one. Pure text: this file knows no recogniser.
"""

from __future__ import annotations

import re
from itertools import takewhile

_WIDE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and Chinese characters: they stand without spaces, and each counts as a word."""
_WORD = re.compile(rf"\s*(?:[{_WIDE}]|[^\s{_WIDE}]+)")


class Saying:
    """The words of one utterance."""

    def __init__(self) -> None:
        self._agreed: list[str] = []
        self._last: list[str] = []
        self._guess: list[str] = []

    @property
    def agreed(self) -> str:
        """What will not change any more while the utterance lasts; it only grows."""
        return "".join(self._agreed)

    @property
    def guess(self) -> str:
        """What the newest transcript says after it; empty where it contradicts what is agreed."""
        return "".join(self._guess)

    def took(self, text: str, *, sure: bool = False) -> None:
        """The next transcript of the whole utterance so far. A ``sure`` one, made at a pause, needs no second."""
        words = _WORD.findall(text.strip())
        if not words:
            return
        settled = len(self._agreed)
        holds = _alike(self._agreed, words) == settled
        if holds:
            self._agreed += words[settled : len(words) if sure else _alike(self._last, words)]
        self._last = words
        self._guess = words[len(self._agreed) :] if holds else []


def _alike(one: list[str], other: list[str]) -> int:
    """How many words both begin with; marks and capitals do not count."""
    return sum(1 for _ in takewhile(lambda pair: _bare(pair[0]) == _bare(pair[1]), zip(one, other, strict=False)))


def _bare(word: str) -> str:
    return "".join(c for c in word if c.isalnum()).casefold() or word.strip()
