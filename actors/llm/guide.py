"""The embedded responder: it looks answers up in a knowledge file, and says so when it has none.

No language model: manners, the clock, sums and what was said are rules, everything else is retrieval over
``knowledge.toml``, which is there to be edited. The same history at the same time gives the same reply.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from actors.llm import rules, sums
from actors.llm.search import Index, stem
from streaming.stages import History, StageError, TextDelta, Tool, ToolCall

log = logging.getLogger(__name__)

KNOWLEDGE = Path(__file__).with_name("knowledge.toml")

ENOUGH = 0.57
"""Cosine from which a known question counts as the one that was asked. Chosen on the questions of the tests: those
without an answer score at most 0.53, those with one 0.59 and more or hold a key."""

LONGEST = 1_000
"""Characters of a question: a minute of speech. More is no question, and looking up each word takes its time."""
REMEMBERED = 20
"""Earlier questions that are looked at again, so that a reply costs the same after hours of talk."""

UNKNOWN = (
    "I don't know. I am only a small guide without a language model. Ask me about this project, the time, or a sum; "
    "for anything else, connect a real language model by its address or key.",
    "I don't know that either. Ask me what I can do.",
)


@dataclass(frozen=True, slots=True)
class _Topic:
    ask: tuple[str, ...]
    keys: frozenset[str]
    say: tuple[str, ...]
    more: str


class Guide:
    """The Responder without a model; one for any number of sessions."""

    def __init__(self, knowledge: Path | None = None, *, now: Callable[[], datetime] = datetime.now) -> None:
        """Read the knowledge file, by default the one beside this module. ``now`` is the clock it tells the time by.

        Raises StageError if the file is missing or is not as its first lines say.
        """
        path = knowledge or KNOWLEDGE
        self._topics, same = _read(path)
        self._index = Index([topic.ask for topic in self._topics], same)
        self._now = now
        log.info("language: the guide, %d topics from %s", len(self._topics), path.name)

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall]:
        """Answer the last thing the person said, word by word. It can follow no instructions and call no tools."""
        for word in re.findall(r"\S+\s*", self.answer(history)):
            yield TextDelta(word)

    def answer(self, history: History) -> str:
        """The whole reply."""
        said = [item.text for item in history if item.role == "user"]
        text = said[-1] if said else "hello"
        if len(text) > LONGEST:
            return "That was too long for me. Please ask in a sentence or two."
        before = [earlier for earlier in said[:-1][-REMEMBERED:] if len(earlier) <= LONGEST]
        return rules.manner(text, history, self._now) or sums.answer(text) or self._known(text, before)

    def _known(self, text: str, before: Sequence[str]) -> str:
        if rules.wants_more(text) and before:
            topic = self._find(before[-1])
            if topic is not None:
                return topic.more or "That's all I know about it. Ask me something else."
        topic = self._find(text)
        if topic is None:
            return UNKNOWN[min(1, sum(self._is_unknown(earlier) for earlier in before))]
        return topic.say[sum(self._find(earlier) is topic for earlier in before) % len(topic.say)]

    def _is_unknown(self, text: str) -> bool:
        return self._find(text) is None and sums.answer(text) is None

    def _find(self, text: str) -> _Topic | None:
        """The topic asked for: by the whole text, else by its last part that comes close enough, else by a key."""
        hits = [self._index.best(part) for part in (text, *reversed(list(_sentences(text))))]
        close = [hit for hit in hits if hit is not None and hit.score >= ENOUGH]
        if close:
            return self._topics[close[0].topic]
        words = set(self._index.words(text))
        return next((topic for topic in self._topics if words & topic.keys), None)


def _sentences(text: str) -> Iterator[str]:
    for part in re.split(r"(?<=[.!?;])\s+|,\s+", text):
        if part.strip():
            yield part


def _read(path: Path) -> tuple[list[_Topic], dict[str, list[str]]]:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        topics = [_topic(entry) for entry in data["topic"]]
        same = {str(word): [str(phrase) for phrase in phrases] for word, phrases in data.get("same", {}).items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StageError(f"the guide cannot read its knowledge file {path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise StageError(f"{path} needs [[topic]] tables with `ask` and `say`, as its first lines explain") from error
    return topics, same


def _topic(entry: dict[str, Any]) -> _Topic:
    say = entry["say"]
    answers = (say,) if isinstance(say, str) else tuple(str(one) for one in say)
    ask = tuple(str(one) for one in entry["ask"])
    if not (ask and answers) or isinstance(entry["ask"], str):
        raise TypeError("a topic needs at least one way to ask and one answer")
    keys = frozenset(stem(str(word)) for word in entry.get("keys", ()))
    return _Topic(ask, keys, answers, str(entry.get("more", "")))
