"""Chat completions and the list of models, under the addresses and in the shapes that OpenAI's clients know.

There is one model, called ``realtime-avatar``; a client that names another gets the same, for stock clients have
names of their own built in. Tokens are counted as the ledger does it: a piece of text is one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from serve_app.gateway.chatting import Line, heard, replied
from serve_app.gateway.house import House
from serve_app.gateway.refusals import REFUSED, Bounded, Refusal, bad
from serve_app.gateway.streams import EVENTS, Streamed, begun, sent_data, unless_left
from streaming.stages import History, TextDelta, Tool, ToolCall

MODEL = "realtime-avatar"
LETTERS = 4
"""Characters that count as one token where nobody counted: in English, about what tokenisers make of it."""


class Function(BaseModel):
    """A function that the language model may call."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class Offered(BaseModel):
    """A tool; only functions are known."""

    type: str = "function"
    function: Function


class StreamOptions(BaseModel):
    """What else a stream tells."""

    include_usage: bool = False


class Completion(BaseModel):
    """A conversation whose next message is wanted. Fields that steer a model's sampling change nothing."""

    messages: list[Line]
    model: str = MODEL
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = 1
    tools: list[Offered] | None = None
    tool_choice: str | dict[str, Any] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)

    def offered(self) -> list[Tool]:
        """The functions that the model may call. Raises Refusal for a choice that nobody can promise."""
        if self.tool_choice not in (None, "auto", "none"):
            raise bad("whether to call a function is the model's choice: send tool_choice auto or none", "tool_choice")
        if self.tool_choice == "none":
            return []
        functions = [offered.function for offered in self.tools or ()]
        return [Tool(function.name, function.description, function.parameters) for function in functions]

    @property
    def most(self) -> int | None:
        """Pieces of text at most."""
        return self.max_completion_tokens or self.max_tokens


@dataclass(slots=True)
class Tally:
    """A reply as it passes: what was said, what it cost, and why it ended."""

    prompt: int
    most: int | None = None
    text: str = ""
    tokens: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    cut: bool = False

    async def over(self, pieces: AsyncGenerator[TextDelta | ToolCall]) -> AsyncIterator[TextDelta | dict[str, Any]]:
        """The pieces up to the limit; a call in OpenAI's shape. Closes the pieces."""
        texts = 0
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, TextDelta):
                    if texts == self.most:
                        self.cut = True
                        return
                    texts += 1
                    self.tokens += 1
                    self.text += piece.text
                    yield piece
                else:
                    self.tokens += _estimate(piece.name + piece.arguments)
                    function = {"name": piece.name, "arguments": piece.arguments}
                    self.calls.append({"id": piece.call_id, "type": "function", "function": function})
                    yield self.calls[-1]

    @property
    def reason(self) -> str:
        """Why the reply ended."""
        return "length" if self.cut else "tool_calls" if self.calls else "stop"

    def usage(self) -> dict[str, int]:
        """Tokens of question and answer."""
        total = self.prompt + self.tokens
        return {"prompt_tokens": self.prompt, "completion_tokens": self.tokens, "total_tokens": total}


def completions(house: House) -> APIRouter:
    """Routes for /v1/chat/completions and /v1/models."""
    router = APIRouter(prefix="/v1", route_class=Bounded, tags=["as OpenAI's"], responses=REFUSED)
    since = int(time.time())

    @router.post("/chat/completions", response_class=Response)
    async def complete(request: Request, wanted: Completion) -> Response:
        """The next message of a conversation, whole or as it is written.

        `usage` counts a piece of the reply as one token and estimates the rest at four characters a token; a stream
        tells it at its end if `stream_options.include_usage` is true.
        """
        if wanted.n != 1:
            raise bad("there is one reply at a time: leave n out, or send 1", "n")
        if wanted.stream_options and not wanted.stream:
            raise bad("stream_options go with stream=true only; leave them out", "stream_options")
        history = heard(wanted.messages)
        tally = Tally(_prompt(house, history), wanted.most)
        pieces = replied(house, history, wanted.offered())
        if not wanted.stream:
            return JSONResponse(await unless_left(request, _whole(pieces, tally, wanted.model)))
        chunks = _chunks(pieces, tally, wanted)
        return Streamed(chunks, EVENTS, first=await begun(request, chunks, anext(chunks)))

    @router.get("/models")
    async def models() -> dict[str, Any]:
        """What may be named as `model`."""
        return {"object": "list", "data": [_model(since)]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """The one model there is."""
        if name != MODEL:
            sentence = f"there is no model {name!r}; the one here is called {MODEL}, and any other name means it too"
            raise Refusal(404, sentence, "model_not_found", "model")
        return _model(since)

    return router


def _model(since: int) -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": since, "owned_by": MODEL}


def _prompt(house: House, history: History) -> int:
    own = any(item.role == "system" for item in history)
    return _estimate("".join(item.text for item in history) + ("" if own else house.driving.instructions))


def _estimate(text: str) -> int:
    return -(-len(text) // LETTERS)


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


async def _whole(pieces: AsyncGenerator[TextDelta | ToolCall], tally: Tally, model: str) -> dict[str, Any]:
    async for _ in tally.over(pieces):
        pass
    message: dict[str, Any] = {"role": "assistant", "content": tally.text or None, "refusal": None}
    if tally.calls:
        message["tool_calls"] = tally.calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": tally.reason}
    return {**_head("chat.completion", model), "choices": [choice], "usage": tally.usage()}


async def _chunks(
    pieces: AsyncGenerator[TextDelta | ToolCall], tally: Tally, wanted: Completion
) -> AsyncGenerator[bytes]:
    counted = wanted.stream_options is not None and wanted.stream_options.include_usage
    head = {**_head("chat.completion.chunk", wanted.model), **({"usage": None} if counted else {})}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return sent_data({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    stream = tally.over(pieces)
    piece = await anext(stream, None)
    yield chunk({"role": "assistant", "content": ""})
    try:
        while piece is not None:
            if isinstance(piece, TextDelta):
                yield chunk({"content": piece.text})
            else:
                yield chunk({"tool_calls": [{"index": len(tally.calls) - 1, **piece}]})
            piece = await anext(stream, None)
    except Refusal as refusal:  # clients raise it where they read
        yield sent_data(refusal.told())
        return
    finally:
        await pieces.aclose()
    yield chunk({}, tally.reason)
    if counted:
        yield sent_data({**head, "choices": [], "usage": tally.usage()})
    yield b"data: [DONE]\n\n"
