"""Writing files whole or not at all: under another name beside theirs first, renamed when complete.

It knows neither what is written nor who is told that it failed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A name beside ``path`` to write to, nobody else's; it replaces ``path`` if the block ends well, else it is gone.

    ``private``: the part is there already, empty, and only its owner may read it, nor ``path`` later. Without it
    nothing is there yet. Raises OSError as the system does, and what the block raises.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        if private:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, data: bytes, *, private: bool = False) -> Path:
    """A file of these bytes, whole or not at all; its path. Raises OSError."""
    with whole(path, private=private) as part:
        part.write_bytes(data)
    return path
