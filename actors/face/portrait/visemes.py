"""What the mouth does for each speech sound: a table from IPA to lip targets.

It knows nothing of time beyond where a diphthong turns, and nothing of pictures. Targets and classes follow the
usual grouping of English sounds that look alike; the numbers were tuned by looking at the rendered mouth.
"""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

TRACKS = ("jaw", "wide", "round", "up", "press", "fv", "tongue", "smile")
"""Order of every lip vector: jaw, wide and up in half mouth widths m, the rest 0-1."""
JAW, WIDE, ROUND, UP, PRESS, FV, TONGUE, SMILE = range(8)

DIPHTHONG_TURN = 0.58
"""Share of a diphthong that belongs to its first vowel."""


@dataclass(frozen=True, slots=True)
class Viseme:
    """A group of sounds that look alike."""

    name: str
    target: NDArray[np.float64]
    """Lip vector in the order of TRACKS."""
    dominance: NDArray[np.float64]
    """How strongly each track is pulled to the target, same order."""
    vowel: bool


def _viseme(
    name: str, jaw: float, wide: float, rounding: float, up: float, dominance: tuple[float, float], **more: float
) -> Viseme:
    values = {"jaw": jaw, "wide": wide, "round": rounding, "up": up, **more}
    target = np.array([values.get(track, 0.0) for track in TRACKS])
    pull = np.full(len(TRACKS), float(dominance[0]))
    pull[[WIDE, ROUND]] = dominance[1]
    return Viseme(name, target, pull, name in _VOWELS)


_VOWELS = frozenset({"i", "I", "E", "ae", "A", "V", "x", "O", "o", "U", "u", "er", "y"})

VISEMES = {
    v.name: v
    for v in (
        _viseme("PBM", 0, 0, 0, 0, (3, 0.35), press=1),
        _viseme("FV", 0.05, 0, 0, 0.02, (2.2, 0.4), fv=1),
        _viseme("TH", 0.13, 0.02, 0, 0.05, (1.2, 0.4), tongue=0.95),
        _viseme("TDN", 0.12, 0.02, 0, 0.04, (0.8, 0.25), tongue=0.75),
        _viseme("L", 0.18, 0, 0, 0.04, (0.8, 0.25), tongue=0.95),
        _viseme("SZ", 0.06, 0.05, 0, 0.07, (1.5, 0.5), tongue=0.4),
        _viseme("SH", 0.08, 0, 0.50, 0.09, (1.5, 1.3)),
        _viseme("KG", 0.17, 0, 0, 0, (0.5, 0.2), tongue=0.1),
        _viseme("H", 0.20, 0, 0, 0, (0.25, 0.1)),
        _viseme("R", 0.12, 0, 0.42, 0.03, (0.9, 0.9)),
        _viseme("W", 0.07, 0, 0.80, 0, (1.5, 2)),
        _viseme("Y", 0.10, 0.07, 0, 0, (0.8, 0.8)),
        _viseme("i", 0.14, 0.10, 0, 0.06, (1, 1), smile=0.3),
        _viseme("I", 0.20, 0.05, 0, 0.03, (0.8, 0.7)),
        _viseme("E", 0.32, 0.05, 0, 0.04, (1, 1), smile=0.1),
        _viseme("ae", 0.44, 0.05, 0, 0.05, (1, 1), smile=0.1),
        _viseme("A", 0.52, -0.02, 0, 0.02, (1, 1)),
        _viseme("V", 0.32, 0, 0, 0, (0.9, 0.6)),
        _viseme("x", 0.20, 0, 0, 0, (0.5, 0.3)),
        _viseme("O", 0.42, 0, 0.42, 0, (1, 1.2)),
        _viseme("o", 0.28, 0, 0.62, 0, (1, 1.5)),
        _viseme("U", 0.17, 0, 0.58, 0, (1, 1.2)),
        _viseme("u", 0.11, 0, 0.76, 0, (1, 1.6)),
        _viseme("y", 0.12, 0, 0.66, 0.03, (1, 1.4)),
        _viseme("er", 0.19, 0, 0.32, 0, (1, 0.9)),
    )
}

_LETTERS = {
    "PBM": "pbmɓʙɱβ",
    "FV": "fvʋɸ",
    "TH": "θð",
    "TDN": "tdnTɾrɲɳʈɖʔ",
    "L": "lɫɭʎɬ",
    "SZ": "szʦʣ",
    "SH": "ʃʒʧʤʂʐɕʑʨʥꭧ",
    "KG": "kɡgŋqxɣχʁɰc",
    "H": "hɦħ",
    "R": "ɹɻʀ",
    "W": "wʍ",
    "Y": "jʝɥ",
    "i": "i",
    "I": "ɪᵻɨɯ",
    "E": "ɛe",
    "ae": "æ",
    "A": "ɑaɒ",
    "V": "ʌɤ",
    "x": "əɐᵊɘ",
    "O": "ɔ",
    "o": "oøœɵ",
    "U": "ʊ",
    "u": "uʉ",
    "y": "yʏ",
    "er": "ɜɚɝ",
}
_CLASS = {letter: name for name, letters in _LETTERS.items() for letter in letters}
_DIPHTHONGS = {"A": ("E", "i"), "I": ("A", "i"), "O": ("o", "u"), "W": ("ae", "U"), "Y": ("O", "i"), "Q": ("x", "U")}
_SILENT = frozenset(" .,!?;:…—–-\"'“”()«»¿¡_|~^$。，！？；：、")
_PLAIN = {"a": "A", "e": "E", "i": "i", "o": "o", "u": "u", "b": "PBM", "v": "FV", "w": "W"}

Shares = tuple[tuple[Viseme, float], ...]
"""Visemes of one phone in order, each with its share of the phone's time."""


@lru_cache(maxsize=512)
def visemes_of(symbol: str) -> Shares:
    """The visemes of one IPA symbol as a voice names it; empty for silence.

    Stress, length and tone marks are ignored. An unknown symbol is logged once and shown as a neutral consonant,
    or as the plain letter that it is built on.
    """
    letters = [c for c in unicodedata.normalize("NFD", symbol) if c in _CLASS or not _is_mark(c)]
    if not letters:
        return ()
    share = 1.0 / len(letters)
    return tuple((VISEMES[name], share * part) for letter in letters for name, part in _classes(letter, symbol))


def _is_mark(letter: str) -> bool:
    return letter in _SILENT or letter in "ˈˌːˑ" or unicodedata.category(letter) in ("Mn", "Sk", "Lm", "Nd", "No", "Zs")


def _classes(letter: str, symbol: str) -> list[tuple[str, float]]:
    if letter in _DIPHTHONGS:
        first, second = _DIPHTHONGS[letter]
        return [(first, DIPHTHONG_TURN), (second, 1 - DIPHTHONG_TURN)]
    known = _CLASS.get(letter) or _CLASS.get(letter.lower())
    if known is None:
        known = _PLAIN.get(letter.lower(), "TDN")
        log.warning("speech sound %r (in %r) is not in the table; the lips show it as %s", letter, symbol, known)
    return [(known, 1.0)]
