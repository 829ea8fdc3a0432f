"""The processes of compose.yaml and of the RayService on this machine: somebody speaks while gateways are upgraded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.layout.needs import missing

pytestmark = [pytest.mark.system, pytest.mark.ray, pytest.mark.long, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("layout", ["compose", "rayservice"])
def test_a_spoken_conversation_outlives_the_upgrade_of_its_gateway(layout: str, tmp_path: Path) -> None:
    if why := missing(layout):
        pytest.skip(why)
    command = [sys.executable, "-m", "cluster.layout", layout, "--logs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout)  # shown if it fails
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "nothing missing or twice" in done.stdout
    assert "upgrade of the gateways' release" in done.stdout and "upgrade of one gateway's node" in done.stdout
