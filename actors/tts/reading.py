"""From a written piece to the signs that the network reads, each knowing the written word it belongs to.

A word of the text may become several spoken ones ("$5.20") or none ("–"); the written words are kept as they are, so
that captions can light them. This file knows the reader (hibari's) by its two methods and no sound.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Protocol

from actors.tts.text import has_words, speakable, spoken_form

LONGEST = 400
"""Signs that the network gets at once: what it was trained on, and a bound on memory (its attention is quadratic)."""

_SILENT = "\"“”‘’'`()[]{}<>*_,.;:!?…«»¿¡，。、；：！？《》「」『』（）【】"


class Reader(Protocol):
    """hibari's G2P: ``tokenize`` finds words and their parts of speech, ``phonemize_tokens`` sets their phonemes."""

    def tokenize(self, text: str) -> list[Any]: ...

    def phonemize_tokens(self, tokens: list[Any]) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What the network reads at once."""

    signs: str
    """Phonemes, stress marks, punctuation and spaces of the model's alphabet, one character each."""
    owners: tuple[int, ...]
    """For each sign its written word's number, counted from 0 in ``words``; -1 between words."""
    words: tuple[str, ...]
    """Written words, without the marks around them."""


def read(
    text: str, mark: str, reader: Reader, normalize: Callable[[str], str], alphabet: Container[str]
) -> list[Reading]:
    """Readings of one piece of text, mostly one; none if nothing in it can be said. ``mark`` is read at its end."""
    written = [word for word in text.split() if has_words(speakable(word)[0])]
    said = normalize(spoken_form(speakable(text)[0]))
    if not has_words(said):
        return []
    tokens = reader.phonemize_tokens(reader.tokenize(said))
    return laid(
        [(token.text, token.phonemes or "", bool(token.whitespace)) for token in tokens], written, mark, alphabet
    )


def laid(
    tokens: Iterable[tuple[str, str, bool]], written: Sequence[str], mark: str, alphabet: Container[str]
) -> list[Reading]:
    """Readings of spoken tokens, each as ``(text, its signs, whether a space follows)``, for the written words.

    A token without a space after it belongs to the same word as the next. Signs outside ``alphabet`` are left out.
    """
    spoken: list[str] = [""]
    signs: list[str] = []
    places: list[int] = []
    for text, phonemes, spaced in tokens:
        spoken[-1] += text
        known = [sign for sign in phonemes if sign in alphabet]
        signs += known
        places += [len(spoken) - 1] * len(known)
        if spaced:
            spoken.append("")
            signs.append(" ")
            places.append(-1)
    owner = _owners(written, spoken)
    joined = "".join(signs).rstrip()
    owners = [owner[place] if place >= 0 else -1 for place in places[: len(joined)]]
    if mark and joined[-1:].isalpha():
        joined, owners = joined + mark, [*owners, -1]
    words = tuple(_bare(word) for word in written)
    return [Reading(joined[a:b], _beginning(owners, a, b), words) for a, b in _stretches(joined)]


def _beginning(owners: Sequence[int], start: int, stop: int) -> tuple[int, ...]:
    """The owners of a stretch, without a word that began in a stretch before: a word is told once."""
    told = set(owners[:start])
    return tuple(-1 if owner in told else owner for owner in owners[start:stop])


def _owners(written: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """For each spoken word the number of the written word it comes from.

    Equal words are matched (longest common runs); what lies between two matches is shared out in order.
    """
    matcher = SequenceMatcher(None, [_key(word) for word in written], [_key(word) for word in spoken], autojunk=False)
    owners = [-1] * len(spoken)
    for _, a, b, c, d in matcher.get_opcodes():
        for place in range(c, d):
            owners[place] = a + (place - c) * (b - a) // (d - c) if b > a else a - 1
    return [min(max(owner, 0), len(written) - 1) for owner in owners]


def _key(word: str) -> str:
    return word.strip(_SILENT + "-–—").lower().replace("’", "'")


def _bare(word: str) -> str:
    """The word without the marks around it, but with a dot or dash that belongs to what follows (".NET", "-5")."""
    bare = word.rstrip(_SILENT + "-–—")
    head = bare.lstrip(_SILENT + "-–—")
    return bare[len(bare) - len(head) - 1 :] if bare[: len(bare) - len(head)].endswith((".", "-")) else head


def _stretches(signs: str) -> list[tuple[int, int]]:
    """Cuts at the last space before LONGEST, so that no run of the network is longer."""
    cuts, start = [], 0
    while len(signs) - start > LONGEST:
        space = signs.rfind(" ", start + LONGEST // 2, start + LONGEST)
        stop = space + 1 if space >= 0 else start + LONGEST
        cuts.append((start, stop))
        start = stop
    if signs[start:].strip():
        cuts.append((start, len(signs)))
    return cuts
