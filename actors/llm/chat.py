"""Replies from any server that speaks OpenAI's chat completions: OpenAI, Azure, vLLM, Ollama, llama.cpp, LM Studio.

It knows no turns and no clips: a conversation goes in, pieces of text come out, in words that can be said. Until the
first of them a failed request is sent again; why a server may be the wrong one, and what to do then, is one sentence.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from actors.llm.asking import body
from actors.llm.knowledge import PROSE_MOST
from actors.llm.prose import Prose
from actors.llm.refusals import CutShort, Refusal, refused
from actors.llm.servers import client_error, connected, line_errors
from actors.llm.writing import Piece, Writing
from streaming.stages import History, StageError, TextDelta, Tool, Usage

log = logging.getLogger(__name__)

ENDLESS = 8
"""Characters for each token that a reply may have, after which it is taken for one that never ends."""
PAUSE_S = 0.3
"""Before the second attempt, give or take a third, so that sessions that failed together do not come back together."""


class Chat:
    """The Responder for a language model behind a URL. It holds connections, no conversation."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str = "gpt-4o-mini",
        *,
        server: str = "",
        api_version: str = "",
        deployment: str = "",
        context: int | None = None,
        reply_most: int = 1_024,
        thinks: bool = False,
        spoken: bool = True,
        first_token_s: float = 9.0,
        between_tokens_s: float = 4.5,
        retries: int = 2,
        knowledge_most: int = PROSE_MOST,
        extra: Mapping[str, Any] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """``base_url`` ends in ``/v1``, or is Azure's endpoint; None means OpenAI's own. Servers at home need no key.

        ``server`` is a kind of servers.py, "" lets the URL tell; ``api_version`` and ``deployment`` are Azure's.
        ``context`` bounds a request with its reply and ``reply_most`` the reply, in tokens; None goes by the kind.
        ``thinks`` leaves a model's thinking on; ``spoken`` False gives what comes as it is, and asks for nothing.
        ``first_token_s`` bounds the wait for the first words, all attempts together, and ``between_tokens_s`` each wait
        after it; both are a little less than a session waits. ``retries``: attempts after the first one.
        ``knowledge_most``: characters of what a persona knows. ``extra`` goes into every request. ``pause`` waits
        seconds, ``dice`` throws [0, 1). Raises StageError if there is neither a URL nor a key.
        """
        self._server = connected(
            base_url,
            api_key,
            model,
            kind=server,
            api_version=api_version,
            deployment=deployment,
            context=context,
            reply_most=reply_most,
            thinks=thinks,
            extra=extra,
        )
        self._model, self._where = deployment or model, self._server.url
        self._room, self._longest = self._server.context - reply_most, reply_most * ENDLESS
        self._spoken, self._knowledge_most = spoken, knowledge_most
        self._first, self._between, self._retries = first_token_s, between_tokens_s, retries
        self._pause, self._dice = pause, dice
        self._broken = (client_error(), CutShort, ValueError)
        self._cut = line_errors()

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[Piece]:
        """The next reply, as the server writes it; calls of tools come at its end, then the tokens, if it counts them.

        Raises StageError with what went wrong: refused key, too many requests, silence, a stream cut short or without
        end, a persona that knows more than fits; BadInput for a conversation that is too long.
        Closing the iterator closes the request, so that the server stops writing.
        """
        request = body(
            history,
            instructions,
            tools,
            most=self._room,
            knowledge_most=self._knowledge_most,
            spoken=self._spoken,
        )
        deadline = asyncio.get_running_loop().time() + self._first
        attempt = 0
        while True:
            begun = False
            try:
                async with aclosing(self._once(request, deadline)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except TimeoutError:
                raise StageError(
                    f"the language model at {self._where} wrote nothing for too long; ask again,"
                    " or use a model that answers without thinking first"
                ) from None
            except self._broken as error:
                refusal = refused(error, self._where, self._model)
                wait = self._wait(refusal, attempt, deadline)
                if begun or wait is None:
                    raise refusal.told from error
                log.info("language: attempt %d in %.1f s, because %s", attempt + 2, wait, refusal.told)
            attempt += 1
            await self._pause(wait)

    def _wait(self, refusal: Refusal, attempt: int, deadline: float) -> float | None:
        """Seconds until the next attempt; None if there is none, or no time for it."""
        jitter = PAUSE_S * 2**attempt * (2 + 2 * self._dice()) / 3
        wait = jitter if refusal.wait_s is None else refusal.wait_s
        in_time = asyncio.get_running_loop().time() + wait < deadline
        return wait if refusal.again and attempt < self._retries and in_time else None

    async def _once(self, request: Mapping[str, Any], deadline: float) -> AsyncGenerator[Piece]:
        """One attempt. ``deadline``, of the loop's clock, is that of the first words."""
        loop = asyncio.get_running_loop()
        writing = Writing(Prose() if self._spoken else None, self._longest)
        stream: Any = None
        spoke = False
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._server.client.chat.completions.create(**self._server.always, **request)
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(stream, None)
                except self._cut as error:
                    raise CutShort from error
                if chunk is None:
                    break
                wrote, text = writing.take(chunk)
                if writing.endless:
                    raise StageError(
                        f"the language model at {self._where} does not come to an end; ask for a shorter answer,"
                        " or use another model"
                    )
                # Whoever waits is told that something comes while a block of code is left out.
                if text or (spoke and wrote and writing.silent):
                    yield TextDelta(text)
                spoke = spoke or bool(text)
                if wrote and (spoke or writing.calls.parts):
                    deadline = loop.time() + self._between
        finally:
            if stream is not None:
                await stream.close()
        for piece in writing.rest():
            spoke = spoke or not isinstance(piece, Usage)
            yield piece
        if not spoke and (writing.silent or writing.finish in ("length", "content_filter")):
            why = "was stopped by a filter" if writing.finish == "content_filter" else "only thought"
            raise StageError(f"the language model at {self._where} {why} and said nothing; ask in other words")
