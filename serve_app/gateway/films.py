"""Films that wait to be fetched: a few, for a while, under names that nobody can guess.

They lie in a folder of this process and are gone with it. This file knows no conversation and no address.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from actors.face.video import write_mp4
from serve_app.recording import Film

KEPT = 32
"""Films at most: at about 100 kB a second, a minute each, they take 200 MB."""

KEEP_S = 900.0
"""How long a film can be fetched, in seconds."""


class Films:
    """The films of one gateway."""

    def __init__(self, most: int = KEPT, keep_s: float = KEEP_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self.keep_s = keep_s
        self._clock = clock
        self._made: dict[str, float] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def keep(self, film: Film) -> str:
        """Write a film; return its name. The oldest one makes room. Raises what ``write_mp4`` raises."""
        name = secrets.token_urlsafe(24)
        self._made[name] = self._clock()
        self._drop()
        await asyncio.to_thread(write_mp4, self._place(name), film.packets, film.sound)
        return name

    def path(self, name: str) -> Path | None:
        """The film of that name; None if there is none, or none any more."""
        self._drop()
        if name not in self._made:
            return None
        path = self._place(name)
        return path if path.exists() else None

    def close(self) -> None:
        """Remove them all."""
        self._made.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _place(self, name: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="realtime-avatar-films-")
        return Path(self._folder.name) / f"{name}.mp4"

    def _drop(self) -> None:
        oldest = self._clock() - self.keep_s
        spare = len(self._made) - self._most
        for number, (name, made) in enumerate(list(self._made.items())):
            if number < spare or made < oldest:
                del self._made[name]
                self._place(name).unlink(missing_ok=True)
