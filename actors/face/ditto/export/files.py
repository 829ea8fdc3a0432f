"""The files of graphs and engines: each appears whole or not at all, and says what it was made of."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write(path: Path, data: bytes) -> Path:
    """The file, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


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
