"""From a written piece to the signs that Kokoro reads, in each of its languages. Knows no sound."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Protocol

from actors.tts.kokoro import mandarin_text, spanish, spanish_text
from actors.tts.reading import Reading, laid, read

_TOKENS = re.compile(r"(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)|(?P<mark>[.,;:!?…—–()\"“”])|(?P<space>\s+)|(?P<other>\S)")


class Reader(Protocol):
    """Reads one language."""

    name: str

    def read(self, text: str, mark: str) -> list[Reading]:
        """Readings of one piece of text, none if nothing in it can be said. ``mark`` is read at its end."""
        ...


def readers(alphabet: Mapping[str, int]) -> dict[str, Reader]:
    """A reader for each language. Raises ImportError if a library is not installed."""
    import num2words  # noqa: F401  # pyright: ignore[reportMissingImports]  # to be missed now, not at a figure

    english = English(alphabet)
    return {"en": english, "es": Spanish(alphabet), "zh": Mandarin(alphabet, english)}


class English:
    """hibari's reader: Kokoro's alphabet and lexicon, made for its student."""

    name = "English"

    def __init__(self, alphabet: Container[str]) -> None:
        from hibari.g2p import G2P
        from hibari.g2p.normalize import normalize

        self._reader, self._normalize, self._alphabet = G2P(), normalize, alphabet

    def read(self, text: str, mark: str) -> list[Reading]:
        return read(text, mark, self._reader, self._normalize, self._alphabet)

    def signs(self, text: str) -> str:
        """The signs of a few words."""
        return " ".join(reading.signs for reading in self.read(text, ""))


class Spanish:
    """By rule; the sounds of a word depend on its neighbours."""

    name = "Spanish"

    def __init__(self, alphabet: Container[str]) -> None:
        self._alphabet = alphabet

    def read(self, text: str, mark: str) -> list[Reading]:
        written = [word for word in text.split() if any(sign.isalnum() for sign in word)]
        tokens = list(_spanish(spanish_text.spoken_form(text)))
        return laid(tokens, written, mark, self._alphabet) if any(signs.strip() for _, signs, _ in tokens) else []


class Mandarin:
    """Words by a dictionary; Latin words are read as English."""

    name = "Chinese"

    def __init__(self, alphabet: Container[str], english: English) -> None:
        from actors.tts.kokoro.mandarin import Mandarin as Reads

        self._alphabet = alphabet
        self._reads = Reads(english.signs)

    def read(self, text: str, mark: str) -> list[Reading]:
        tokens = list(self._reads.tokens(mandarin_text.spoken_form(text)))
        if not any(sign.isalpha() for _, signs, _ in tokens for sign in signs):
            return []
        return laid(tokens, self._reads.words(text), mark, self._alphabet)


def _spanish(text: str) -> Iterator[tuple[str, str, bool]]:
    """Words and marks of a text without figures, each with its signs and whether a space follows."""
    found = [(run.lastgroup, run[0]) for run in _TOKENS.finditer(text)]
    told = [spanish.signs(part) if kind == "word" else part if kind == "mark" else "" for kind, part in found]
    kept = [at for at, (kind, _) in enumerate(found) if kind == "mark" or told[at]]
    last = ""
    for number, at in enumerate(kept):
        after = kept[number + 1] if number + 1 < len(kept) else None
        spaced = after is None or any(kind == "space" for kind, _ in found[at:after])
        if found[at][0] == "mark":
            last = ""
            yield found[at][1], told[at], spaced
            continue
        follows = told[after] if after is not None and found[after][0] == "word" else ""
        last = spanish.joined(last, told[at], follows)
        yield found[at][1], last, spaced
