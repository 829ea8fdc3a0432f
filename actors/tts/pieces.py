"""A clip's text cut into pieces that are synthesised one by one: small first, at natural boundaries.

The voice hears a piece as a whole, so every cut costs some melody, and what it buys is small: the model needs about
5 ms of CPU for a second of speech (measured, one core). So a sentence of ordinary length is never cut, and a longer one
only where a mark already divides it. Sizes below are in characters; about 15 of them are a second of speech.
This file knows no sound and no model.
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

_ENDS = re.compile(r"(?<=[.!?…。！？])[\"”’')\]*_]*\s+|\s*\n\s*")
_MARKS = re.compile(r"(?<=[,;:—–)])[\"”’']?\s+|(?<=—)(?=\w)")
_TITLES = frozenset("Mr Mrs Ms Dr Prof St Mt Ft Gen Gov Sen Rep Capt Lt Col Sgt Rev Hon No Nos vs Fig approx".split())
_JOINS = frozenset("and but or so because which that who when while where if than with from into for to of".split())


@dataclass(frozen=True, slots=True)
class Piece:
    """What is synthesised at once."""

    text: str
    pause_ms: int
    """Silence that belongs after it."""
    mark: str = ""
    """Punctuation to read at its end where the text has none: "," keeps the melody up, "." lets it fall."""


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of ``text`` in order; together they hold all its words. Nothing is computed ahead."""
    first = True
    for sentence, more in _sentences(text.strip()):
        for part in _parts(sentence, more, first):
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


def _parts(sentence: str, more: bool, first: bool) -> Iterator[Piece]:
    rest = sentence
    while len(rest) > WHOLE:
        cut = _mark(rest, FIRST if first else LATER) or (len(rest) > LATER and (_mark(rest, LATER) or _word(rest)))
        if not cut:
            break
        head, rest = rest[:cut].strip(), rest[cut:].strip()
        yield _piece(head, Piece(head, 60, mark=","))
        first = False
    yield _piece(rest, Piece(rest, 220, mark=".") if more else Piece(rest, 60))


def _mark(text: str, longest: int) -> int:
    """Where a phrase ends: the last mark within ``longest`` characters that leaves words on both sides; 0 if none."""
    cuts = [match.end() for match in _MARKS.finditer(text, 0, longest + 1) if match.start() >= 8]
    cuts = [cut for cut in cuts if len(text) - cut >= 12]
    return cuts[-1] if cuts else 0


def _word(text: str) -> int:
    """Where a text without marks may be cut: before the last joining word that fits, else any, else anywhere."""
    spaces = [match.end() for match in re.finditer(r"\s+", text[:LATER])]
    joins = [at for at in spaces if at > LATER // 3 and text[at:].split(None, 1)[0].lower() in _JOINS]
    return (joins or spaces or [LATER])[-1]


def _piece(text: str, unmarked: Piece) -> Piece:
    """The piece with the pause that its last mark asks for; ``unmarked`` where it ends without one."""
    mark = text.rstrip("\"”’')]*_ ")[-1:]
    if mark and mark in ".!?…。！？":
        return Piece(text, 300)
    if mark and mark in ";:—–":
        return Piece(text, 220)
    if mark == "," or text.endswith(")"):
        return Piece(text, 140)
    return unmarked
