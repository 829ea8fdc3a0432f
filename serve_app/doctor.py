"""`avatar doctor`: what is there, what is missing, and the line that mends it.

Every check is a function that looks at one thing and returns what it found; those of the weights and of the disk plan
are in disk.py, those of what else a profile may lack in installed.py and lacking.py. This file mends nothing itself.
"""

from __future__ import annotations

import importlib.metadata as metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from actors.face import landmarks
from serve_app import disk as room
from serve_app import installed, lacking
from serve_app.errors import UserError
from serve_app.finding import Finding
from serve_app.installed import NAME
from serve_app.ports import free_port
from serve_app.settings import Settings, load

PACKAGES = ("streaming", "actors", "serve_app")

DISK = 1_000_000_000
"""Free bytes to run with: Ray's files under /tmp and the store; installing takes 1.5 GB more."""

MEMORY = 1_500_000_000
"""Available bytes to run with: one process holds every model in 0.9 GB."""


def main(profile: str | None = None) -> int:
    """Print every finding; return 0 if the profile can run here, else 1."""
    missing = 0
    for finding in _all(profile):
        print(finding, flush=True)
        missing += finding.level == "missing"
    order = f"avatar run --profile {profile}" if profile else "avatar run"
    print(f"{missing} missing: mend the lines above" if missing else f"it can run here: {order}")
    return 1 if missing else 0


def _all(profile: str | None) -> Iterator[Finding]:
    for check in CHECKS:
        yield from check()
    try:
        settings = load(profile)
    except UserError as error:
        yield Finding("missing", "profile", str(error))
        return
    if settings.ray.address:
        told = f"the stages run at {settings.ray.address}; what is said of their needs here is of this machine"
        yield Finding("note", "cluster", told, "ask there too: avatar doctor")
    for check in OF_PROFILE:
        for finding in check(settings):
            elsewhere = settings.ray.address and check in OF_STAGES and finding.level == "missing"
            yield replace(finding, level="note") if elsewhere else finding


# ---- the machine -------------------------------------------------------------------------------------------


