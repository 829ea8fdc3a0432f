"""What a responder knows: topics, each with ways to ask for it and answers, read from TOML and written out as prose.

``knowledge.toml`` beside this file explains the form in its first lines. The guide looks topics up; a language model
reads the prose. This file knows no conversation.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from actors.llm.search import Index, stem

OWN = Path(__file__).with_name("knowledge.toml")

ENOUGH = 0.57
"""Cosine from which a known question counts as the one that was asked. Chosen on the questions of the tests: those
without an answer score at most 0.53, those with one 0.59 and more or hold a key."""

PROSE_MOST = 24_000
"""Characters that a language model is given of it: about six thousand tokens, with room for a conversation beside."""

ME = "I am the guide, and I have no other name."
UNKNOWN = (
    "I don't know. I am only a small guide without a language model. Ask me about this project, the time, or a sum; "
    "for anything else, connect a real language model by its address or key.",
    "I don't know that either. Ask me what I can do.",
)


class KnowledgeWrong(ValueError):
    """A text that is no knowledge; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that can be asked for."""

    ask: tuple[str, ...]
    keys: frozenset[str]
    say: tuple[str, ...]
    more: str


class Knowledge:
    """Topics, and the search over them."""

    def __init__(self, text: str) -> None:
        """Read TOML. Raises KnowledgeWrong."""
        try:
            data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise KnowledgeWrong(f"it is not TOML: {error}") from None
        if strange := data.keys() - {"topic", "same", "me", "unknown"}:
            raise KnowledgeWrong(f"it has no key {min(strange)!r}; there are topic, same, me and unknown")
        try:
            self.topics = [_topic(entry) for entry in data["topic"]]
            same = {str(word): [str(phrase) for phrase in phrases] for word, phrases in data.get("same", {}).items()}
            self.me = str(data.get("me", ME))
            """What it says when it is asked for its name in return."""
            self.unknown = _texts(data.get("unknown", UNKNOWN))
            """What it says, one after the other, when it does not know."""
        except (KeyError, TypeError, AttributeError):
            raise KnowledgeWrong("it needs [[topic]] tables with `ask` and `say`, as knowledge.toml explains") from None
        self._index = Index([topic.ask for topic in self.topics], same)

    def find(self, text: str) -> Topic | None:
        """The topic asked for: by the whole text, else by its last part that comes close enough, else by a key."""
        hits = [self._index.best(part) for part in (text, *reversed(list(_sentences(text))))]
        close = [hit for hit in hits if hit is not None and hit.score >= ENOUGH]
        if close:
            return self.topics[close[0].topic]
        words = set(self._index.words(text))
        return next((topic for topic in self.topics if words & topic.keys), None)

    def prose(self) -> str:
        """All of it to be read: each topic by its first question, with its answers."""
        return "\n".join(f"- {topic.ask[0]}? {' '.join((*topic.say, topic.more)).strip()}" for topic in self.topics)


@lru_cache(maxsize=32)
def known(text: str) -> Knowledge:
    """The same as ``Knowledge(text)``, kept for a while: every call brings its text along. Raises KnowledgeWrong."""
    return Knowledge(text)


def _sentences(text: str) -> Iterator[str]:
    for part in re.split(r"(?<=[.!?;])\s+|,\s+", text):
        if part.strip():
            yield part


def _topic(entry: dict[str, Any]) -> Topic:
    ask = entry["ask"]
    if isinstance(ask, str):
        raise TypeError("ways to ask are a list")
    keys = frozenset(stem(str(word)) for word in entry.get("keys", ()))
    return Topic(_texts(ask), keys, _texts(entry["say"]), str(entry.get("more", "")))


def _texts(given: Any) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else tuple(str(one) for one in given)
    if not texts:
        raise TypeError("at least one is needed")
    return texts
