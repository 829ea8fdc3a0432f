"""Messages of a request as a conversation, and the next reply to it. This file knows no address."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

from pydantic import BaseModel

from serve_app.gateway.house import House
from serve_app.gateway.refusals import Refusal, bad
from serve_app.gateway.streams import answers
from streaming.stages import History, Said, TextDelta, Tool, ToolCall, Usage

MOST = 32_000
"""Characters of all messages together: about eight thousand tokens, what small language models read at once."""


class Part(BaseModel):
    """A piece of a message's content."""

    type: str
    text: str = ""


class Line(BaseModel):
    """One message."""

    role: Literal["user", "assistant", "system", "developer", "tool"]
    content: str | list[Part] | None = None

    def text(self) -> str:
        """The message as text. Raises Refusal if it holds anything else."""
        if isinstance(self.content, str) or self.content is None:
            return self.content or ""
        for part in self.content:
            if part.type not in ("text", "input_text"):
                raise bad(f"a message holds text here, no {part.type}; leave it out", "messages")
        return "".join(part.text for part in self.content)


def heard(lines: Sequence[Line]) -> History:
    """The messages as a conversation; each message of the person begins a turn. Raises Refusal."""
    said: list[Said] = []
    turn = 0
    for line in lines:
        turn += line.role == "user"
        if text := line.text().strip():
            said.append(Said("system" if line.role == "developer" else line.role, text, turn))
    if not any(item.role == "user" for item in said):
        raise bad("there is nothing to answer: no message of the user has text; write at least a word", "messages")
    length = sum(len(item.text) for item in said)
    if length > MOST:
        raise Refusal(
            400,
            f"the messages have {length:,} characters together, {MOST:,} are the most; leave out older ones",
            "context_length_exceeded",
            "messages",
        )
    return tuple(said)


async def replied(house: House, history: History, tools: Sequence[Tool] = ()) -> AsyncGenerator[TextDelta | ToolCall]:
    """The next reply. The service's own instructions are added unless the client gives some. Raises Refusal (503)."""
    own = any(item.role == "system" for item in history)
    driving = house.usual
    instructions = "" if own else driving.instructions
    informed = driving.informed(history)
    pieces = answers(lambda: house.stages.responder.reply(informed, instructions, tools), "llm", driving)
    async with aclosing(pieces):
        async for piece in pieces:
            if not isinstance(piece, Usage):
                yield piece
