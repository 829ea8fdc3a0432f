"""What a run needs of this machine, and what is missing of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("redis-server", "nginx", "prometheus", "openssl", "ip", "unshare", "setpriv", "nsenter", "runuser")
OUTER = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
"""Makes the namespaces of a run: what is in them ends with it, and nobody outside sees a port of it."""
FIRST = ("sh", "-c", '"$@"; exit $?', "sh")
"""The first process in there: it buries orphans, without which the processes of a box would not come to an end."""


def missing(layout: str) -> str:
    """Why a layout cannot run here, as one sentence; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "the layout runs in namespaces of Linux, which wants root"
    wanted = (*PROGRAMS, *(("kubectl",) if layout == "rayservice" else ()))
    gone = [name for name in wanted if program(name) is None]
    if postgres() is None:
        gone.append("postgresql")
    if gone:
        return (
            f"not installed here: {', '.join(gone)} (Debian: apt-get install redis-server nginx prometheus postgresql)"
        )
    done = subprocess.run([*OUTER, "true"], capture_output=True, text=True)
    return f"no namespaces can be made here: {done.stderr.strip()}" if done.returncode else ""


def program(name: str) -> str | None:
    """Where a program is, those for administrators among them."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def postgres() -> Path | None:
    """The folder of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None
