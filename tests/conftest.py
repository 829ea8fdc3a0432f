"""What every test may rely on: threads kept few, so that a test run leaves a small machine usable."""

from __future__ import annotations

import os

import pytest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "2")  # read once, when numpy or a model library is first imported


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=1, help="how often each replica is killed (`make release`: 20)")
