"""What goes with every call of a session: how it is spoken, what is known, and how long an answer is waited for.

It is chosen outside the conversation, which does not know it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from streaming.commands import Speak
from streaming.stages import History, Said, Tool

T = TypeVar("T")

APOLOGIES = {
    "en": "Sorry, I can't answer that just now. Please ask me again in a moment.",
    "es": "Lo siento, ahora mismo no puedo responder. Pregúntame otra vez dentro de un momento.",
    "zh": "抱歉，我现在回答不了。请过一会儿再问我。",
}
"""What is said when the language model fails, by the voice's language; another language needs words of its own."""

UNVOICED = {
    "en": "I have no voice for this language. Please read my answer.",
    "es": "No tengo voz para este idioma. Por favor, lee mi respuesta.",
    "zh": "我没有这种语言的声音，请看文字。",
}
"""What is said once, where a reply is in a language that the voice does not speak; the captions carry the reply."""


@dataclass(frozen=True, slots=True)
class Driving:
    """What the driver adds to each call."""

    voice: str = "default"
    language: str = "en"
    """Of the voice, where a text tells none; ISO 639-1."""
    languages: frozenset[str] | None = None
    """All that the voice speaks; each clip is then spoken in its own. None: not known, ``language`` is for all."""
    instructions: str = ""
    knowledge: str = ""
    """What a persona knows, in the form of actors/llm/knowledge.toml; empty: what the responder knows by itself."""
    tools: tuple[Tool, ...] = ()
    most: int | None = None
    """Pieces of text and calls that a reply may have; None has no bound."""
    hints: str = ""
    """Names and terms that people are likely to say, for recognition, as they shall be written."""
    threshold: float | None = None
    """Of the listener, as ``HearState.threshold``."""
    apology: str = ""
    """What is said when the language model fails; empty: the one of APOLOGIES."""
    first_s: float = 10.0
    """Longest wait for a call's first answer: a cold replica needs seconds."""
    next_s: float = 5.0
    """Longest wait between two answers of a call."""

    def informed(self, history: History) -> History:
        """The conversation as the responder is given it: each call brings along what the persona knows."""
        return (Said("knowledge", self.knowledge, 0), *history) if self.knowledge else history

    def excuse(self) -> str:
        """What to say instead of an answer, in the language that the voice speaks; English where no other is known."""
        return self.apology or APOLOGIES.get(self.language, APOLOGIES["en"])

    def voiced(self, order: Speak) -> tuple[str, str]:
        """What the voice is to say for a clip, and in which language; an empty text: nothing.

        A reply in a language without a voice is not spoken: its first clip becomes a sentence that says so.
        """
        if self.languages is None:
            return order.text, self.language
        usual = self.language if self.language in self.languages else min(self.languages, default=self.language)
        language = order.language or (order.likely if order.likely in self.languages else usual)
        if language in self.languages:
            return order.text, language
        if usual not in UNVOICED:
            usual = min((known for known in UNVOICED if known in self.languages), default=usual)
        return (UNVOICED.get(usual, "") if order.turned else ""), usual

    async def timely(self, stream: AsyncIterator[T], patience_s: float = 0.0) -> AsyncGenerator[T]:
        """The same stream; raises TimeoutError when an answer takes too long, and always closes it.

        ``patience_s`` is added to the wait for the first answer, in seconds.
        """
        limit = self.first_s + patience_s
        try:
            while True:
                async with asyncio.timeout(limit):
                    item = await anext(stream)
                yield item
                limit = self.next_s
        except StopAsyncIteration:
            return
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
