"""Files that a person named: whole or not at all (actors/files.py), and told what to do where they cannot be written.

This file does not know what is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors import files
from serve_app.errors import UserError


def check_writable(path: Path) -> None:
    """Raise UserError if nothing can be written there. Ask before the long work, not after it."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no regular file; name one")
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f"the folder {folder} does not exist; make it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise UserError(f"nothing may be written into {folder}; choose another folder")


@contextmanager
def whole(path: Path, *, private: bool = False) -> Iterator[Path]:
    """As ``actors.files.whole``: a name beside ``path`` to write to, which becomes ``path`` if the block ends well.

    Raises UserError if the system refuses: a full disk, a folder that may not be written.
    """
    check_writable(path)
    try:
        with files.whole(path, private=private) as part:
            yield part
    except OSError as error:  # PyAV's errors of writing are OSErrors too
        reason = (error.strerror or type(error).__name__).lower()
        raise UserError(f"{path} cannot be written: {reason}; make room or choose another folder") from error


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON that a person can read. Raises UserError as ``whole`` does."""
    with whole(path) as part:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
