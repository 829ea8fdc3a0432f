"""What is said is stored before it is sent; a store that takes its time is waited for once, not once for each word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from serve_app.store import Store
from streaming.stages import History, TextDelta, Tool
from tests.serve_app.gateway.test_resuming import Client, gateways

WORDS = [f"Word {k}. " for k in range(40)]
FEW = 10
"""Times that something may be stored until the first sound; one for each word would be forty."""


class Busy(Store):
    """A store that stores nothing while it is busy."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.free = asyncio.Event()
        self.free.set()
        self.stored = 0

    async def append(self, *arguments: Any, **more: Any) -> None:
        await self.free.wait()
        await super().append(*arguments, **more)
        self.stored += 1


class Prepared:
    """Has all of its answer at once, just when the store is busy."""

    def __init__(self, store: Busy) -> None:
        self._store = store

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        self._store.free.clear()
        for word in WORDS:
            yield TextDelta(word)
        self._store.stored = 0
        self._store.free.set()


async def test_a_long_text_does_not_hold_its_sound_back_word_by_word(tmp_path: Path) -> None:
    store = Busy(f"sqlite:///{tmp_path / 'avatar.db'}")
    async with gateways(tmp_path, 1, store=store, writer=Prepared(store)) as (url,):
        client = Client(url)
        async with client.there() as socket:
            await client.say(socket, "avatar.say", text="Count, please.")
            while await client.hear(socket) != "AUDIO":
                pass
            assert store.stored <= FEW
            text = "".join(event["delta"] for event in client.told()["response.output_audio_transcript.delta"])
            assert text.startswith(WORDS[0])
