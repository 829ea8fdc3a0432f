"""What every test may rely on: threads kept few, and no conversation in the home of whoever tests."""

from __future__ import annotations

import os
import tempfile

import pytest

# Before any test module imports ray: else a late callback of Serve's starts a second cluster in the next test.
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "2")  # read once, when numpy or a model library is first imported

_data = tempfile.TemporaryDirectory(prefix="realtime-avatar-tests-")
os.environ["XDG_DATA_HOME"] = _data.name  # also for the programs that tests start


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=2, help="how often each part is killed (`make release`: 20)")
    parser.addoption("--faults", default="", help="file whose section of faults is written anew (`make release`)")
