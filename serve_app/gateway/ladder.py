"""One reply in OpenAI's words: the ladder of events from ``response.created`` to ``response.done``.

A reply is a response; its spoken or written text is one message item with one part, each function that it asks for
an item of its own. What counts as said is what was heard: an interrupted item is shown with that text only.
This file knows no socket and numbers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from serve_app.gateway.items import Item, Items, call, message
from streaming.stages import ToolCall, Usage

Told = tuple[str, dict[str, Any]]
"""Type and fields of an event."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply was asked to be."""

    silent: bool
    """Text only."""
    metadata: Any = None
    apart: bool = False
    """It does not enter the conversation."""
    most: int | None = None
    """Pieces; None has no limit."""
    read: int = 0
    """Characters that the language model reads for it."""


@dataclass(slots=True)
class Response:
    """A reply as its client is told of it."""

    turn: int
    asked: Asked
    items: Items
    audio: dict[str, Any]
    """Format and voice, as a response shows them."""
    text: str = ""
    written: int = 0
    """Tokens, by guess: a piece of text is one, as a chat model sends it."""
    output: list[Item] = field(default_factory=list[Item])
    message: str | None = None
    """Name of the message item, once it is begun."""
    before: str | None = None
    """The item before the message."""
    samples: int = 0
    """Of sound sent, at 24 kHz."""
    failure: dict[str, Any] | None = None
    over: bool = False

    @property
    def id(self) -> str:
        """Its name."""
        return f"resp_{self.turn}" if self.turn > 0 else f"resp_apart_{-self.turn}"

    @property
    def silent(self) -> bool:
        """True if it is text only."""
        return self.asked.silent

    def shown(self, status: str, details: Any = None, usage: Usage | None = None) -> dict[str, Any]:
        """The response object."""
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": list(self.output),
            "output_modalities": ["text"] if self.silent else ["audio"],
            "conversation_id": None if self.asked.apart else "conv_1",
            "max_output_tokens": "inf" if self.asked.most is None else self.asked.most,
            "metadata": self.asked.metadata,
            "usage": None if status == "in_progress" else _usage(usage or self._guessed()),
            "audio": self.audio,
        }

    def begun(self) -> Iterator[Told]:
        """It begins."""
        yield "response.created", {"response": self.shown("in_progress")}
        yield "rate_limits.updated", {"rate_limits": []}

    def wrote(self, text: str) -> Iterator[Told]:
        """A piece of text."""
        yield from self._opened()
        self.text += text
        self.written += 1
        kind = "output_text" if self.silent else "output_audio_transcript"
        yield f"response.{kind}.delta", {**self._place(), "delta": text}

    def spoke(self, base64: str, samples: int) -> Iterator[Told]:
        """A piece of sound."""
        yield from self._opened()
        self.samples += samples
        yield "response.output_audio.delta", {**self._place(), "delta": base64}

    def called(self, own: str, wish: ToolCall) -> Iterator[Told]:
        """It asks for a function; the message before it is complete."""
        name = self.items.fresh()
        begun = call(name, wish.call_id, wish.name, "", "in_progress")
        done = call(name, wish.call_id, wish.name, wish.arguments)
        self.written += _tokens(len(wish.name) + len(wish.arguments))
        before = self._put(begun, own)
        index = len(self.output) + (self.message is not None)
        place = {"response_id": self.id, "output_index": index}
        yield "response.output_item.added", {**place, "item": begun}
        yield from self._entered("added", before, begun)
        written = {**place, "item_id": name, "call_id": wish.call_id}
        yield "response.function_call_arguments.delta", {**written, "delta": wish.arguments}
        yield "response.function_call_arguments.done", {**written, "name": wish.name, "arguments": wish.arguments}
        self._put(done, own)
        self.output.append(done)
        yield "response.output_item.done", {**place, "item": done}
        yield from self._entered("done", before, done)

    def ended(self, usage: Usage | None, *, limited: bool) -> Iterator[Told]:
        """Everything was sent; if ``limited``, all that it was allowed to be."""
        yield from self._closed(self.text, "incomplete" if limited else "completed")
        self.over = True
        status, details = "completed", self.failure
        if self.failure:
            status = "failed"
        elif limited:
            status, details = "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}
        yield "response.done", {"response": self.shown(status, details, usage)}

    def cut(self, text: str, reason: str, usage: Usage | None) -> Iterator[Told]:
        """It was interrupted when ``text`` had been heard."""
        if self.over:
            return
        yield from self._closed(text, "incomplete")
        self.over = True
        details = {"type": "cancelled", "reason": reason}
        yield "response.done", {"response": self.shown("cancelled", details, usage)}

    # ---- the message ---------------------------------------------------------------------------------------

    def _opened(self) -> Iterator[Told]:
        if self.message is not None:
            return
        self.message = self.items.fresh()
        item = message(self.message, "assistant", [], "in_progress")
        self.before = self._put(item, f"assistant_{self.turn}")
        yield "response.output_item.added", {"response_id": self.id, "output_index": 0, "item": item}
        yield from self._entered("added", self.before, item)
        part = {"type": "text", "text": ""} if self.silent else {"type": "audio", "transcript": ""}
        yield "response.content_part.added", {**self._place(), "part": part}

    def _closed(self, text: str, status: str) -> Iterator[Told]:
        if self.message is None:
            return
        place = self._place()
        if self.silent:
            yield "response.output_text.done", {**place, "text": text}
        else:
            yield "response.output_audio.done", place
            yield "response.output_audio_transcript.done", {**place, "transcript": text}
        part = {"type": "text", "text": text} if self.silent else {"type": "audio", "transcript": text}
        yield "response.content_part.done", {**place, "part": part}
        item = self.item(text, status)
        self._put(item, f"assistant_{self.turn}")
        self.output.insert(0, item)
        whole = {"response_id": self.id, "output_index": 0, "item": item}
        yield "response.output_item.done", whole
        yield from self._entered("done", self.before, item)

    def item(self, text: str, status: str) -> Item:
        """The message item with this text."""
        part = {"type": "output_text", "text": text} if self.silent else {"type": "output_audio", "transcript": text}
        return message(self.message or "", "assistant", [part], status)

    # ---- the conversation ----------------------------------------------------------------------------------

    def _put(self, item: Item, own: str) -> str | None:
        return None if self.asked.apart else self.items.put(item, own)

    def _entered(self, what: str, before: str | None, item: Item) -> Iterator[Told]:
        if not self.asked.apart:
            yield f"conversation.item.{what}", {"previous_item_id": before, "item": item}

    def _guessed(self) -> Usage:
        return Usage(_tokens(self.asked.read), self.written)

    def _place(self) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": self.message, "output_index": 0, "content_index": 0}


def _tokens(characters: int) -> int:
    """About four characters are one."""
    return -(-characters // 4)


def _usage(usage: Usage) -> dict[str, Any]:
    """In OpenAI's shape. The language model reads and writes text: sound costs no tokens here."""
    cached = {"text_tokens": usage.cached, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": usage.read + usage.written,
        "input_tokens": usage.read,
        "output_tokens": usage.written,
        "input_token_details": {
            "text_tokens": usage.read,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": usage.cached,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": usage.written, "audio_tokens": 0},
    }
