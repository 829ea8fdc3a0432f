"""Which known question a spoken one comes closest to: rare words weigh more, and small misspellings are forgiven.

Questions are compared as TF-IDF vectors by their cosine. A word that no known question holds counts fully against
a match: that is how "I don't know" is found. Pure text; it knows no answers' meaning.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SHORT = {
    "what's": "what is", "who's": "who is", "where's": "where is", "how's": "how is", "that's": "that is",
    "it's": "it is", "there's": "there is", "let's": "let us", "i'm": "i am", "you're": "you are",
    "they're": "they are", "we're": "we are", "can't": "can not", "cannot": "can not", "won't": "will not",
    "don't": "do not", "doesn't": "does not", "didn't": "did not", "isn't": "is not", "aren't": "are not",
    "you've": "you have", "i've": "i have", "i'd": "i would", "i'll": "i will", "you'll": "you will",
}  # fmt: skip
_FILLERS = frozenset(
    "please um uh er ah well so okay ok now then just actually really maybe perhaps could would tell know explain "
    "wonder wondering whether exactly also but and anyway kindly me us hello today".split()
)
"""Words that carry no question; ignored as long as others remain."""


_STRANGE = 2.0
"""How much more a word that is in no known question speaks against a match than a rare one speaks for it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """The best match."""

    topic: int
    """Index into what the index was made from."""
    score: float
    """0 nothing in common .. 1 the same words."""


class Index:
    """Known questions: ``asks[k]`` are the ways to ask for topic k; ``same`` maps a word to words that mean it."""

    def __init__(self, asks: Sequence[Sequence[str]], same: Mapping[str, Sequence[str]]) -> None:
        pairs = [(phrase, word) for word, phrases in same.items() for phrase in phrases]
        longest = sorted(pairs, key=lambda pair: -len(pair[0]))
        self._same = [(re.compile(rf"\b{re.escape(phrase)}\b"), word) for phrase, word in longest]
        self._known = [(k, frozenset(self.words(ask))) for k, ways in enumerate(asks) for ask in ways]
        count: dict[str, int] = {}
        for _, words in self._known:
            for word in words:
                count[word] = count.get(word, 0) + 1
        total = len(self._known)
        self._weight = {word: math.log(1 + total / n) for word, n in count.items()}
        self._strange = math.log(1 + total)

    def words(self, text: str) -> list[str]:
        """The stems of a text, without fillers unless it holds nothing else."""
        plain = text.lower().replace("’", "'")
        for short, long in _SHORT.items():
            plain = re.sub(rf"\b{short}\b", long, plain)
        plain = re.sub(r"[^a-z0-9]+", " ", plain).strip()
        for pattern, word in self._same:
            plain = pattern.sub(word, plain)
        every = plain.split()
        return [stem(word) for word in ([w for w in every if w not in _FILLERS] or every)]

    def best(self, text: str) -> Hit | None:
        """The closest topic, or None if no word is shared. The caller decides which score is enough."""
        query: dict[str, float] = {}
        unknown = 0.0
        for word in set(self.words(text)):
            match, likeness = self._spelled(word)
            if match:
                query[match] = max(query.get(match, 0.0), likeness)
            unknown += (1 - likeness) * _STRANGE * self._strange**2
        size = math.sqrt(sum(self._weight[word] ** 2 for word in query) + unknown)
        best: Hit | None = None
        for topic, known in self._known:
            shared = sum(self._weight[word] ** 2 * query[word] for word in known if word in query)
            if shared:
                score = shared / (size * math.sqrt(sum(self._weight[word] ** 2 for word in known)))
                best = Hit(topic, score) if best is None or score > best.score else best
        return best

    def _spelled(self, word: str) -> tuple[str, float]:
        """The known word that this is, or is nearly, and how nearly; nothing and 0 for a strange one."""
        if word in self._weight:
            return word, 1.0
        near = difflib.get_close_matches(word, self._weight, 1, 0.8) if len(word) >= 4 else []
        return (near[0], difflib.SequenceMatcher(None, word, near[0]).ratio()) if near else ("", 0.0)


def stem(word: str) -> str:
    """A word without its commonest English endings, so that "uses", "used" and "using" meet."""
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
                word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
