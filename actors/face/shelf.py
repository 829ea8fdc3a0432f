"""What face engines make of an avatar and keep: a folder for each avatar, beside the library, that may vanish any time.

Whatever lies here can be made again, and is named after everything that it was made of. It goes when its avatar is
erased, for it shows a person. Files appear whole or not at all; one that cannot be read counts as missing.
"""

from __future__ import annotations

import hashlib
import io
import logging
import shutil
import zipfile
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.data import data_folder
from actors.files import write

log = logging.getLogger(__name__)

_PIECE = 65_536
_PIECES = 16


class Shelf:
    """What is kept of one avatar. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        if self._folder is None:
            return None
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s cannot be read and is made again: %s", self._folder / name, error)
            return None

    def keep(self, name: str, data: bytes) -> Path | None:
        """Keep bytes; where they lie. None where they do not: that is said, and costs only that they are made again."""
        if self._folder is None:
            return None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return write(self._folder / name, data, private=True)
        except OSError as error:
            log.warning("%s is not kept, and will be made again: %s", self._folder / name, error)
            return None

    def arrays(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Arrays that ``keep_arrays`` kept; None where there are none. Nothing is unpickled."""
        data = self.read(name)
        if data is None:
            return None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            log.warning("%s is broken and is made again: %s", name, error)
            return None

    def keep_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays by name."""
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)  # type: ignore[arg-type]  # names are ours
        self.keep(name, out.getvalue())


def shelf(avatar_id: str) -> Shelf:
    """The shelf of an avatar of the library."""
    return Shelf(_root() / avatar_id)


def clear(avatar_id: str) -> None:
    """Erase all that is kept of an avatar on this machine."""
    shutil.rmtree(_root() / avatar_id, ignore_errors=True)


def prune(known: Container[str]) -> None:
    """Erase what is kept of avatars that there are no more: they may have been erased on another machine."""
    root = _root()
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in known:
            clear(folder.name)


def _root() -> Path:
    return data_folder() / "prepared"


def name_of(*parts: bytes | str) -> str:
    """A short name for what was made of these."""
    told = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        told.update(b"%d:" % len(data) + data)
    return told.hexdigest()[:24]


def weights(folder: Path) -> str:
    """A name for a folder of models: of its files' names and sizes, and of sixteen pieces of each.

    Gigabytes are not read for it. Two trainings of a network differ in all pieces; it is no proof against forgers.
    """
    told: list[bytes | str] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_file() and not path.name.startswith("."):
            size = path.stat().st_size
            told += [path.name, str(size)]
            with path.open("rb") as file:
                for piece in range(_PIECES):
                    file.seek(max(0, size - _PIECE) * piece // (_PIECES - 1))
                    told.append(file.read(_PIECE))
    return name_of(*told) if told else ""
