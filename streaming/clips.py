"""Text deltas to speakable clips: small first, so that the voice starts early, then growing.

A clip ends at the end of a sentence if it can, else at a clause, else between two words, and never inside a
number, a time, an abbreviation, an address or a link. English, Spanish and Chinese. Every cut is decided by the
text up to it and the one character after it, so it does not matter in which pieces the text came. What a voice
cannot say (Markdown, emoji) is left out. This file does not know how text sounds.
"""

from __future__ import annotations

import re
import unicodedata

FIRST_WORDS = 8
"""The first clip ends between two words here if nothing better came: about 2.5 s of speech."""
CLAUSE_WORDS = 3
"""A clause this long may be the first clip."""
SENTENCES_FROM = 40
"""Later sentences shorter than this are spoken together with the next. This and the next two are in letters."""
TARGETS = (60, 120, 200)
"""Length after which the second, third and further clips end at a clause; twice as long, between two words."""
MOST = 300
"""Longest clip, with or without anything in it to cut at."""
IDEOGRAPH = 4
"""Letters that a Chinese character counts for: it is heard about that long."""
WORD_IDEOGRAPHS = 2
"""Chinese characters that count as a word."""
SPLIT_IDEOGRAPHS = 3
"""Chinese characters for each word wanted, before two of them are parted without a mark: a word may be torn."""

_CLOSING = "\"'”’»)]」』）*_`"
_OPENING = "\"'“‘«([¿¡*_`「『（"
_SENTENCE = ".!?…"
_SENTENCE_CJK = "。！？"
_CLAUSE = ",;:—–"
_CLAUSE_CJK = "，、；："
_CJK = _SENTENCE_CJK + _CLAUSE_CJK
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof gen col sen rev lt capt sgt st mt ave blvd jr vs etc cf al approx dept inc ltd co "
    "sr sra srta dra ud uds lic av avda".split()
)
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
"""e.g, U.S.A, a.m, Ph.D, EE.UU: what stands before the last dot of an abbreviation that has more."""
_NUMBERED = frozenset("no nos núm fig vol pág art p pp".split())
"""Abbreviations if a number follows, words of their own otherwise: "No. 5", but "No. I cannot."."""


class Clips:
    """One reply's text, cut as it comes."""

    def __init__(self) -> None:
        self._text = ""
        """What no clip holds yet; begins with no space."""
        self._count = 0
        self._restart()

    def add(self, delta: str) -> list[str]:
        """The clips that ``delta`` completes."""
        self._text = self._text + delta if self._text else delta.lstrip()
        clips: list[str] = []
        while self._seen < len(self._text) - 1:
            self._seen += 1
            self._ideographs += _wide(self._text[self._seen - 1])
            if at := self._end(self._seen):
                clips += self._cut(at)
        return clips

    def end(self) -> list[str]:
        """What is left, once no more text comes."""
        return self._cut(len(self._text))

    def _restart(self) -> None:
        self._seen = 0
        self._ideographs = 0
        self._clause = 0
        """Last place where a clause or a short sentence ended, if long enough to be a clip; 0 is none."""
        self._word = 0
        """Last place between two words."""

    def _cut(self, at: int) -> list[str]:
        clip = speakable(self._text[:at])
        self._text = self._text[at:].lstrip()
        self._restart()
        if not clip:
            return []
        self._count += 1
        return [clip]

    def _end(self, at: int) -> int:
        """Where a clip ends now that the character after ``at`` is known; 0 if nowhere yet."""
        before, after = self._text[at - 1], self._text[at]
        if before == "\n":
            return at
        if self._breaks(at):
            found = self._at_mark(at, after)
            if found or self._between_words(at, before, after):
                return found or self._clause or at
        return self._clause or self._word or at if self._length(at) >= MOST else 0

    def _breaks(self, at: int) -> bool:
        """Whether the text could be parted before character ``at`` at all."""
        before, after = self._text[at - 1], self._text[at]
        if not (before.isspace() or after.isspace() or before in _CJK + _CLOSING or _wide(before) or _wide(after)):
            return False
        if after in _CLOSING or after in _CJK:
            return False
        if before in _CJK and after.isdigit() and self._text[: at - 1][-1:].isdigit():
            return False  # 12：30, 1，000
        return not self._in_link(at)

    def _in_link(self, at: int) -> bool:
        start = self._text.rfind("[", 0, at)
        return start >= 0 and _OPEN_LINK.fullmatch(self._text, start, at + 1) is not None

    def _at_mark(self, at: int, after: str) -> int:
        """``at`` if the sentence or clause that ends there may be a clip."""
        clip = self._text[:at].strip()
        bare = clip.rstrip(_CLOSING)
        if not bare:
            return 0
        first, length = self._count == 0, self._length(at)
        if _ends_sentence(bare, after, spaced=self._text[at - 1].isspace()):
            good = first or length >= SENTENCES_FROM
        elif _ends_clause(bare, after):
            good = self._words(clip) >= CLAUSE_WORDS if first else length >= self._target()
        else:
            return 0
        if not good and length >= SENTENCES_FROM:
            self._clause = at
        return at if good else 0

    def _between_words(self, at: int, before: str, after: str) -> bool:
        """Whether a clip that has no better end must end here."""
        if not (after.isspace() or (_wide(before) and not after.isspace())):
            return False
        self._word = at
        if self._count:
            return self._length(at) >= 2 * self._target()
        if after.isspace():
            return self._words(self._text[:at]) >= FIRST_WORDS
        return self._ideographs >= FIRST_WORDS * SPLIT_IDEOGRAPHS

    def _target(self) -> int:
        return TARGETS[min(self._count - 1, len(TARGETS) - 1)]

    def _length(self, at: int) -> int:
        """Of the text up to ``at``, in letters. ``at`` is the newest place that was looked at."""
        return at + (IDEOGRAPH - 1) * self._ideographs

    def _words(self, clip: str) -> int:
        return len(clip.split()) + max(self._ideographs - 1, 0) // WORD_IDEOGRAPHS


