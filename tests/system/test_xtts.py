"""XTTS's stage with small networks, in an environment of its own with torch and coqui-tts: what `make test` skips."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.extras import EXTRAS, beside, install, need_torch, passed, run

TESTS = ("tests/actors/tts/xtts", "tests/actors/tts/test_conformance.py")
ONE_CORE = {"OMP_NUM_THREADS": "1"}
"""Networks so small are no faster with two."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the extra ``xtts``."""
    python = beside(tmp_path_factory.mktemp("xtts"))
    need_torch(python, "xtts")
    install(python, "--no-compile", *EXTRAS["xtts"])  # most of it is never imported
    return python


def test_the_voice_speaks_alone_together_and_with_whatever_recording(python: Path) -> None:
    lines = passed(python, "-o", "timeout=300", *TESTS, **ONE_CORE)
    assert "skipped" not in lines[-1], lines


def test_the_benchmark_of_the_vocoder_runs(python: Path) -> None:
    done = run(python, "-m", "serve_app.bench", "vocoder", "--quick", **ONE_CORE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 1 s |" in done.stdout and "DOES NOT HOLD" not in done.stdout
