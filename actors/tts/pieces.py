"""A clip's text cut into pieces that are synthesised one by one: small first, at natural boundaries.

The voice hears a piece as a whole, so every cut costs some melody. What it buys depends on the voice: hibari needs
about 5 ms of CPU for a second of speech (measured, one core), so that a sentence of ordinary length is never cut; a
slower voice asks for smaller sizes. A longer sentence is cut only where a mark already divides it. Sizes are in
letters, of which a Chinese character counts for four; about 15 of them are a second of speech. This file knows no sound
and no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WHOLE = 80
"""A sentence up to this length (5 s of speech, 25 ms of CPU) is spoken in one piece."""
FIRST = 40
"""A longer one gives a first piece of at most this length, if a mark divides it there."""
LATER = 160
"""Longest further piece; also the length at which a text without any mark is cut between words."""

_ENDS = re.compile(r"(?<=[.!?…。！？])[\"”’')\]*_]*\s+|(?<=[。！？])(?=[^\s。！？”’」』）\"])[”’」』）]*|\s*\n\s*")
_MARKS = re.compile(r"(?<=[,;:—–)])[\"”’']?\s+|(?<=—)(?=\w)|(?<=[，、；：])(?=\w)")
_HAN = re.compile(r"[\u3400-\u9fff]")
_TITLES = frozenset(
    "Mr Mrs Ms Dr Prof St Mt Ft Gen Gov Sen Rep Capt Lt Col Sgt Rev Hon No Nos vs Fig approx"
    " Sr Sra Srta Dra Ud Uds Av".split()
)
_JOINS = frozenset(
    "and but or so because which that who when while where if than with from into for to of"
    " y e o u pero porque que cuando mientras donde si con sin para por de".split()
)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is synthesised at once."""

    text: str
    pause_ms: int
    """Silence that belongs after it."""
    mark: str = ""
    """Punctuation to read at its end where the text has none: "," keeps the melody up, "." lets it fall."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long pieces may be, in letters."""

    whole: int = WHOLE
    first: int = FIRST
    later: int = LATER


HIBARI = Sizes()


def pieces(text: str, sizes: Sizes = HIBARI) -> Iterator[Piece]:
    """The pieces of ``text`` in order; together they hold all its words. Nothing is computed ahead."""
    first = True
    for sentence, more in _sentences(text.strip()):
        for part in _parts(sentence, more, first, sizes):
            yield part
            first = False


def _sentences(text: str) -> Iterator[tuple[str, bool]]:
    """Each sentence or line, and whether more text follows."""
    end = 0
    for match in _ENDS.finditer(text):
        if "\n" in match[0] or _ends(text[end : match.start()], text[match.end() :]):
            yield text[end : match.end()].strip(), True
            end = match.end()
    if text[end:]:
        yield text[end:], False


def _ends(sentence: str, rest: str) -> bool:
    """False after a title, an initial or an item's number ("Dr. Smith", "1. Start"), or before a small letter."""
    if rest[:1].islower():
        return False
    if not sentence.endswith("."):
        return True
    word = ["", *sentence[:-1].split()][-1].lstrip("(\"“'‘")
    if word.isdigit():
        return word != sentence[:-1].strip()
    return word not in _TITLES and not (len(word) == 1 and word.isupper())


def _parts(sentence: str, more: bool, first: bool, sizes: Sizes) -> Iterator[Piece]:
    rest = sentence
    while _letters(rest) > sizes.whole:
        later = sizes.later
        cut = _mark(rest, sizes.first if first else later) or (
            _letters(rest) > later and (_mark(rest, later) or _word(rest, later))
        )
        if not cut:
            break
        head, rest = rest[:cut].strip(), rest[cut:].strip()
        yield _piece(head, Piece(head, 60, mark=","))
        first = False
    yield _piece(rest, Piece(rest, 220, mark=".") if more else Piece(rest, 60))


def _letters(text: str) -> int:
    """Length as it is heard."""
    return len(text) + 3 * len(_HAN.findall(text))


def _within(text: str, longest: int) -> int:
    """How many characters of ``text`` are at most ``longest`` letters."""
    left, at = longest, 0
    while at < len(text) and left >= (cost := 4 if _HAN.match(text[at]) else 1):
        left, at = left - cost, at + 1
    return at


def _mark(text: str, longest: int) -> int:
    """Where a phrase ends: the last mark within ``longest`` letters that leaves words on both sides; 0 if none."""
    cuts = [match for match in _MARKS.finditer(text, 0, _within(text, longest) + 1)]
    ends = [match.end() for match in cuts if _letters(text[: match.start()]) >= 8]
    ends = [end for end in ends if _letters(text[end:]) >= 12]
    return ends[-1] if ends else 0


def _word(text: str, longest: int) -> int:
    """Where a text without marks may be cut: before the last joining word that fits, else any, else anywhere."""
    most = _within(text, longest)
    spaces = [match.end() for match in re.finditer(r"\s+", text[:most])]
    joins = [at for at in spaces if at > most // 3 and text[at:].split(None, 1)[0].lower() in _JOINS]
    return (joins or spaces or [most])[-1]


def _piece(text: str, unmarked: Piece) -> Piece:
    """The piece with the pause that its last mark asks for; ``unmarked`` where it ends without one."""
    mark = text.rstrip("\"”’')]*_ 」』）")[-1:]
    if mark and mark in ".!?…。！？":
        return Piece(text, 300)
    if mark and mark in ";:—–；：":
        return Piece(text, 220)
    if (mark and mark in ",，、") or text.endswith((")", "）")):
        return Piece(text, 140)
    return unmarked
