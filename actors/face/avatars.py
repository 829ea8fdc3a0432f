"""The avatar library: which faces there are, and how each is shown.

An avatar is a folder that never changes: its own ones are named after what they were made of. It knows no engine's
insides: of a folder it reads the size, not the pictures.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.data import data_folder
from actors.face.shelf import clear
from actors.face.video import even
from streaming.stages import Avatar

BUILT_IN = Path(__file__).resolve().parent / "portrait" / "avatars"
DEFAULT = "default"
IDLE = "idle.mp4"
MESH = "mesh.npz"
"""478 landmarks of the portrait, ``points`` (478, 3) in texture pixels; of a film those of its frames too, ``film``."""
FILM = "source.mp4"
"""Frames of a film in texture pixels, 25 a second, for engines that show films; others show the portrait."""
PORTRAIT = "portrait.jpg"
ABOUT = "about.json"

LARGEST = 1920
"""Pixels of the longer side of what is shown."""

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SCALE = 1.5  # texture pixels for one output pixel
_ALIGN = 8


class AvatarUnknown(LookupError):
    """There is no avatar of that name; the message lists those there are."""


class AvatarBuiltIn(PermissionError):
    """This avatar belongs to the program and stays."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An avatar and where its files lie."""

    avatar: Avatar
    folder: Path

    @property
    def idle_clip(self) -> Path | None:
        """The idle loop, if it was made."""
        clip = self.folder / IDLE
        return clip if clip.is_file() else None

    @property
    def portrait(self) -> Path | None:
        """A still picture of it, JPEG, if there is one."""
        still = self.folder / PORTRAIT
        return still if still.is_file() else None

    @property
    def built_in(self) -> bool:
        """True if it came with the program."""
        return self.folder.parent == BUILT_IN

    @property
    def about(self) -> dict[str, Any]:
        """What was written down when it was made: ``name``, ``created``, ``notes``... Empty for a built-in one."""
        try:
            return json.loads((self.folder / ABOUT).read_text("utf-8"))
        except FileNotFoundError:
            return {}


def own_folder() -> Path:
    """Where the avatars lie that people made; every replica that shows faces needs to see it."""
    return data_folder() / "avatars"


def describe(folder: Path) -> Avatar:
    """The descriptor of an avatar's folder, from its rig.toml. Raises ValueError on a folder that is none.

    It is shown with two thirds of the texture's ``size``, in whole eights, or as ``shown`` = [width, height] says,
    which may be odd.
    """
    if not _ID.fullmatch(folder.name):
        raise ValueError(f"{folder.name!r} cannot name an avatar; use a-z, 0-9, - and _")
    try:
        told = tomllib.loads((folder / "rig.toml").read_text("utf-8"))
        width, height = told["size"]
        shown = told.get("shown") or [max(_ALIGN, round(side / _SCALE / _ALIGN) * _ALIGN) for side in (width, height)]
        if len(shown) != 2 or not all(isinstance(side, int) and 0 < side <= LARGEST for side in shown):
            raise ValueError(f"shown = [width, height] takes whole numbers up to {LARGEST}")
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValueError) as error:
        raise ValueError(f"{folder} is no avatar: rig.toml must give size = [width, height] ({error})") from error
    return Avatar(folder.name, shown[0], shown[1], even(shown[0]), even(shown[1]))


def library(user_folder: Path | None = None) -> dict[str, Entry]:
    """All avatars by id: the built-in ones, then the user's, which may replace them.

    ``user_folder`` holds one folder for each avatar, by default ``own_folder()``; one that is missing counts as empty.
    """
    found: dict[str, Entry] = {}
    for root in (BUILT_IN, user_folder or own_folder()):
        if not root.is_dir():
            continue
        for folder in sorted(root.iterdir()):
            if not folder.name.startswith(".") and (folder / "rig.toml").is_file():
                avatar = describe(folder)
                found[avatar.id] = Entry(avatar, folder)
    return found


def find(avatar_id: str, user_folder: Path | None = None) -> Entry:
    """One avatar, looked for in the same places as ``library`` looks. Raises AvatarUnknown."""
    if _ID.fullmatch(avatar_id):
        for root in (user_folder or own_folder(), BUILT_IN):
            if (root / avatar_id / "rig.toml").is_file():
                return Entry(describe(root / avatar_id), root / avatar_id)
    there = ", ".join(sorted(library(user_folder))) or "none"
    raise AvatarUnknown(f"there is no avatar {avatar_id!r}; there are: {there}")


def remove(avatar_id: str) -> None:
    """Erase an avatar of one's own, and what engines keep of it here. Faces that are shown go on.

    Raises AvatarUnknown, AvatarBuiltIn.
    """
    entry = find(avatar_id)
    if entry.built_in:
        raise AvatarBuiltIn(f"the avatar {avatar_id!r} came with the program and stays; erase only your own")
    gone = entry.folder.with_name(f".{uuid.uuid4().hex}.part")  # out of sight at once, then file by file
    entry.folder.rename(gone)
    shutil.rmtree(gone)
    clear(avatar_id)
