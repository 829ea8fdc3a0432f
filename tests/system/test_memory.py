"""Ray's own memory monitor kills a replica that eats: the call ends as a lost replica's does, and the next is served.

In a process of its own, because Ray reads the monitor's threshold when it starts: 1 GiB above what this machine has in
use then. Others who take or free as much meanwhile would spoil it, so it is among the long ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.memory import MORE, MOST, in_use

pytestmark = [pytest.mark.ray, pytest.mark.system, pytest.mark.long, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]


def test_a_replica_that_eats_the_nodes_memory_is_killed_and_replaced() -> None:
    used, whole = in_use()
    if whole - used < 2 * MOST:
        pytest.skip("this machine has less than 4 GiB to spare; run it on a quieter one")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_SERVE_LOG_TO_STDERR": "0"}
    command = [sys.executable, "-m", "tests.system.memory"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["outcome"] == "StageLost: the replica of tts is gone", told
    assert told["eaten_mb"] * 2**20 <= MORE * 3 / 2, "killed soon after the threshold"
    assert told["voice_replaced"] and told["pieces"] == 1, told
    assert not told["face_replaced"], "the monitor takes the newest call's process or the largest, not a bystander"
