"""A PostgreSQL that is started for the tests, where Debian's package is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.ports import free_port


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL of our own, as an ordinary user: it refuses to run as root."""
    pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        pytest.skip("PostgreSQL is not installed here: apt install postgresql")
    root = os.getuid() == 0
    if root and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="avatar-pg-", dir="/tmp"))  # its socket's name must be short
    if root:
        shutil.chown(folder, "postgres", "postgres")
    port = free_port()

    def run(program: str, *arguments: str) -> None:
        who = ["runuser", "-u", "postgres", "--"] if root else []
        command = [*who, str(found[-1].parent / program), "-D", str(folder / "data"), *arguments]
        with (folder.parent / f"{folder.name}.out").open("a+") as out:
            done = subprocess.run(command, cwd="/", stdout=out, stderr=out, timeout=60)
            out.seek(0)
            assert done.returncode == 0, out.read()

    try:
        run("initdb", "-U", "avatar", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c port={port} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://avatar@/postgres?host={folder}&port={port}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
        (folder.parent / f"{folder.name}.out").unlink(missing_ok=True)
