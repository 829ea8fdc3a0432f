"""Stages that sleep: while one has no replica, a small engine in the gateway's process serves, and clients are told.

A call to a deployment without replicas waits, and says nothing, until one has loaded its model. Where the settings name
an engine for that time (``ray.NAME.meanwhile``), the call goes there, and the stage is woken beside it. A reply's face
stays with who began it, for one engine cannot go on with another's state. This file knows no Ray and no engine by name.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from streaming.commands import Notice, Show
from streaming.session import Stages
from streaming.stages import FaceState, StageError

log = logging.getLogger(__name__)

FRESH_S = 1.0
"""How long it holds what was seen: whether there is a replica changes in minutes."""
SEEN_S = 0.5
"""Longest wait for whoever knows; a call goes the usual way then, and waits as it would have."""

Told = Callable[[Show], Awaitable[None]]

NAMES = {"asr": "recognition", "llm": "the language model", "tts": "the voice", "face": "the face"}
FIELDS = ("transcriber", "responder", "voice", "face")
METHODS = {"asr": "transcribe", "llm": "reply", "tts": "speak", "face": "animate"}


class Presence:
    """Whether a stage has a replica. One for all connections of a gateway."""

    def __init__(
        self,
        running: Callable[[], int | None],
        wake: Callable[[], Awaitable[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``running`` counts replicas and may block; None if nobody knows. ``wake`` returns once a replica answers."""
        self._running = running
        self._wake = wake
        self._clock = clock
        self._seen: tuple[float, bool] | None = None
        self._waking: asyncio.Task[None] | None = None
        self.took_s: float | None = None
        """How long it took to wake when it last did; None: it never did here."""

    async def there(self) -> bool:
        """Whether a call is answered by a replica. If not, one is on its way when this returns."""
        if self._waking:
            return False
        if self._seen is None or self._clock() - self._seen[0] > FRESH_S:
            self._seen = self._clock(), await self._look()
        if not self._seen[1] and self._waking is None:  # somebody else may have woken it meanwhile
            self._waking = asyncio.create_task(self._woken(), name="waking a stage")
        return self._seen[1]

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(SEEN_S):
                count = await asyncio.to_thread(self._running)
        except TimeoutError:
            return True
        return count is None or count > 0

    async def _woken(self) -> None:
        begun = self._clock()
        try:
            await self._wake()
            self.took_s = self._clock() - begun
        except Exception as error:  # the next call tries again; until then the small engine serves
            log.warning("a stage that sleeps could not be woken: %s", error)
        finally:
            self._seen = self._waking = None


class Meanwhile:
    """A stage that may sleep, dressed as the stage that it is."""

    def __init__(
        self, stage: str, remote: Any, name: str, small: Any | None, presence: Presence, told: Told | None = None
    ) -> None:
        """``small`` is the engine ``name``, which serves meanwhile; None serves nothing, and says so. ``told``: one
        client."""
        self._stage, self._remote, self._name, self._small = stage, remote, name, small
        self._presence, self._told = presence, told
        self._sleeps = False
        """As the client knows it."""
        setattr(self, METHODS[stage], self._call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)  # what is asked beside a stage's one method

    def for_client(self, told: Told) -> Meanwhile:
        """The same stage, telling a client when it sleeps and when it is there again."""
        return Meanwhile(self._stage, self._remote, self._name, self._small, self._presence, told)

    async def _call(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        there = await self._presence.there()
        await self._tell(there)
        state = next((one for one in given if isinstance(one, FaceState)), None)
        if state is not None:
            there = state.engine != self._name
        if not there and self._small is None:
            raise StageError(self._sentence())
        chosen = self._remote if there else self._small
        stream = getattr(chosen, METHODS[self._stage])(*given, **named)
        async with aclosing(cast(Any, stream)) as items:
            async for item in items:
                yield item

    async def _tell(self, there: bool) -> None:
        if self._told and there == self._sleeps:
            self._sleeps = not there
            rung, reason = ("", f"{NAMES[self._stage]} is there") if there else ("warming", self._sentence())
            await self._told(Show(Notice(0, rung, reason)))

    def _sentence(self) -> str:
        took = self._presence.took_s
        when = "how long that takes is not known yet" if took is None else f"about {max(round(took), 1)} s"
        instead = "a simpler one serves meanwhile" if self._small else "it goes on without"
        return f"{NAMES[self._stage]} is being started ({when}); {instead}"


def for_client(stages: Stages, told: Told) -> Stages:
    """The stages of one connection, whose client is told of those that sleep."""
    dressed = {name: getattr(stages, name) for name in FIELDS}
    mine = {name: stage.for_client(told) for name, stage in dressed.items() if isinstance(stage, Meanwhile)}
    return replace(stages, **mine) if mine else stages
