"""No producer outlives its listener: a thousand interruptions at random, and a caller that is killed, in both modes.

A cluster for each mode in a process of its own, because Ray reads the mode when it is imported. About 40 s each on two
quiet cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.system, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
COUNT = 1000


def leaks(mode: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": mode,
        "RAY_SERVE_LOG_TO_STDERR": "0",
    }
    command = [sys.executable, "-m", "tests.system.leaks", str(COUNT)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def runs(told: dict[str, Any]) -> dict[str, float]:
    return {name: one["running"] + one["load"] for name, one in told.items() if one["running"] or one["load"]}


def ended(one: dict[str, Any]) -> int:
    return sum(one.get(outcome, 0) for outcome in ("ended", "cancelled", "failed", "leased"))


@pytest.mark.parametrize("mode", ["throughput", "default"])
def test_after_a_thousand_interruptions_and_a_killed_caller_no_producer_runs(mode: str) -> None:
    told = leaks("1" if mode == "throughput" else "0")
    assert told["mode"] == mode
    if mode == "throughput":
        assert runs(told["after"]) == {}, "a cancellation reaches every producer"
    # By default Ray loses about one cancellation in a thousand, of calls that are just being given to a replica.
    assert runs(told["later"]) == {}, "what no cancellation reached is over with its lease"
    assert set(told["still"].values()) == {0}, "and no model works on"
    assert sum(one["opened"] for one in told["later"].values()) > COUNT / 2, "many were interrupted while they ran"
    assert runs(told["after_kill"]) == {}
    assert all(one["opened"] == ended(one) for one in told["after_kill"].values()), "every stream is accounted for"
