"""LABELS.json: what was spoken when; and how open a mouth is expected to be for it.

The openness follows the phonetic chart, not any face's table: a vowel by its height (close 0.2, open 1), less when
the lips are rounded, a consonant by its place. It knows no pictures and no sound.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve_app.errors import UserError
from streaming.media import RATE
from streaming.stages import Phone

STEP = RATE // 200
"""Samples between two values of every curve: 5 ms."""
LIPS_MEET = frozenset("pbm")
"""What cannot be said with open lips."""

_INERTIA_MS = 40.0  # lips and jaw take about this long to follow: a Gaussian's sigma
_OPENNESS = {
    0.0: "pbmɓɸβ",
    0.1: "fvʋɱw",
    0.15: "szʦʣʃʒʧʤʂʐɕʑ",
    0.2: "iyuɨʉɯjɹɻ",
    0.25: "θðtdnTɾrɲʈɖɳʔ",
    0.3: "ʊʏlɫɭʎɚɝɜ",
    0.35: "ɪᵻkɡgŋqxɣχʁhɦo",
    0.4: "əᵊeøɵɘɤ",
    0.6: "ɛʌɐœɔ",
    0.85: "æɒ",
    1.0: "aɑ",
}  # fmt: skip
_OF = {letter: value for value, letters in _OPENNESS.items() for letter in letters}
_DIPHTHONGS = {"A": "ei", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ"}
_UNKNOWN = 0.25  # a consonant somewhere in the mouth


@dataclass(frozen=True, slots=True)
class Labels:
    """The speech sounds of a clip, in order; starts in samples at 24 kHz from the clip's first sample."""

    phones: tuple[Phone, ...]
    text: str = ""

    def silences(self, end: int) -> list[tuple[int, int]]:
        """Where no sound is labelled between 0 and ``end``: (first sample, sample after the last)."""
        found, at = [], 0
        for phone in self.phones:
            if sounded(phone):
                if phone.start > at:
                    found.append((at, phone.start))
                at = max(at, phone.start + phone.samples)
        return [*found, (at, end)] if end > at else found

    def closures(self) -> list[int]:
        """Middles of all p, b and m, in samples."""
        return [p.start + p.samples // 2 for p in self.phones if sounded(p) and p.symbol[0] in LIPS_MEET]


def sounded(phone: Phone) -> bool:
    """Is it a sound of speech and not a pause?"""
    return phone.samples > 0 and any(c.isalpha() for c in phone.symbol)


def read_labels(path: Path) -> Labels:
    """Read LABELS.json as `avatar talk --labels` writes it. Raises UserError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:  # JSON and UTF-8 both
        raise UserError(f"{path} is not JSON ({error}); write labels with `avatar talk --labels`") from error
    try:
        rate = content["rate"]
        phones = tuple(_phone(row) for row in content["phones"])
        text = str(content.get("text", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} holds no labels ({type(error).__name__}: {error});"
            ' wanted {"rate": 24000, "phones": [{"symbol", "start", "samples", "stress"}]}'
        ) from error
    if rate != RATE:
        raise UserError(f"{path} counts at {rate} samples a second; labels count at {RATE}")
    if not any(map(sounded, phones)):
        raise UserError(f"{path} holds no speech sound; without labels, leave --labels out")
    return Labels(tuple(sorted(phones, key=lambda phone: phone.start)), text)


def _phone(row: dict[str, Any]) -> Phone:
    symbol, start, samples, stress = row["symbol"], row["start"], row["samples"], row.get("stress", 0)
    if not isinstance(symbol, str) or not all(isinstance(number, int) for number in (start, samples, stress)):
        raise ValueError(f"a phone is a symbol and whole numbers, not {row}")
    if start < 0 or samples < 0:
        raise ValueError(f"a phone begins and lasts 0 samples or more, not {row}")
    return Phone(symbol, start, samples, stress)


def openness(phones: Sequence[Phone], end: int) -> NDArray[np.float64]:
    """Expected opening, 0-1, every 5 ms from sample 0 to ``end``; the smoothing stands for the lips' inertia."""
    steps = np.zeros(-(-end // STEP))
    for phone in phones:
        parts = _parts(phone.symbol)
        edges = np.linspace(phone.start, phone.start + phone.samples, len(parts) + 1)
        for part, first, last in zip(parts, edges, edges[1:], strict=False):
            steps[round(first / STEP) : round(last / STEP)] = part
    sigma = _INERTIA_MS / 5
    kernel = np.exp(-0.5 * (np.arange(-30, 31) / sigma) ** 2)
    return np.asarray(np.convolve(steps, kernel / kernel.sum(), mode="same")[: len(steps)], np.float64)


def _parts(symbol: str) -> list[float]:
    """Openness of a symbol's letters in order: 0 for a pause; stress, length and tone marks do not count."""
    letters = "".join(c for c in unicodedata.normalize("NFD", symbol) if unicodedata.category(c) in ("Ll", "Lu", "Lo"))
    letters = "".join(_DIPHTHONGS.get(letter, letter) for letter in letters)
    return [_OF.get(letter, _OF.get(letter.lower(), _UNKNOWN)) for letter in letters] or [0.0]
