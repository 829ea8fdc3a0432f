"""`python -m cluster.locks`: resolve what each image installs, and write its lock and the sizes of its wheels.

pip resolves for the Python that runs this, which must be 3.11 on x86-64 Linux as in the images, with constraints.txt.
A wheel's unpacked size is read out of its directory, the last bytes of the file; the wheel itself is not fetched. This
needs the package index, so no check runs it: `python -m cluster.check` holds locks, sizes and pyproject.toml together.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from packaging.utils import canonicalize_name

from serve_app.images import IMAGES, Image, folder

ROOT = Path(__file__).resolve().parents[1]
INDEX = "https://pypi.org/simple"
"""Named outright, for a machine's own pip may prefer builds of torch for CPUs."""
CONNECTING = ("PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_PROXY")
"""All that pip is told from outside: how to reach the index, not what to find there."""
TAIL = 4 * 2**20
"""Bytes of a wheel's end that are read; that of torch fits."""
SDIST = 5
"""An archive of sources unpacks to about so many times its size; docopt alone is one, of 26 kB."""


def wanted(image: Image) -> list[str]:
    """Requirements of an image, the base first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [row for name in image.extras for row in project["optional-dependencies"][name]]
    return [*project["dependencies"], *extras, *image.more]


def resolved(image: Image) -> list[dict[str, Any]]:
    """What pip would install, from its report. Raises CalledProcessError with pip's own words on the screen."""
    with TemporaryDirectory() as scratch:
        rows, pins, report = (Path(scratch, name) for name in ("rows.txt", "pins.txt", "report.json"))
        rows.write_text("\n".join(wanted(image)))
        pins.write_text((ROOT / "constraints.txt").read_text("utf-8"))
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--index-url", INDEX, "--report", str(report), "-c", str(pins), "-r", str(rows)]
        ours = {k: v for k, v in os.environ.items() if not k.startswith("PIP_") or k in CONNECTING}
        subprocess.run(command, check=True, env={**ours, "PIP_CONFIG_FILE": os.devnull})
        installed = json.loads(report.read_text("utf-8"))["install"]
        return [one for one in installed if canonicalize_name(one["metadata"]["name"]) not in image.without]


def lock(name: str, installed: list[dict[str, Any]]) -> str:
    """A lock as pip reads it with --require-hashes."""
    lines = [f"# What the image {name} installs, for Python 3.11 on x86-64. Made by `python -m cluster.locks`."]
    for package, version, about in sorted(_named(installed)):
        lines.append(f"{package}=={version} \\\n    --hash=sha256:{about['archive_info']['hashes']['sha256']}")
    return "\n".join(lines) + "\n"


def _named(installed: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (canonicalize_name(one["metadata"]["name"]), one["metadata"]["version"], one["download_info"])
        for one in installed
    ]


def sizes(url: str) -> dict[str, int]:
    """``packed`` and ``unpacked`` bytes of a wheel, by its last bytes. Raises OSError or BadZipFile."""
    with urlopen(Request(url, headers={"Range": f"bytes=-{TAIL}"}), timeout=60) as answer:
        tail = answer.read()
        packed = int((answer.headers.get("Content-Range") or f"/{len(tail)}").rpartition("/")[2])
    if not url.endswith(".whl"):
        return {"packed": packed, "unpacked": SDIST * packed}
    rows = zipfile.ZipFile(io.BytesIO(tail)).infolist()
    return {"packed": packed, "unpacked": sum(row.file_size for row in rows)}


def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(prog="python -m cluster.locks", description=__doc__).parse_args(arguments)
    where = folder()
    book = where / "wheels.json"
    known: dict[str, dict[str, int]] = json.loads(book.read_text("utf-8"))["wheels"] if book.exists() else {}
    needed: dict[str, dict[str, int]] = {}
    for name, image in IMAGES.items():
        installed = resolved(image)
        (where / "locks" / f"{name}.txt").write_text(lock(name, installed), "utf-8")
        for package, version, about in _named(installed):
            key = f"{package}=={version}"
            needed[key] = needed.get(key) or known.get(key) or sizes(about["url"])
        print(f"{name}: {len(installed)} packages")
    rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(needed[key])}" for key in sorted(needed))
    book.write_text(f'{{"looked": "{date.today()}", "wheels": {{\n{rows}\n}}}}\n', "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
