"""One reply as a server writes it: chunks of a chat completion in, words, calls and a count of tokens out.

This file knows no connection and no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.llm.prose import Prose
from actors.llm.refusals import CutShort, Garbled
from streaming.stages import TextDelta, ToolCall, Usage

Piece = TextDelta | ToolCall | Usage


@dataclass(slots=True)
class Writing:
    """What a server wrote of one reply so far."""

    prose: Prose | None
    """Makes the text sayable; None leaves it as it is."""
    longest: int
    """Characters after which the reply is taken for one without end."""
    calls: Calls = field(default_factory=lambda: Calls({}))
    usage: Usage | None = None
    finish: str = ""
    """The server's word for why it stopped; empty until it did."""
    characters: int = 0

    @property
    def silent(self) -> bool:
        """True while what is written is left out."""
        return self.prose is not None and self.prose.silent

    @property
    def endless(self) -> bool:
        """True once it is longer than any reply may be."""
        return self.characters > self.longest

    def take(self, chunk: Any) -> tuple[bool, str]:
        """Whether a chunk brought anything of the reply, and the words in it. Raises Garbled."""
        try:
            self.usage = _counted(chunk.usage) or self.usage
            if not chunk.choices:  # a count of tokens, what a filter found, or a sign of life
                return False, ""
            choice = chunk.choices[0]
            self.finish = choice.finish_reason or self.finish
            called = self.calls.add(choice.delta.tool_calls or ())
            text = str(choice.delta.content or choice.delta.refusal or "")
        except (AttributeError, TypeError, LookupError) as error:
            raise Garbled(f"no chunk of a chat completion: {error}") from error
        self.characters += len(text) + called
        return bool(text or called), self.prose.add(text) if self.prose else text

    def rest(self) -> list[Piece]:
        """What comes at the end of a reply that is complete. Raises CutShort if it is not."""
        if not self.finish:
            raise CutShort
        text = self.prose.end() if self.prose else ""
        words = [TextDelta(text)] if text else []
        return [*words, *self.calls.complete(), *([self.usage] if self.usage else [])]


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of tools, which arrive in pieces, by their index in the reply."""

    parts: dict[int, list[str]]

    def add(self, deltas: Sequence[Any]) -> int:
        """The characters that were added; each call that begins counts as one at least."""
        added = 0
        for delta in deltas:
            part = self.parts.setdefault(self._place(delta), ["", "", ""])
            part[0] = part[0] or delta.id or ""
            name, arguments = (delta.function.name, delta.function.arguments) if delta.function else (None, None)
            part[1] += name or ""
            part[2] += arguments or ""
            added += 1 + len(arguments or "")
        return added

    def _place(self, delta: Any) -> int:
        """Its index; some servers give every call the first one, or none, and only the id tells them apart."""
        at = delta.index or 0
        known = self.parts.get(at)
        if known and delta.id and known[0] and delta.id != known[0]:
            other = [place for place, part in self.parts.items() if part[0] == delta.id]
            return other[0] if other else max(self.parts) + 1
        return at

    def complete(self) -> list[ToolCall]:
        """All of them, in their order."""
        return [
            ToolCall(call_id or f"call_{index}", name, arguments or "{}")
            for index, (call_id, name, arguments) in sorted(self.parts.items())
        ]


def _counted(usage: Any) -> Usage | None:
    if usage is None:
        return None
    cached = getattr(usage.prompt_tokens_details, "cached_tokens", None)
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached or 0)
