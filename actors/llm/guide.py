"""The embedded responder: it looks answers up in a knowledge file, and says so when it has none.

No language model: manners, the clock, sums and what was said are rules, everything else is retrieval over
``knowledge.toml``, which is there to be edited, or over what a persona knows, which comes with the call. The same
history at the same time gives the same reply.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path

from actors.llm import rules, sums
from actors.llm.knowledge import OWN, Knowledge, KnowledgeWrong, Topic, known
from streaming.stages import History, StageError, TextDelta, Tool, ToolCall

log = logging.getLogger(__name__)

KNOWLEDGE = OWN

LONGEST = 1_000
"""Characters of a question: a minute of speech. More is no question, and looking up each word takes its time."""
REMEMBERED = 20
"""Earlier questions that are looked at again, so that a reply costs the same after hours of talk."""


class Guide:
    """The Responder without a model; one for any number of sessions."""

    def __init__(self, knowledge: Path | None = None, *, now: Callable[[], datetime] = datetime.now) -> None:
        """Read the knowledge file, by default the one beside this module. ``now`` is the clock it tells the time by.

        Raises StageError if the file is missing or is not as its first lines say.
        """
        path = knowledge or KNOWLEDGE
        self.own = _read(path)
        """What it knows where no persona brings along more."""
        self._now = now
        log.info("language: the guide, %d topics from %s", len(self.own.topics), path.name)

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall]:
        """Answer the last thing the person said, word by word. It can follow no instructions and call no tools."""
        for word in re.findall(r"\S+\s*", self.answer(history)):
            yield TextDelta(word)

    def answer(self, history: History) -> str:
        """The whole reply. Raises StageError if the knowledge that came with the history cannot be read."""
        lore = self._known(history)
        said = [item.text for item in history if item.role == "user"]
        text = said[-1] if said else "hello"
        if len(text) > LONGEST:
            return "That was too long for me. Please ask in a sentence or two."
        before = [earlier for earlier in said[:-1][-REMEMBERED:] if len(earlier) <= LONGEST]
        return rules.manner(text, history, self._now, lore.me) or sums.answer(text) or _looked_up(text, before, lore)

    def _known(self, history: History) -> Knowledge:
        brought = next((item.text for item in history if item.role == "knowledge"), "")
        try:
            return known(brought) if brought else self.own
        except KnowledgeWrong as error:
            raise StageError(f"the guide cannot read what this persona knows: {error}") from error


def _looked_up(text: str, before: Sequence[str], lore: Knowledge) -> str:
    if rules.wants_more(text) and before:
        topic = lore.find(before[-1])
        if topic is not None:
            return topic.more or "That's all I know about it. Ask me something else."
    topic = lore.find(text)
    if topic is None:
        return lore.unknown[min(len(lore.unknown) - 1, sum(_is_unknown(earlier, lore) for earlier in before))]
    return _in_turn(topic, sum(lore.find(earlier) is topic for earlier in before))


def _in_turn(topic: Topic, times: int) -> str:
    """Asked again, it says it in another way."""
    return topic.say[times % len(topic.say)]


def _is_unknown(text: str, lore: Knowledge) -> bool:
    return lore.find(text) is None and sums.answer(text) is None


def _read(path: Path) -> Knowledge:
    try:
        return Knowledge(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, KnowledgeWrong) as error:
        raise StageError(f"the guide cannot read its knowledge file {path}: {error}") from error
