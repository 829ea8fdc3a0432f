"""The language model as a Serve deployment: an engine by its name, and its one method passed on."""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from ray import serve

from actors.metering import recorder
from actors.replica import Replica
from streaming.calls import ALONE, Envelope
from streaming.stages import History, Responder, TextDelta, Tool, ToolCall, Usage

HUNG_S = 120.0
"""A model behind a URL may think for long before its first word; the session's own deadline comes first."""


class Language:
    """One replica."""

    def __init__(self, engine: str, arguments: Mapping[str, Any]) -> None:
        self._replica = Replica("llm", engine, arguments, HUNG_S, recorder().record)
        self._engine: Responder = self._replica.engine

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool], *, call: Envelope = ALONE
    ) -> AsyncIterator[TextDelta | ToolCall | Usage]:
        """``streaming.stages.Responder.reply``."""
        stream = self._engine.reply(history, instructions, tools)
        async with aclosing(self._replica.over(stream, None, call)) as pieces:
            async for piece in pieces:
                yield piece

    async def check_health(self) -> None:
        """Raise if the engine hangs; Serve then replaces this replica."""
        self._replica.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve gives to our policy."""
        return self._replica.stats()


deployment = serve.deployment(Language, name="llm")
