"""Ditto's networks, stage and graphs, in an environment of their own with torch: what `make test` has to skip."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from tests.system.extras import EXTRAS, beside, install, need_torch, passed

TESTS = ("tests/actors/face/ditto", "tests/actors/face/test_conformance.py")

COMPILES = sys.platform.startswith("linux") and platform.machine() == "x86_64"
LONG = ("tests/actors/face/ditto/test_full_size.py", "tests/actors/face/ditto/test_compiles.py")

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the extras that the networks need."""
    python = beside(tmp_path_factory.mktemp("ditto"))
    need_torch(python, "ditto")
    install(python, *EXTRAS["ditto"], *(EXTRAS["tensorrt-rtx"] if COMPILES else []))
    return python


def test_the_networks_and_the_stage_do_as_published_numbers_say(python: Path) -> None:
    left = [line for line in passed(python, *TESTS) if line.startswith("SKIPPED")]
    assert all("AVATAR_GOLDEN_DIR" in line for line in left), left  # only what has nothing to be compared with


def test_graphs_of_the_published_sizes_give_what_torch_gives_and_compile_for_an_l4(python: Path) -> None:
    lines = passed(python, "-m", "system", *LONG)
    assert lines[-1].startswith("15 passed" if COMPILES else "7 passed"), lines
