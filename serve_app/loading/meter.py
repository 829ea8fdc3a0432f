"""What a service on this machine takes of it: CPU and memory of its process and all that it started, out of /proc.

The service is found by the lock that it holds for its port. Elsewhere than on Linux there is nothing to read.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PROC = Path("/proc")
EVERY_S = 1.0
MB = 2**20


@dataclass(frozen=True, slots=True)
class Look:
    """One process at one moment."""

    name: str
    cpu_s: float
    """User and system time of all threads since its start."""
    resident: int
    """Bytes."""
    threads: int
    files: int
    """Open descriptors, sockets among them."""


@dataclass(frozen=True, slots=True)
class Used:
    """All processes of one name, over the load."""

    name: str
    processes: int
    cores: float
    """Mean number of cores that they kept busy."""
    memory_mb: float
    """Largest resident memory of all together, in MiB; what they share is counted more than once."""


@dataclass(slots=True)
class _Seen:
    name: str
    first: float
    last: float
    most: int = 0


@dataclass(slots=True)
class Meter:
    """Looks at the processes once a second, for as long as ``watch`` runs."""

    root: int
    _begun: float = 0.0
    _seen: dict[int, _Seen] = field(default_factory=dict[int, _Seen])
    _took: float = 0.0

    async def watch(self) -> None:
        """Until cancelled."""
        self._begun = time.monotonic()
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Note how they stand now."""
        self._begun = self._begun or time.monotonic()
        for pid in family(self.root):
            if (now := looked(pid, root=self.root)) is None:
                continue
            one = self._seen.setdefault(pid, _Seen(now.name, now.cpu_s, now.cpu_s))
            one.name, one.last, one.most = now.name, now.cpu_s, max(one.most, now.resident)
        self._took = time.monotonic() - self._begun

    def used(self) -> list[Used]:
        """By name, the busiest first."""
        names = {one.name for one in self._seen.values()}
        found: list[Used] = []
        for name in names:
            those = [one for one in self._seen.values() if one.name == name]
            cores = sum(one.last - one.first for one in those) / max(self._took, 1e-9)
            found.append(Used(name, len(those), cores, sum(one.most for one in those) / MB))
        return sorted(found, key=lambda used: (-used.cores, used.name))


def served_by(url: str) -> int | None:
    """The process that serves there; None if it is not `avatar run` of this person on this machine."""
    port = urlsplit(url).port or 80
    path = Path(tempfile.gettempdir()) / f"realtime-avatar-{os.getuid()}-{port}.lock"
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):
        return None
    return pid if (PROC / str(pid)).exists() else None


def family(root: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir() if PROC.exists() else ():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):  # it may be gone
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [root] if root in parents else []
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def looked(pid: int, *, root: int = 0) -> Look | None:
    """How a process stands; None if it is gone, or somebody else's."""
    folder = PROC / str(pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        files = len(os.listdir(folder / "fd"))
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    ticks = int(fields[11]) + int(fields[12])
    pages = int(fields[21])
    name = "service" if pid == root else _name([word.decode(errors="replace") for word in words if word])
    return Look(
        name,
        ticks / os.sysconf("SC_CLK_TCK"),
        pages * os.sysconf("SC_PAGE_SIZE"),
        int(fields[17]),
        files,
    )


def _name(words: list[str]) -> str:
    """Short: Ray's workers say what they are, of others the program counts."""
    if not words:
        return "ended"
    if words[0].startswith("ray::"):
        return words[0].split()[0].removeprefix("ray::")
    program = Path(words[0]).name
    if "-c" in words[:4]:
        return f"{program} -c"
    scripts = [word for word in words[1:] if not word.startswith("-")]
    return Path(scripts[0]).name if program.startswith("python") and scripts else program
