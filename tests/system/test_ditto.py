"""Ditto's networks, stage and graphs, in an environment of their own with torch: what `make test` has to skip."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
EXTRA = EXTRAS["ditto"]
TORCH = next(row for row in EXTRA if row.startswith("torch=="))
TESTS = ("tests/actors/face/ditto", "tests/actors/face/test_conformance.py")

COMPILES = sys.platform.startswith("linux") and platform.machine() == "x86_64"
LONG = ("tests/actors/face/ditto/test_full_size.py", "tests/actors/face/ditto/test_compiles.py")

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees this environment's packages, and besides the extras that the networks need."""
    home = tmp_path_factory.mktemp("ditto") / "env"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    told = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").stdout.strip()
    (Path(told) / "beside.pth").write_text(sysconfig.get_paths()["purelib"] + os.linesep)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", "constraints.txt")
    wheel = run(*pip, "--dry-run", "--no-deps", "--report", "-", TORCH)
    if wheel.returncode:
        pytest.skip(f"pip finds no {TORCH}: {wheel.stderr.strip().splitlines()[-1]}")
    url = json.loads(wheel.stdout)["install"][0]["download_info"]["url"]
    if sys.platform.startswith("linux") and "cpu" not in url.rpartition("/")[2]:
        pytest.skip("pip finds only a GPU build of torch (5 GB); set PIP_EXTRA_INDEX_URL to an index of CPU builds")
    done = run(*pip, *EXTRA, *(EXTRAS["tensorrt-rtx"] if COMPILES else []))
    assert done.returncode == 0, done.stderr
    return python


def test_the_networks_and_the_stage_do_as_published_numbers_say(python: Path) -> None:
    done = run(python, "-m", "pytest", "-q", "-rs", "--no-header", "-p", "no:cacheprovider", *TESTS)
    assert done.returncode == 0, (done.stdout or done.stderr)[-3000:]
    left = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all("AVATAR_GOLDEN_DIR" in line for line in left), left  # only what has nothing to be compared with


def test_graphs_of_the_published_sizes_give_what_torch_gives_and_compile_for_an_l4(python: Path) -> None:
    done = run(python, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "system", *LONG)
    assert done.returncode == 0, done.stdout[-3000:]
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("15 passed" if COMPILES else "7 passed"), done.stdout[-3000:]
