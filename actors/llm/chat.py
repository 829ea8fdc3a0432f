"""Replies from any server that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp, LM Studio.

It knows no turns and no clips: a conversation goes in, pieces of text come out. Why a server may be the wrong
one, and what to do then, is said in one sentence, once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from actors.llm.knowledge import PROSE_MOST, KnowledgeWrong, known
from streaming.stages import BadInput, History, Said, StageError, TextDelta, Tool, ToolCall, Usage

log = logging.getLogger(__name__)

_SILENCE = "The person has said nothing for a while. Say something short that helps the conversation on."
_KNOWS = "This is what you know. Answer from it where a question touches it, in your own words:"


class Chat:
    """The Responder for a language model behind a URL. It holds connections, no conversation."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str = "gpt-4o-mini",
        *,
        first_token_s: float = 15.0,
        between_tokens_s: float = 10.0,
        retries: int = 1,
        knowledge_most: int = PROSE_MOST,
    ) -> None:
        """``base_url`` ends in ``/v1``; None means OpenAI's own. Servers at home need no key: leave it out.

        ``first_token_s`` bounds the wait for the first piece of a reply, ``between_tokens_s`` each wait after it.
        ``knowledge_most``: characters of what a persona knows that the model's context has room for.
        Raises StageError if there is neither a URL nor a key.
        """
        import openai

        if not (base_url or api_key):
            raise StageError("the chat engine needs the base URL of a server, an API key for OpenAI's, or both")
        self._openai = openai
        self._client = openai.AsyncOpenAI(
            base_url=base_url or "https://api.openai.com/v1",
            api_key=api_key or "none",
            max_retries=retries,
            timeout=first_token_s,
        )
        self._model = model
        self._first, self._between = first_token_s, between_tokens_s
        self._knowledge_most = knowledge_most
        self._where = str(self._client.base_url)
        log.info("language: model %s at %s", model, self._where)

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall | Usage]:
        """The next reply, as the server writes it; calls of tools come at its end, then the tokens, if it counts them.

        Raises StageError with what went wrong: refused key, too many requests, silence, a stream cut short, a persona
        that knows more than fits.
        Closing the iterator closes the request, so that the server stops writing.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._first
        calls = _Calls({})
        request = self._request(history, instructions, tools)
        ended = False
        usage: Usage | None = None
        stream: Any = None
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._client.chat.completions.create(**request)
            while True:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(stream, None)
                if chunk is None:
                    break
                usage = _counted(chunk.usage) or usage
                if not chunk.choices:  # a count of tokens, or a sign of life
                    continue
                choice = chunk.choices[0]
                calls.add(choice.delta.tool_calls or ())
                ended = ended or choice.finish_reason is not None
                if text := choice.delta.content or choice.delta.refusal:
                    yield TextDelta(text)
                if text or choice.delta.tool_calls:
                    deadline = loop.time() + self._between
        except TimeoutError:
            raise StageError(f"the language model at {self._where} wrote nothing for too long; ask again") from None
        except (self._openai.OpenAIError, ValueError) as error:
            raise self._failure(error)(self._reason(error)) from error
        finally:
            if stream is not None:
                await stream.close()
        if not ended:
            raise StageError(f"the language model at {self._where} broke off in the middle of its reply; ask again")
        for call in calls.complete():
            yield call
        if usage is not None:
            yield usage

    def _request(self, history: History, instructions: str, tools: Sequence[Tool]) -> dict[str, Any]:
        head = [{"role": "system", "content": instructions}] if instructions else []
        waited = history and history[-1].role == "user" and not history[-1].text.strip()
        request: dict[str, Any] = {
            "model": self._model,
            "messages": head + [self._message(item) for item in _joined(history) if item.text.strip()],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if waited:
            request["messages"].append({"role": "system", "content": _SILENCE})
        if tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
                }
                for t in tools
            ]
            if choice := _choice(tools):
                request["tool_choice"] = choice
        return request

    def _failure(self, error: Exception) -> type[StageError]:
        """Whose fault it is: a conversation that is too long for the model is whoever sent it's."""
        too_long = getattr(error, "code", None) == "context_length_exceeded"
        return BadInput if too_long else StageError

    def _message(self, item: Said) -> dict[str, Any]:
        if item.role == "knowledge":
            return {"role": "system", "content": self._informed(item.text)}
        if item.role == "call":
            function = {"name": item.function, "arguments": item.text}
            called = [{"id": item.call_id, "type": "function", "function": function}]
            return {"role": "assistant", "content": None, "tool_calls": called}
        if item.role == "tool" and item.call_id:
            return {"role": "tool", "tool_call_id": item.call_id, "content": item.text}
        if item.role == "tool":  # nobody knows any more which call it answers
            return {"role": "system", "content": f"Result of the function: {item.text}"}
        # A dash tells the model that it was interrupted there, in the way books write it.
        return {"role": item.role, "content": f"{item.text.rstrip()}—" if item.cut else item.text}

    def _informed(self, knowledge: str) -> str:
        """What a persona knows as part of the prompt, whole. Raises StageError if it is too much, or cannot be read."""
        try:
            prose = known(knowledge).prose()
        except KnowledgeWrong as error:
            raise StageError(f"what this persona knows cannot be read: {error}") from error
        if len(prose) > (most := self._knowledge_most):
            raise StageError(
                f"what this persona knows has {len(prose):,} characters, {most:,} are given to the model;"
                " shorten it, or raise knowledge_most in llm.arguments"
            )
        return f"{_KNOWS}\n{prose}"

    def _reason(self, error: Exception) -> str:
        api, where = self._openai, self._where
        match error:
            case api.APITimeoutError():
                return f"the language model at {where} did not answer in {self._first:g} s; ask again"
            case api.APIConnectionError():
                return f"no connection to the language model at {where}: is the server running, is the URL right?"
            case api.AuthenticationError() | api.PermissionDeniedError():
                return f"the language model at {where} refused the API key: set one that it accepts"
            case api.NotFoundError():
                return f"{where} has no model called {self._model}, or the URL does not end in /v1"
            case api.RateLimitError():
                return f"the language model at {where} takes no more requests at the moment: wait, or raise the quota"
            case api.InternalServerError():
                return f"the language model at {where} failed with status {error.status_code}; ask again"
            case api.APIStatusError():
                return f"the language model at {where} refused the request ({error.status_code}): {error.message}"
            case api.OpenAIError():
                return f"the language model at {where} reported an error: {error}"
            case _:
                return f"the language model at {where} sent what is no chat completion; ask again"