def _wide(c: str) -> bool:
    """Whether ``c`` is a Chinese character (or a Japanese letter), which stands without spaces."""
    return (
        "\u3040" <= c <= "\u30ff"
        or "\u3400" <= c <= "\u9fff"
        or "\uf900" <= c <= "\ufaff"
        or "\U00020000" <= c <= "\U0003ffff"
    )


def _ends_sentence(bare: str, after: str, *, spaced: bool) -> bool:
    """Whether a sentence ends with ``bare``, which stands right before ``after``.

    With spaces between (``spaced``) only what had to wait for the character after them is asked again.
    """
    words = bare.split()
    word = words[-1].rstrip(_SENTENCE).lstrip(_OPENING).lower()
    if spaced or (bare[-1] == "." and word in _NUMBERED):
        return spaced and bare[-1] == "." and word in _NUMBERED and not (after.isspace() or after.isdigit())
    if bare[-1] in _SENTENCE_CJK:
        return True
    if bare[-1] not in _SENTENCE or not (after.isspace() or _wide(after)):
        return False
    if bare[-1] != "." or bare.endswith(".."):
        return True
    initial = len(word) == 1 and word.isalpha() and word not in "aiyoe" and not _wide(word)
    listed = word.isdigit() and len(words) == 1
    return not (not word or word in _ABBREVIATIONS or _DOTTED.fullmatch(word) or initial or listed)


def _ends_clause(bare: str, after: str) -> bool:
    return bare[-1] in _CLAUSE_CJK or (bare[-1] in _CLAUSE and (after.isspace() or _wide(after)))


# ---- what is said ------------------------------------------------------------------------------------------

_LINK = re.compile(r"""!?\[([^\]]*)\]\(\s*[^)\s]*(?:\s+["'][^)]*["'])?\s*\)""")
_OPEN_LINK = re.compile(r"\[[^\]\n]{0,80}(?:\](?:\([^)\n]{0,200})?)?")
"""A link of which not all is there; a bracket that is never closed soon stops being one."""
_ADDRESS = re.compile(r"<((?:https?|mailto):[^>\s]+)>")
_LINE_START = re.compile(r"^\s*(?:#{1,6}|[-*+>•])\s+", re.MULTILINE)
_MARKS = re.compile(r"[*`~#|]+|(?<!\w)_+|_+(?!\w)")
_JOINERS = re.compile(r"[\u00ad\u200b-\u200d\u2060\ufe00-\ufe0f\u20e3\U000e0020-\U000e007f]")
"""Invisible: soft hyphens, joiners, and what tells an emoji or a key apart from its plain sign."""
_SILENT = frozenset({"So", "Sk", "Cs", "Co", "Cn", "Cc", "Cf"})
_SAID = "°℃℉№"
"""Signs that have a name, among those that mostly have none."""


def speakable(text: str) -> str:
    """The text without what a voice cannot say, in single spaces; empty if nothing is left to say."""
    text = _ADDRESS.sub(r"\1", _LINK.sub(r"\1", text))
    text = _LINE_START.sub("", text)
    text = _JOINERS.sub("", _MARKS.sub("", text))
    said = "".join(c if c.isspace() or c in _SAID or unicodedata.category(c) not in _SILENT else " " for c in text)
    said = " ".join(said.split())
    return said if any(c.isalnum() for c in said) else ""
