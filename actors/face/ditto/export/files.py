"""The files of graphs and engines: each appears whole or not at all, and says what it was made of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from actors import files


def write(path: Path, data: bytes) -> Path:
    """The file, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return files.write(path, data, private=True)


def write_told(path: Path, data: bytes, made_of: dict[str, Any]) -> Path:
    """The same, and beside it what it was made of; the latter comes last, so a file without it is not finished."""
    note = path.with_suffix(".json")
    note.unlink(missing_ok=True)
    write(path, data)
    write(note, json.dumps(made_of, indent=1, sort_keys=True).encode())
    return path


def told(path: Path) -> dict[str, Any] | None:
    """What a finished file was made of; None where there is none, or one that cannot be read."""
    try:
        found = json.loads(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if path.exists() and isinstance(found, dict) else None


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
