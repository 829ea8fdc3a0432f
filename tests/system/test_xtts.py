"""XTTS's stage with small networks, in an environment of its own with torch and coqui-tts: what `make test` skips."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRA = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["xtts"]
TORCH = next(row for row in EXTRA if row.startswith("torch=="))
TESTS = ("tests/actors/tts/xtts", "tests/actors/tts/test_conformance.py")

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # networks so small are no faster with two
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees this environment's packages, and the extra ``xtts`` besides."""
    home = tmp_path_factory.mktemp("xtts") / "env"
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
    done = run(*pip, "--no-compile", *EXTRA)  # most of it is never imported
    assert done.returncode == 0, done.stderr
    return python


def test_the_voice_speaks_alone_together_and_with_whatever_recording(python: Path) -> None:
    done = run(python, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-o", "timeout=300", *TESTS)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in last, done.stdout[-3000:]


def test_the_benchmark_of_the_vocoder_runs(python: Path) -> None:
    done = run(python, "-m", "serve_app.bench", "vocoder", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 1 s |" in done.stdout and "DOES NOT HOLD" not in done.stdout
