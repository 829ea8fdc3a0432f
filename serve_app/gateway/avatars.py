"""The faces there are, over HTTP: listed, looked at, made of a picture that somebody sends, erased.

A picture is handed on as bytes to a process that takes it in (actors/face/importing.py); nothing here decodes it or
believes its name. What an avatar is made of is told in actors/face.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.responses import FileResponse

import actors
from actors.face import avatars, landmarks
from actors.face.importing import LONGEST_NAME, MISSING
from serve_app.gateway.refusals import REFUSED, Bounded, Refusal, bad

log = logging.getLogger(__name__)

LONGEST_S = 90.0
"""A picture is given up then. Measured on two cores: 2 s, on a busy machine 4 s."""
COMMAND = (sys.executable, "-m", "actors.face.importing")
WAITING_MOST = 4
"""Pictures that wait for the one that is being taken in; a fifth is refused."""
CONSENT = (
    "say that the person in the picture agrees to it: send consent=true. Without that nothing is made or kept of it"
)


@dataclass(slots=True)
class Studio:
    """Takes pictures in, one after the other."""

    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    async def take(self, picture: bytes, name: str) -> dict[str, Any]:
        """What the process that takes a picture in says of it. Raises Refusal."""
        if self.waiting > WAITING_MOST:
            raise Refusal(503, "other pictures are being taken in; try again in a minute", "busy")
        self.waiting += 1
        try:
            async with self.busy:
                return await _taken(picture, name)
        finally:
            self.waiting -= 1


async def _taken(picture: bytes, name: str) -> dict[str, Any]:
    """One process for one picture. Raises Refusal."""
    rooms = str(Path(str(actors.__file__)).parents[1])
    worker = await asyncio.create_subprocess_exec(
        *(*COMMAND, name),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": rooms},
    )
    noise = b""
    try:
        async with asyncio.timeout(LONGEST_S):
            said, noise = await worker.communicate(picture)
        told = json.loads(said)
    except TimeoutError:
        raise Refusal(503, "this picture was not taken in in time; try again, or make it smaller", "too_slow") from None
    except ValueError as error:
        log.error("taking in a picture broke: %s", noise.decode(errors="replace").strip())
        raise Refusal(500, "taking in the picture broke; the service's log says how", "broken") from error
    finally:
        if worker.returncode is None:  # given up, or the client left
            worker.kill()
            await worker.wait()
    if code := told.get("refused"):
        status = 503 if code in (MISSING, "not_stored") else 400
        raise Refusal(status, told["message"], code, None if status == 503 else "file")
    return told


def avatar_routes(shown: str) -> APIRouter:
    """Routes for /avatars. ``shown`` is the id of the avatar that the service shows by itself: it is not erased."""
    studio = Studio()
    routes = APIRouter(prefix="/avatars", route_class=Bounded, tags=["avatars"], responses=REFUSED)

    @routes.get("")
    async def listed() -> dict[str, Any]:
        """All avatars, and whether pictures can be taken in here: if not, `import.reason` says what to do."""
        entries, reason = await asyncio.to_thread(avatars.library), _missing()
        told = [_told(entry) for entry in entries.values()]
        return {"avatars": told, "shown": shown, "import": {"ready": not reason, "reason": reason}}

    @routes.post("", status_code=201)
    async def made(
        answer: Response,
        file: Annotated[UploadFile, File()],
        name: Annotated[str, Form()] = "",
        consent: Annotated[str, Form()] = "",
    ) -> dict[str, Any]:
        """An avatar made of a portrait, PNG, JPEG or WebP: 201, or 200 if the same picture was sent before.

        `consent` must be `true`. `notes` says what will not look as good as it could.
        """
        if consent != "true":
            raise bad(CONSENT, "consent", "no_consent")
        if reason := _missing():
            raise Refusal(503, reason, MISSING)
        told = await studio.take(await file.read(), _printable(name))
        if not told["new"]:
            answer.status_code = 200
        return {**_told(_entry(told["id"])), "notes": told["notes"]}

    @routes.get("/{avatar}")
    async def one(avatar: str) -> dict[str, Any]:
        """One avatar."""
        return _told(_entry(avatar))

    @routes.get("/{avatar}/portrait.jpg", response_class=FileResponse)
    async def portrait(avatar: str) -> FileResponse:
        """A still picture of it."""
        path = _entry(avatar).portrait
        if path is None:
            raise Refusal(404, f"the avatar {avatar!r} has no still picture; look at its idle loop", "no_portrait")
        return FileResponse(path, media_type="image/jpeg")

    @routes.delete("/{avatar}", status_code=204)
    async def erased(avatar: str) -> None:
        """Erase an avatar of one's own; conversations that show it go on to their end."""
        if avatar == shown and not _entry(avatar).built_in:
            message = f"{avatar!r} is the face that this service shows; set face.avatar to another one first"
            raise Refusal(409, message, "shown")
        await asyncio.to_thread(_erased, avatar)

    return routes


def _missing() -> str:
    """Why no picture can be taken in; empty if it can."""
    try:
        landmarks.worker()
    except landmarks.LandmarksMissing as error:
        return str(error)
    return ""


def _entry(avatar: str) -> avatars.Entry:
    try:
        return avatars.find(avatar)
    except avatars.AvatarUnknown:
        message = f"no avatar is called {avatar!r}; GET /avatars lists those that there are"
        raise Refusal(404, message, "no_avatar") from None


def _erased(avatar: str) -> None:
    """Erase it. Raises Refusal."""
    try:
        avatars.remove(_entry(avatar).avatar.id)
    except avatars.AvatarBuiltIn as error:
        raise Refusal(403, str(error), "built_in") from None


def _told(entry: avatars.Entry) -> dict[str, Any]:
    avatar, about = entry.avatar, entry.about
    return {
        "id": avatar.id,
        "name": about.get("name") or avatar.id.capitalize(),
        "width": avatar.width,
        "height": avatar.height,
        "built_in": entry.built_in,
        "created": about.get("created"),
        "idle": f"/avatars/{avatar.id}/idle.mp4" if entry.idle_clip else None,
        "portrait": f"/avatars/{avatar.id}/portrait.jpg" if entry.portrait else None,
        "notes": about.get("notes", []),
    }


def _printable(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable())[:LONGEST_NAME]
