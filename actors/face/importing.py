"""A picture or a film taken in, start to end: found, made, listed. Run as a process of its own; nobody waits for it.

`python -m actors.face.importing NAME` reads the picture from standard input and writes one line of JSON: ``{"id",
"new", "notes"}``, or ``{"refused": code, "message"}``. It asks the worker that decodes; it decodes nothing itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2

from actors.face.avatars import AvatarUnknown, find, own_folder
from actors.face.filmed import find_faces, is_film
from actors.face.landmarks import LandmarksMissing, PictureRefused, find_face, worker
from actors.face.portrait.photo.make import RECIPE, About, make

log = logging.getLogger(__name__)

LONGEST_NAME = 80
MISSING = "not_set_up"
"""The refusal that is not the picture's fault."""


@dataclass(frozen=True, slots=True)
class Imported:
    """An avatar that is there now."""

    id: str
    new: bool
    """False if this picture was taken in before."""
    notes: tuple[str, ...]


def identity(picture: bytes) -> str:
    """The id of the avatar that a picture makes: of its bytes and of the recipe."""
    return "own-" + hashlib.sha256(b"%d\n" % RECIPE + picture).hexdigest()[:20]


def import_picture(picture: bytes, name: str, command: tuple[str, ...] | None = None) -> Imported:
    """Make an avatar of a picture or a film, or find the one that it made before; that one keeps its first name.

    ``command`` starts the worker that finds faces. Raises PictureRefused, LandmarksMissing, OSError.
    """
    avatar = identity(picture)
    try:
        return Imported(avatar, False, tuple(find(avatar).about.get("notes", ())))
    except AvatarUnknown:
        pass
    command = command or worker()
    about = About(
        name=name.strip()[:LONGEST_NAME] or "Portrait",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        consent=True,
        sha256=hashlib.sha256(picture).hexdigest(),
    )
    if is_film(picture):
        with closing(find_faces(picture, command)) as frames:
            notes = make(next(frames), about, own_folder() / avatar, frames)
    else:
        notes = make(find_face(picture, command), about, own_folder() / avatar)
    log.info("avatar %s made of a %s of %d bytes", avatar, "film" if is_film(picture) else "picture", len(picture))
    return Imported(avatar, True, notes)


def main() -> None:
    """Take in the picture on standard input, politely."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    os.nice(10)  # conversations go on beside it
    cv2.setNumThreads(1)
    try:
        made = import_picture(sys.stdin.buffer.read(), sys.argv[1])
        told = {"id": made.id, "new": made.new, "notes": made.notes}
    except PictureRefused as error:
        told = {"refused": error.code, "message": str(error)}
    except LandmarksMissing as error:
        told = {"refused": MISSING, "message": str(error)}
    except OSError as error:
        reason = error.strerror or str(error)
        told = {"refused": "not_stored", "message": f"the avatar cannot be stored: {reason}; make room and try again"}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
