"""Text deltas to speakable clips: small first, so that the voice starts early, then growing.

A clip ends at the end of a sentence if it can, else at a clause, else between two words, and never inside a
number, an abbreviation or an address. English, Spanish and Chinese. Every cut is decided by the text before it and
the one character after it, so it does not matter in which pieces the text came. What a voice cannot say
(Markdown, emoji) is left out. This file does not know how text sounds.
"""

from __future__ import annotations

import re
import unicodedata

FIRST_WORDS = 8
"""The first clip ends between two words here if nothing better came: about 2.5 s of speech."""
CLAUSE_WORDS = 3
"""A clause this long may be the first clip."""
SENTENCES_FROM = 40
"""Later sentences shorter than this, in characters, are spoken together with the next."""
TARGETS = (60, 120, 200)
"""Characters after which the second, third and further clips end at a clause."""
MOST = 300
"""Characters of the longest clip."""

_CLOSING = "\"'”’»)]」』）"
_SENTENCE = ".!?…"
_SENTENCE_CJK = "。！？"
_CLAUSE = ",;:—–"
_CLAUSE_CJK = "，、；："
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr sra srta dra st jr vs etc e.g i.e approx no vol fig dept inc ltd co a.m p.m u.s u.k "
    "ee.uu".split()
)


class Clips:
    """One reply's text, cut as it comes."""

    def __init__(self) -> None:
        self._text = ""
        self._seen = 0
        self._count = 0

    def add(self, delta: str) -> list[str]:
        """The clips that ``delta`` completes."""
        self._text += delta
        clips: list[str] = []
        while self._seen < len(self._text) - 1:
            self._seen += 1
            if self._ends_here(self._seen):
                clips += self._cut(self._seen)
        return clips

    def end(self) -> list[str]:
        """What is left, once no more text comes."""
        return self._cut(len(self._text))

    def _cut(self, at: int) -> list[str]:
        clip = speakable(self._text[:at])
        self._text, self._seen = self._text[at:], 0
        if not clip:
            return []
        self._count += 1
        return [clip]

    def _ends_here(self, at: int) -> bool:
        """Whether a clip ends before character ``at``, which is known."""
        if at >= MOST:
            return True
        before, after = self._text[at - 1], self._text[at]
        breaks = after.isspace() or before in _SENTENCE_CJK + _CLAUSE_CJK
        if before == "\n" or not (breaks or (before in _CLOSING and after not in _CLOSING)):
            return before == "\n" and bool(self._text[:at].strip())
        return self._good_enough(self._text[:at].strip(), after)

    def _good_enough(self, clip: str, after: str) -> bool:
        bare = clip.rstrip(_CLOSING)
        if after in _CLOSING or not bare:
            return False
        words = len(clip.split())
        first = self._count == 0
        target = TARGETS[min(max(self._count - 1, 0), len(TARGETS) - 1)]
        if _ends_sentence(bare, after):
            return first or len(clip) >= SENTENCES_FROM
        if _ends_clause(bare, after):
            long_enough = words >= CLAUSE_WORDS or (bare[-1] in _CLAUSE_CJK and len(bare) > 2 * CLAUSE_WORDS)
            return long_enough if first else len(clip) >= target
        if not after.isspace():
            return False
        return words >= FIRST_WORDS if first else len(clip) >= target * 2


def _ends_sentence(bare: str, after: str) -> bool:
    if bare[-1] in _SENTENCE_CJK:
        return True
    if bare[-1] not in _SENTENCE or not after.isspace():
        return False
    word = bare.split()[-1].rstrip(_SENTENCE).lstrip("\"'“‘«([¿¡").lower()
    if bare[-1] != "." or bare.endswith(".."):
        return True
    initial = len(word) == 1 and word.isalpha() and word not in "aiyoe"
    return not (word in _ABBREVIATIONS or initial or (word.isdigit() and len(bare.split()) == 1))


def _ends_clause(bare: str, after: str) -> bool:
    return bare[-1] in _CLAUSE_CJK or (bare[-1] in _CLAUSE and after.isspace())


_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_LINE_START = re.compile(r"^\s*(?:#{1,6}|[-*+>•])\s+", re.MULTILINE)
_MARKS = re.compile(r"[*`~#|]+|(?<!\w)_+|_+(?!\w)")
_SILENT = frozenset({"So", "Sk", "Cs", "Co", "Cn", "Cc", "Cf"})


def speakable(text: str) -> str:
    """The text without what a voice cannot say, in single spaces; empty if nothing is left to say."""
    text = _LINK.sub(r"\1", text)
    text = _LINE_START.sub("", text)
    text = _MARKS.sub("", text)
    said = "".join(c if c.isspace() or unicodedata.category(c) not in _SILENT else " " for c in text)
    said = " ".join(said.split())
    return said if any(c.isalnum() for c in said) else ""
