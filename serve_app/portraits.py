"""The work of `avatar portrait`: set up what finds faces, take a picture in, list the avatars, erase one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from actors.face import avatars, landmarks
from serve_app.errors import UserError

MOST = 25_000_000
"""Bytes of a picture, as over HTTP."""


def setup(chosen: argparse.Namespace) -> int:
    """Make the environment in which faces are found."""
    print("installing some hundred MB of packages; half a minute or more", file=sys.stderr)
    try:
        folder = landmarks.setup()
    except landmarks.LandmarksMissing as error:
        raise UserError(str(error)) from None
    print(folder)
    return 0


def add(chosen: argparse.Namespace) -> int:
    """Make an avatar of a picture and print its id."""
    from actors.face.importing import import_picture

    if not chosen.consent:
        raise UserError("the person in the picture must agree to it; say so with --consent")
    path: Path = chosen.picture
    try:
        if path.stat().st_size > MOST:
            raise UserError(f"{path} has more than {MOST:,} bytes; make the picture smaller")
        made = import_picture(path.read_bytes(), chosen.name or path.stem)
    except (landmarks.PictureRefused, landmarks.LandmarksMissing) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{error.filename or path} cannot be read or written: {error.strerror}") from None
    for note in made.notes:
        print(note, file=sys.stderr)
    print(made.id)
    return 0


def show(chosen: argparse.Namespace) -> int:
    """Print every avatar."""
    for entry in avatars.library().values():
        print(f"{entry.avatar.id}: {'built in' if entry.built_in else entry.about.get('name', '')}")
    return 0


def remove(chosen: argparse.Namespace) -> int:
    """Erase an avatar of one's own."""
    try:
        avatars.remove(chosen.avatar)
    except (avatars.AvatarUnknown, avatars.AvatarBuiltIn) as error:
        raise UserError(str(error)) from None
    return 0
