"""What every Python client is put through: three spoken questions, the last one over the answer to the second.

It knows when to speak and what came back, and no client: a script gives it the way to send a block of sound, and tells
it what its library told. Standard library only, because each client runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

BLOCK_S = 0.02
BLOCK = 960
"""Bytes of 20 ms, PCM16 mono at 24 kHz."""
OVER_S = 0.5
"""Of the long answer before it is spoken over."""
PATIENCE_S = 40.0


class Talk:
    """One conversation: who speaks when, and what is reported of it."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        folder = Path(sys.argv[2])
        self._speech = {name: (folder / f"{name}.pcm").read_bytes() for name in ("sum", "long", "stop")}
        self._send = send
        self._microphone = bytearray()
        self._sound_began = 0.0
        self._sound_bytes = 0
        """Of the newest reply."""
        self.transcripts: list[str] = []
        self.replies: list[str] = []
        self.statuses: list[str] = []
        self.errors: list[str] = []
        self.interrupted = False
        self.begun = 0
        """Replies that began."""
        self.audio_bytes = 0

    # ---- what the client was told --------------------------------------------------------------------------

    def began(self) -> None:
        """A reply begins."""
        self.begun += 1
        self._sound_bytes = 0

    def sounded(self, count: int) -> None:
        """So many bytes of a reply came."""
        if not self._sound_bytes:
            self._sound_began = time.monotonic()
        self._sound_bytes += count
        self.audio_bytes += count

    def ended(self, text: str, status: str) -> None:
        """A reply is over."""
        self.replies.append(text)
        self.statuses.append(status)

    # ---- the course of it ----------------------------------------------------------------------------------

    async def hold(self) -> None:
        """Hold the conversation, then print what came of it as one line of JSON."""
        listening = asyncio.create_task(self._listen())
        try:
            await asyncio.wait_for(self._course(), 3 * PATIENCE_S)
        except TimeoutError:
            self.errors.append("the conversation did not come to its end")
        finally:
            listening.cancel()
        print(json.dumps({name: value for name, value in vars(self).items() if not name.startswith("_")}), flush=True)

    async def _course(self) -> None:
        self._microphone += self._speech["sum"]
        await self._until(lambda: len(self.replies) == 1 and self._sound_bytes > 0)
        await asyncio.sleep(self._sound_began + self._sound_bytes / 48_000 - time.monotonic() + 0.5)
        self._sound_bytes = 0
        self._microphone += self._speech["long"]
        await self._until(lambda: self._sound_bytes > 0)
        await asyncio.sleep(OVER_S)
        self._microphone += self._speech["stop"]
        await self._until(lambda: len(self.replies) >= 3 and self.statuses[-1] == "completed")

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true() and not self.errors:  # noqa: ASYNC110 - whatever ends the wait comes from outside
            await asyncio.sleep(BLOCK_S)

    async def _listen(self) -> None:
        """The microphone: what is said, else silence, in real time."""
        due = time.monotonic()
        while True:
            block = bytes(self._microphone[:BLOCK])
            del self._microphone[:BLOCK]
            await self._send(block.ljust(BLOCK, b"\0"))
            due += BLOCK_S
            await asyncio.sleep(due - time.monotonic())
