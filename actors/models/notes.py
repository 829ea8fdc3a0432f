"""What was found out about fetched files: beside them, so that a hash is worked out once and trust is given once.

A file ``.notes.json`` in the folder of each model. It says no more than its folder: who can write there can replace
the weights as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.files import write

NAME = ".notes.json"


@dataclass(frozen=True, slots=True)
class Note:
    """One file as it was when somebody looked."""

    sha256: str
    changed_ns: int
    """Nanoseconds: the file's time of change. Another one, and it is hashed again."""
    origin: str
    """What it was fetched from, with the commit where the hub told it; empty if a person put it there."""
    trusted: bool = False
    """True: no manifest knew its hash; somebody said that it is right."""


def read(folder: Path) -> dict[str, Note]:
    """Path in the folder -> its note. A file of notes that cannot be read says nothing: hashes are worked out anew."""
    try:
        rows = json.loads((folder / NAME).read_text("utf-8"))
        return {path: Note(**row) for path, row in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def add(folder: Path, notes: Mapping[str, Note]) -> None:
    """Write these down beside those that there are. The caller holds the lock of the folder. Raises OSError."""
    rows = {path: asdict(note) for path, note in {**read(folder), **notes}.items()}
    write(folder / NAME, (json.dumps(rows, indent=1, sort_keys=True) + "\n").encode())
