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
from streaming.stages import ToolCall

Told = tuple[str, dict[str, Any]]
"""Type and fields of an event."""


@dataclass(slots=True)
class Response:
    """A reply as its client is told of it."""

    turn: int
    silent: bool
    items: Items
    audio: dict[str, Any]
    """Format and voice, as a response shows them."""
    metadata: Any = None
    text: str = ""
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
        return f"resp_{self.turn}"

    def shown(self, status: str, details: Any = None) -> dict[str, Any]:
        """The response object."""
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": list(self.output),
            "output_modalities": ["text"] if self.silent else ["audio"],
            "conversation_id": "conv_1",
            "max_output_tokens": "inf",
            "metadata": self.metadata,
            "usage": None if status == "in_progress" else _usage(len(self.text)),
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
        before = self.items.put(begun, own)
        index = len(self.output) + (self.message is not None)
        place = {"response_id": self.id, "output_index": index}
        yield "response.output_item.added", {**place, "item": begun}
        yield "conversation.item.added", {"previous_item_id": before, "item": begun}
        written = {**place, "item_id": name, "call_id": wish.call_id}
        yield "response.function_call_arguments.delta", {**written, "delta": wish.arguments}
        yield "response.function_call_arguments.done", {**written, "name": wish.name, "arguments": wish.arguments}
        self.items.put(done, own)
        self.output.append(done)
        yield "response.output_item.done", {**place, "item": done}
        yield "conversation.item.done", {"previous_item_id": before, "item": done}

    def ended(self) -> Iterator[Told]:
        """Everything was sent."""
        yield from self._closed(self.text, "completed")
        self.over = True
        status = "failed" if self.failure else "completed"
        yield "response.done", {"response": self.shown(status, self.failure)}

    def cut(self, text: str, reason: str) -> Iterator[Told]:
        """It was interrupted when ``text`` had been heard."""
        if self.over:
            return
        yield from self._closed(text, "incomplete")
        self.over = True
        yield "response.done", {"response": self.shown("cancelled", {"type": "cancelled", "reason": reason})}

    # ---- the message ---------------------------------------------------------------------------------------

    def _opened(self) -> Iterator[Told]:
        if self.message is not None:
            return
        self.message = self.items.fresh()
        item = message(self.message, "assistant", [], "in_progress")
        self.before = self.items.put(item, f"assistant_{self.turn}")
        yield "response.output_item.added", {"response_id": self.id, "output_index": 0, "item": item}
        yield "conversation.item.added", {"previous_item_id": self.before, "item": item}
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
        self.items.put(item, f"assistant_{self.turn}")
        self.output.insert(0, item)
        whole = {"response_id": self.id, "output_index": 0, "item": item}
        yield "response.output_item.done", whole
        yield "conversation.item.done", {"previous_item_id": self.before, "item": item}

    def item(self, text: str, status: str) -> Item:
        """The message item with this text."""
        part = {"type": "output_text", "text": text} if self.silent else {"type": "output_audio", "transcript": text}
        return message(self.message or "", "assistant", [part], status)

    def _place(self) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": self.message, "output_index": 0, "content_index": 0}


def _usage(characters: int) -> dict[str, Any]:
    """In OpenAI's shape. Engines here do not count tokens alike; about four characters are one."""
    tokens = -(-characters // 4)
    return {
        "total_tokens": tokens,
        "input_tokens": 0,
        "output_tokens": tokens,
        "input_token_details": {"cached_tokens": 0, "text_tokens": 0, "audio_tokens": 0},
        "output_token_details": {"text_tokens": tokens, "audio_tokens": 0},
    }