def python(running: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """The interpreter, and whether it is a virtual environment of its own."""
    found = ".".join(map(str, running))
    if running < (3, 11):
        yield Finding("missing", "Python", found, "install Python 3.11 or later, then: make setup")
    else:
        yield Finding("ok", "Python", found)
    if sys.prefix == sys.base_prefix:
        yield Finding("note", "environment", "not a virtual one; other packages may interfere", "make setup")
    else:
        yield Finding("ok", "environment", sys.prefix)


def disk(free: int | None = None) -> Iterator[Finding]:
    """Free room where we are."""
    free = shutil.disk_usage(Path.cwd()).free if free is None else free
    if free < DISK:
        yield Finding("missing", "disk", f"{_gigabytes(free)} free", f"free {_gigabytes(DISK - free)} more")
    else:
        yield Finding("ok", "disk", f"{_gigabytes(free)} free")


def memory(available: int | None = None) -> Iterator[Finding]:
    """Memory that programs can still get."""
    available = _available_memory() if available is None else available
    if available < MEMORY:
        wanted = _gigabytes(MEMORY)
        yield Finding("missing", "memory", f"{_gigabytes(available)} available", f"end programs until {wanted} are")
    else:
        yield Finding("ok", "memory", f"{_gigabytes(available)} available")


def _available_memory() -> int:
    """Bytes, by the kernel or by the container's limit, whichever is less."""
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if (kernel := Path("/proc/meminfo")).exists():
        rows = dict(line.split(":") for line in kernel.read_text().splitlines())
        available = int(rows["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and (most := limit.read_text().strip()).isdecimal():
        available = min(available, int(most) - int(used.read_text()))
    return available


def cpu(cores: int | None = None) -> Iterator[Finding]:
    """Cores that this process may use."""
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        yield Finding("note", "CPU", "1 core; answers come late below 2", "avatar run --local")
    else:
        yield Finding("ok", "CPU", f"{cores} cores")


def ports(wanted: Sequence[int] = (8080, 8265)) -> Iterator[Finding]:
    """Whether the page's port and the Ray dashboard's are free."""
    mends = {8080: "avatar run --port 8081", 8265: "end the other Ray: ray stop; or: avatar run --local"}
    for port in wanted:
        if free_port(port) == port:
            yield Finding("ok", f"port {port}", "free")
        else:
            mend = mends.get(port, f"end the program that listens at {port}")
            yield Finding("note", f"port {port}", "in use", mend)


def door(wished: Settings) -> Iterator[Finding]:
    """Which keys there are, where `avatar run` listens, and whom it would let in."""
    from serve_app.gateway.auth import Door
    from serve_app.gateway.keys import KeyFile

    try:
        file = KeyFile(Path(wished.door.keys) if wished.door.keys else None)
        names = file.keys().by_name
    except UserError as error:
        yield Finding("missing", "door", str(error))
        return
    yield Finding("ok", "keys", f"{len(names)} in {file.path}" if names else f"none; they would be in {file.path}")
    yield Finding("ok", "listens at", f"{wished.gateway.host}:{wished.gateway.port}")
    try:
        Door.of(wished.door, wished.gateway.host)
    except UserError as error:
        yield Finding("missing", "door", *str(error).split("; make one first: "))
    else:
        free = f"open to this machine without a key, {wished.door.messages:g} messages a second"
        yield Finding("ok", "door", "asks for a key" if names else free)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


# ---- what is installed -------------------------------------------------------------------------------------


def requirements(rows: Iterable[str] | None = None) -> Iterator[Finding]:
    """Every package that the service needs, in a version that it accepts."""
    mend = "make setup" if installed.checkout() else f"pip install --upgrade {NAME}"
    state = installed.unmet(installed.required() if rows is None else rows)
    for told in (*(f"{name} is not installed" for name in state.absent), *state.others):
        yield Finding("missing", "package", told, mend)
    if not state:
        yield Finding("ok", "packages", f"all {state.right} that are needed")


def pins(file: Path | None = None) -> Iterator[Finding]:
    """Versions other than those that were tested together; only a checkout knows them."""
    if file is None:
        home = installed.checkout()
        if home is None:
            return
        file = home / "constraints.txt"
    others: list[str] = []
    for line in file.read_text().splitlines():
        name, _, version = line.partition("==")
        if line.startswith("#") or not version:
            continue
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # needed for development only; `requirements` names what is needed to run
        if found.partition("+")[0] != version.strip():  # a build for one device says so after the +
            others.append(f"{name} {found} (tested: {version.strip()})")
    if others:
        yield Finding("note", "versions", "; ".join(others), "make clean setup")
    else:
        yield Finding("ok", "versions", "as in constraints.txt")


def portraits() -> Iterator[Finding]:
    """Whether pictures can be made into avatars."""
    try:
        landmarks.worker()
    except landmarks.LandmarksMissing:
        yield Finding("note", "portraits", "one's own need a part that is not set up", landmarks.SETUP)
    else:
        yield Finding("ok", "portraits", "one's own can be taken in")


def shadows(owners: dict[str, list[str]] | None = None) -> Iterator[Finding]:
    """Whether another package brings a `streaming`, `actors` or `serve_app` of its own."""
    home = Path(__file__).resolve().parents[1]
    owners = (
        {name: list(owned) for name, owned in metadata.packages_distributions().items()} if owners is None else owners
    )
    clean = True
    for name in PACKAGES:
        for other in sorted(set(owners.get(name, [])) - {NAME}):
            clean = False
            yield Finding("missing", "shadow", f"{other} brings a package {name} too", f"pip uninstall {other}")
        spec = importlib.util.find_spec(name)
        where = Path(spec.origin).resolve().parents[1] if spec and spec.origin else None
        if where != home:
            clean = False
            yield Finding(
                "missing", "shadow", f"{name} is taken from {where}", "run it elsewhere, or: make clean setup"
            )
    if clean:
        yield Finding("ok", "shadows", f"none over {', '.join(PACKAGES)}")


def personas(settings: Settings) -> Iterator[Finding]:
    """The files of the personas."""
    from serve_app.persona import cast_of, checked

    try:
        wrong = [error for _, error in checked(settings) if error]
        there = [] if wrong else sorted(cast_of(settings).by_id)
    except UserError as error:
        wrong, there = [error], []
    for error in wrong:
        yield Finding("missing", "persona", str(error), "mend what it names")
    if not wrong:
        yield Finding("ok", "personas", ", ".join(there))


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python, disk, memory, cpu, requirements, pins, portraits, shadows, ports
)  # fmt: skip

OF_PROFILE: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    lacking.gpu, personas, door, lacking.language, room.engines, lacking.fitting, installed.extras, installed.cublas,
    room.models, lacking.built, room.planned,
)  # fmt: skip
"""Checks of what the profile and the environment set."""

OF_STAGES = (lacking.gpu, installed.extras, installed.cublas, room.models, lacking.built)
"""Of these what the stages need where they run; on a cluster that runs already, that need not be here."""