def _choice(tools: Sequence[Tool]) -> str | dict[str, Any] | None:
    """What the model is told of tools that must be called; None leaves it to the model."""
    must = [tool.name for tool in tools if tool.must]
    if len(must) == 1:
        return {"type": "function", "function": {"name": must[0]}}
    return "required" if must else None


def _counted(usage: Any) -> Usage | None:
    if usage is None:
        return None
    cached = getattr(usage.prompt_tokens_details, "cached_tokens", None)
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached or 0)


def _joined(history: History) -> list[Said]:
    """The items with each result right behind its call, as servers insist; a call without a result is left out."""
    results = {item.call_id: item for item in history if item.role == "tool" and item.call_id}
    called = {item.call_id for item in history if item.role == "call"}
    joined: list[Said] = []
    for item in history:
        if item.role == "call" and (result := results.get(item.call_id)):
            joined += [item, replace(result, text=result.text.strip() or "nothing")]
        elif item.role == "tool" and item.call_id not in called:
            joined.append(replace(item, call_id=""))
        elif item.role not in ("call", "tool"):
            joined.append(item)
    return joined


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls of tools, which arrive in pieces, by their index in the reply."""

    parts: dict[int, list[str]]

    def add(self, deltas: Sequence[Any]) -> None:
        for delta in deltas:
            part = self.parts.setdefault(delta.index, ["", "", ""])
            part[0] = part[0] or delta.id or ""
            if delta.function is not None:
                part[1] += delta.function.name or ""
                part[2] += delta.function.arguments or ""

    def complete(self) -> list[ToolCall]:
        return [
            ToolCall(call_id or f"call_{index}", name, arguments or "{}")
            for index, (call_id, name, arguments) in sorted(self.parts.items())
        ]
