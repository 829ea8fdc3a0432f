"""`python -m cluster.backup save FILE.tar.gz` and `... restore FILE.tar.gz`: what people brought, and what was said.

The data folder: conversations (SQLite, copied as of one moment while the service runs), keys, avatars, voices. What the
service makes anew by itself (`prepared`) is left out. A restore goes into an empty folder, or beside what is there with
--replace, and only after the whole file was read and its database found in order. PostgreSQL is saved with pg_dump.
"""

from __future__ import annotations

import argparse
import gzip
import sqlite3
import sys
import tarfile
import zlib
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from actors.data import data_folder
from actors.files import whole

DATABASE = "avatar.db"
MADE_ANEW = ("portrait-import", "prepared")


class Refused(Exception):
    """It cannot be done; the message says why and what to do."""


def save(folder: Path, file: Path) -> int:
    """Write everything of ``folder`` into ``file``, whole or not at all; how many files. Raises Refused."""
    if not folder.is_dir():
        raise Refused(f"there is no data folder {folder}; name it with --data")
    count = 0
    try:
        with (
            whole(file, private=True) as part,  # keys and conversations
            TemporaryDirectory() as scratch,
            tarfile.open(part, "w:gz") as archive,
        ):
            if (folder / DATABASE).exists():
                archive.add(_copied(folder / DATABASE, Path(scratch) / DATABASE), DATABASE)
                count += 1
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                if path.is_file() and name.parts[0] not in MADE_ANEW and not name.parts[0].startswith(DATABASE):
                    archive.add(path, str(name))
                    count += 1
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}; choose another place") from None
    return count


def _copied(source: Path, copy: Path) -> Path:
    """The database as of one moment, writers going on meanwhile."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live, closing(sqlite3.connect(copy)) as still:
        live.backup(still)
    return copy


def restore(file: Path, folder: Path, replace: bool = False) -> int:
    """Put everything of ``file`` into ``folder``; how many files. Raises Refused with nothing changed."""
    if folder.exists() and any(folder.iterdir()) and not replace:
        raise Refused(f"{folder} is not empty; stop the service and say --replace: the old one is kept beside it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".restoring-") as scratch:
        fresh = Path(scratch) / "data"
        try:
            with gzip.open(file) as packed:  # to its end, where the checksum is; tar itself would not look there
                while packed.read(2**20):
                    pass
            with tarfile.open(file) as archive:
                archive.extractall(fresh, filter="data")
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise Refused(f"{file} is no whole backup: {error}; take another") from None
        _in_order(fresh / DATABASE)
        count = sum(1 for path in fresh.rglob("*") if path.is_file())
        if folder.exists():
            if any(folder.iterdir()):
                folder.rename(_beside(folder))
            else:
                folder.rmdir()
        fresh.rename(folder)
    return count


def _in_order(database: Path) -> None:
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database)) as base:
            [(told,)] = base.execute("pragma integrity_check").fetchmany(1)
    except sqlite3.DatabaseError as error:
        told = str(error)
    if told != "ok":
        raise Refused(f"the conversations in it are damaged ({told}); take another backup")


def _beside(folder: Path) -> Path:
    """A name for the old folder that nobody has."""
    number = 1
    while (name := folder.with_name(f"{folder.name}.before-{number}")).exists():
        number += 1
    return name


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster.backup", description=__doc__)
    parser.add_argument("order", choices=["save", "restore"])
    parser.add_argument("file", type=Path, metavar="FILE.tar.gz")
    parser.add_argument("--data", type=Path, default=data_folder(), help="the data folder (default: %(default)s)")
    parser.add_argument("--replace", action="store_true", help="restore over a folder that is not empty; it is kept")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.order == "save":
            count = save(chosen.data, chosen.file)
        else:
            count = restore(chosen.file, chosen.data, chosen.replace)
    except Refused as error:
        print(f"backup: {error}", file=sys.stderr)
        return 2
    print(f"{count} files {'saved' if chosen.order == 'save' else 'restored'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
