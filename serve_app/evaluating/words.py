"""How much of a text was understood: errors in words, or in characters where a language writes no spaces.

The counting is jiwer's: substitutions, deletions and insertions of the cheapest alignment. Before it, texts are made
alike: lower case, no punctuation. Figures are not: a recogniser writes "three" or "3" as it likes, so a set is
written in words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from serve_app.errors import UserError

BY_CHARACTER = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
"""Languages that write no spaces between words."""

INSTALL = 'pip install "realtime-avatar[eval]"'

_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`]")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a recogniser made of one case."""

    wrong: frozenset[int]
    """Numbers of the reference's units that were left out or taken for others."""
    added: int
    """Units that nobody said."""
    units: int
    """Words or characters of the reference."""

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions."""
        return len(self.wrong) + self.added


def check() -> None:
    """Raise UserError where jiwer is missing: before anything slow is done."""
    try:
        import jiwer  # noqa: F401
    except ImportError:
        raise UserError(f"avatar eval counts errors with jiwer, which is not installed; run: {INSTALL}") from None


def measure_of(language: str) -> str:
    """``WER`` or ``CER``."""
    return "CER" if language in BY_CHARACTER else "WER"


def units(text: str, language: str) -> list[str]:
    """The words of a text, or its characters, made alike."""
    plain = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).casefold())
    spaced = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in plain)
    words = spaced.split()
    return list("".join(words)) if language in BY_CHARACTER else words


def compared(reference: str, heard: str, language: str) -> Heard:
    """Align what was heard with what was to be heard."""
    import jiwer

    wanted, got = units(reference, language), units(heard, language)
    aligned = jiwer.process_words(" ".join(wanted), " ".join(got))
    wrong: set[int] = set()
    for chunk in aligned.alignments[0]:
        if chunk.type in ("substitute", "delete"):
            wrong.update(range(chunk.ref_start_idx, chunk.ref_end_idx))
    return Heard(frozenset(wrong), aligned.insertions, len(wanted))


def rate(heard: Sequence[Heard]) -> float:
    """Errors of all cases in percent of their units: long cases weigh more than short ones."""
    return 100 * sum(one.errors for one in heard) / sum(one.units for one in heard)


def wrong_with_both(first: Sequence[Heard], second: Sequence[Heard]) -> float:
    """Percent of the units that two recognisers both got wrong: rather the voice's fault than theirs."""
    both = sum(len(one.wrong & other.wrong) for one, other in zip(first, second, strict=True))
    return 100 * both / sum(one.units for one in first)
