"""Films that wait to be fetched: a few, for a while, under names that nobody can guess.

With a conversation store they lie in its database, and every replica of the gateway hands them out; without one only
the replica that made a film has it. A copy lies in a folder of this process and is gone with it. This file knows no
conversation and no address.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from actors.face.video import write_mp4
from serve_app import reels
from serve_app.recording import Film
from serve_app.store import Store

KEPT = 32
"""Films at most: at about 100 kB a second, a minute each, they take 200 MB."""

KEEP_S = 900.0
"""How long a film can be fetched, in seconds."""


class Films:
    """The films of one gateway, and of all others that share its store."""

    def __init__(
        self,
        store: Store | None = None,
        most: int = KEPT,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._most = most
        self.keep_s = keep_s
        self._clock = clock
        self._until: dict[str, float] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def shared(self) -> bool:
        """True if other replicas of the gateway have them too."""
        return self._store is not None

    async def keep(self, film: Film) -> str:
        """Write a film; return its name. The oldest one makes room. Raises what ``write_mp4`` raises, StoreError."""
        name = secrets.token_urlsafe(24)
        path = self._room(name, self.keep_s)
        await asyncio.to_thread(write_mp4, path, film.packets, film.sound)
        if self._store:
            content = await asyncio.to_thread(path.read_bytes)
            await reels.put(self._store, name, content, round(self.keep_s * 1000), self._most)
        return name

    async def path(self, name: str) -> Path | None:
        """The film of that name; None if there is none, or none any more. Raises StoreError."""
        self._drop()
        if name not in self._until and self._store and (found := await reels.get(self._store, name)):
            content, left_ms = found
            await asyncio.to_thread(self._room(name, left_ms / 1000).write_bytes, content)
        path = self._place(name) if name in self._until else None
        return path if path is not None and path.exists() else None

    def close(self) -> None:
        """Remove the copies of this process."""
        self._until.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _room(self, name: str, keep_s: float) -> Path:
        """Where a film shall lie, with others removed for it."""
        self._until[name] = self._clock() + keep_s
        self._drop()
        return self._place(name)

    def _place(self, name: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="realtime-avatar-films-")
        return Path(self._folder.name) / f"{name}.mp4"

    def _drop(self) -> None:
        now = self._clock()
        spare = len(self._until) - self._most
        for number, (name, until) in enumerate(list(self._until.items())):
            if number < spare or until < now:
                del self._until[name]
                self._place(name).unlink(missing_ok=True)
