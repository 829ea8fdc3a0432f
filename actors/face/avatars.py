"""The avatar library: which faces there are, and how each is shown.

An avatar is a folder. It knows no engine's insides: of a folder it reads the size, not the pictures.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from actors.face.video import even
from streaming.stages import Avatar

BUILT_IN = Path(__file__).resolve().parent / "portrait" / "avatars"
DEFAULT = "default"
IDLE = "idle.mp4"

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SCALE = 1.5  # texture pixels for one output pixel
_ALIGN = 8


class AvatarUnknown(LookupError):
    """There is no avatar of that name; the message lists those there are."""


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


def describe(folder: Path) -> Avatar:
    """The descriptor of an avatar's folder, from its rig.toml. Raises ValueError on a folder that is none."""
    if not _ID.fullmatch(folder.name):
        raise ValueError(f"{folder.name!r} cannot name an avatar; use a-z, 0-9, - and _")
    try:
        width, height = tomllib.loads((folder / "rig.toml").read_text("utf-8"))["size"]
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValueError) as error:
        raise ValueError(f"{folder} is no avatar: rig.toml must give size = [width, height] ({error})") from error
    shown = [max(_ALIGN, round(side / _SCALE / _ALIGN) * _ALIGN) for side in (width, height)]
    return Avatar(folder.name, shown[0], shown[1], even(shown[0]), even(shown[1]))


def library(user_folder: Path | None = None) -> dict[str, Entry]:
    """All avatars by id: the built-in ones, then the user's, which may replace them.

    ``user_folder`` holds one folder for each avatar; one that is missing counts as empty.
    """
    found: dict[str, Entry] = {}
    for root in (BUILT_IN, user_folder):
        if root is None or not root.is_dir():
            continue
        for folder in sorted(root.iterdir()):
            if (folder / "rig.toml").is_file():
                avatar = describe(folder)
                found[avatar.id] = Entry(avatar, folder)
    return found


def find(avatar_id: str, user_folder: Path | None = None) -> Entry:
    """One avatar. Raises AvatarUnknown."""
    entries = library(user_folder)
    if avatar_id not in entries:
        raise AvatarUnknown(f"there is no avatar {avatar_id!r}; there are: {', '.join(sorted(entries)) or 'none'}")
    return entries[avatar_id]
