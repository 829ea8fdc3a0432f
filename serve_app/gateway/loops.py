"""The idle loops that clients play: of the face that serves where it draws its own, else of the avatar's folder.

A face that draws the loop in its own manner is asked once for each avatar, wherever it runs; that takes seconds on a
GPU. Whoever asks meanwhile waits a little and then gets the folder's clip, which nobody may keep.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi.responses import FileResponse

from actors.face.avatars import AvatarUnknown, find
from actors.face.shelf import name_of, shelf
from streaming.stages import Avatar, StageError, StageLost

log = logging.getLogger(__name__)

WAIT_S = 20.0
"""A client waits so long for a loop that is being drawn; the portrait stands still meanwhile."""
LONGEST_S = 600.0
"""A face that has not drawn a loop by then will not."""
KEPT = 16
"""Clips that are remembered; they lie on the shelves of their avatars, 0.5 to 3 MB each."""
_OPEN = {"Access-Control-Allow-Origin": "*"}
"""Pages of other hosts that show the face draw it on a canvas, which a browser allows only with this."""

Draw = Callable[[Avatar], Awaitable[bytes]]


class Loops:
    """Idle loops by avatar."""

    def __init__(self, face: object, folder: Callable[[str], Path | None]) -> None:
        """``face`` may have ``async idle(avatar) -> bytes``, MP4 or nothing; ``folder`` gives the clip of a folder."""
        self._draw: Draw | None = getattr(face, "idle", None)
        self._folder = folder
        self._drawn: OrderedDict[str, asyncio.Task[Path | None]] = OrderedDict()

    async def answer(self, avatar: str) -> FileResponse | None:
        """The loop over HTTP; None for an avatar that there is not, or that has none."""
        drawing = self._drawing(avatar)
        if drawing is not None:
            await asyncio.wait({drawing}, timeout=WAIT_S)
            if drawing.done() and not drawing.cancelled() and (drawn := drawing.result()) is not None:
                return FileResponse(drawn, media_type="video/mp4", headers={**_OPEN, "Cache-Control": "no-cache"})
        path = self._folder(avatar)
        if path is None:
            return None
        passing = {} if drawing is None else {"Cache-Control": "no-store"}
        return FileResponse(path, media_type="video/mp4", headers={**_OPEN, **passing})

    def _drawing(self, avatar: str) -> asyncio.Task[Path | None] | None:
        """The loop that the face draws or has drawn; None where it draws none."""
        if self._draw is None:
            return None
        try:
            wanted = find(avatar).avatar
        except AvatarUnknown:
            if gone := self._drawn.pop(avatar, None):
                gone.cancel()
            return None
        if avatar not in self._drawn:
            self._drawn[avatar] = asyncio.create_task(self._asked(self._draw, wanted), name=f"idle {avatar}")
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)[1].cancel()
        self._drawn.move_to_end(avatar)
        return self._drawn[avatar]

    async def _asked(self, draw: Draw, avatar: Avatar) -> Path | None:
        """The face's loop. Where it cannot draw one the folder's does, and the log says why."""
        try:
            async with asyncio.timeout(LONGEST_S):
                clip = await draw(avatar)
            if clip:  # kept as a file, for browsers ask for parts of it
                return await asyncio.to_thread(shelf(avatar.id).keep, f"shown-{name_of(clip)}.mp4", clip)
        except StageLost as error:
            self._drawn.pop(avatar.id, None)  # asked again, of another replica
            log.warning("the idle loop of %s was not drawn: %s", avatar.id, error)
        except (StageError, TimeoutError, OSError) as error:
            log.warning(
                "the idle loop of %s is its folder's, for the face drew none: %s", avatar.id, str(error) or "too slow"
            )
        return None
