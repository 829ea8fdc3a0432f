"""Environments of their own for the extras that `make test` goes without, and the models that those need.

An environment sees the packages of the one that runs the tests, and has what is installed into it besides.
"""

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

from actors.models import MODELS
from actors.models.places import home, stored

ROOT = Path(__file__).resolve().parents[2]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

PIP = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", "constraints.txt")


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command says, run in the checkout with these variables besides; it hears nothing of what other tests of
    this process have told Ray.
    """
    told = {**{name: value for name, value in os.environ.items() if not name.startswith("RAY_")}, **environment}
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, env=told)


def beside(folder: Path) -> Path:
    """The interpreter of a new environment in ``folder``."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    told = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").stdout.strip()
    (Path(told) / "beside.pth").write_text(sysconfig.get_paths()["purelib"] + os.linesep)
    return python


def install(python: Path, *wanted: str, or_skip: bool = False) -> None:
    """Let pip install it; ``or_skip``: where it cannot, the tests are skipped, else they fail."""
    done = run(python, *PIP, *wanted)
    if done.returncode and or_skip:
        pytest.skip(f"pip cannot install {' '.join(wanted)}: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def need_torch(python: Path, extra: str) -> None:
    """Skip the tests where pip does not find the torch of an extra, or only with 5 GB of libraries for GPUs."""
    torch = next(row for row in EXTRAS[extra] if row.startswith("torch=="))
    wheel = run(python, *PIP, "--dry-run", "--no-deps", "--report", "-", torch)
    if wheel.returncode:
        pytest.skip(f"pip finds no {torch}: {wheel.stderr.strip().splitlines()[-1]}")
    url = json.loads(wheel.stdout)["install"][0]["download_info"]["url"]
    if sys.platform.startswith("linux") and "cpu" not in url.rpartition("/")[2]:
        pytest.skip("pip finds only a GPU build of torch (5 GB); set PIP_EXTRA_INDEX_URL to an index of CPU builds")


def passed(python: Path, *arguments: str, **environment: str) -> list[str]:
    """The lines of a pytest in that environment, none of whose tests may fail; the last one counts them."""
    pytest_ = (python, "-m", "pytest", "-q", "-rs", "--no-header", "-p", "no:cacheprovider")
    done = run(*pytest_, *arguments, **environment)
    assert done.returncode == 0, (done.stdout or done.stderr)[-3000:]
    return done.stdout.strip().splitlines()


def pulled(folder: Path, *names: str) -> Path:
    """The folder of these models: the user's if they are there, else ``folder``, which they are pulled into."""
    if all(stored(file).is_file() for name in names for file in MODELS[name].files):
        return home()
    done = run(sys.executable, "-m", "serve_app.cli", "models", "pull", *names, AVATAR_MODELS=str(folder))
    if done.returncode:
        pytest.skip(f"the weights cannot be had here: {done.stderr.strip().splitlines()[-1]}")
    return folder
