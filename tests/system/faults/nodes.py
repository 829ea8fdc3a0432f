"""A Ray cluster of several nodes on this machine: every node a process of its own, which can be killed like a machine.

The head has no CPUs, so that no replica of ours is on it: what dies with it is Ray's own. With a Redis the cluster
outlives its head. This file knows nothing of what is deployed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from actors.serving import ENVIRONMENT
from serve_app.ports import free_port

ROOT = Path(__file__).parents[3]
STORE_BYTES = 80 * 2**20
"""Ray's least; everything travels by gRPC."""
START_S = 90.0
SOONER = {
    # Ray notices after about 15 s that a node is gone; docs/runbook.md recommends these to everybody.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
}
"""How soon the head notices that a node is gone."""


def family(pid: int) -> list[int]:
    """A process and all that it started, and those started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has just ended
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pids: list[int]) -> None:
    """As a power cut would: nobody is told, and nobody can prepare."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_until(true: Callable[[], bool], limit_s: float, what: str) -> float:
    """Seconds until it was true. Raises AssertionError naming ``what`` was waited for."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < limit_s, f"{what}: not within {limit_s:.0f} s"
        time.sleep(0.05)
    return time.monotonic() - begun


@dataclass
class Nodes:
    """Make it with ``Nodes(folder)``, start a head and workers, and stop it in the end whatever happened."""

    folder: Path
    """For logs, and what the replicas write down. Short: names of sockets are limited."""
    redis: str = ""
    """``HOST:PORT`` of the Redis in which the head keeps what it knows; empty: it keeps nothing."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = field(default_factory=free_port)
    head: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def address(self) -> str:
        """Of the head."""
        return f"127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Of every process of the cluster, and of whoever deploys on it."""
        kept = {"RAY_REDIS_ADDRESS": self.redis, "RAY_external_storage_namespace": "faults"} if self.redis else {}
        paths = {"PYTHONPATH": str(ROOT), "AVATAR_DOOR__KEYS": os.devnull}
        few = {"OMP_NUM_THREADS": "1", "RAY_DEDUP_LOGS": "0"}
        return {**os.environ, **ENVIRONMENT, **SOONER, **paths, **few, **kept, **self.env}

    def start_head(self) -> None:
        """Start it, or start it anew where it was; waits until it answers."""
        self.head = self._start("--head", f"--port={self.port}", "--num-cpus=0", "--include-dashboard=false")
        wait_until(lambda: answers(self.port), START_S, "the head of the cluster")

    def add_worker(self, cpus: int = 2) -> subprocess.Popen[bytes]:
        """One more node; it joins by itself."""
        worker = self._start(f"--address={self.address}", f"--num-cpus={cpus}")
        self.workers.append(worker)
        return worker

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        ray = Path(sys.executable).with_name("ray")
        common = ["--block", "--node-ip-address=127.0.0.1", f"--object-store-memory={STORE_BYTES}"]
        common += ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
        common += ["--include-log-monitor=false", *([f"--temp-dir={self.folder}/ray"] if "--head" in arguments else [])]
        with (self.folder / "nodes.log").open("ab") as out:
            return subprocess.Popen(
                [str(ray), "start", *arguments, *common], env=self.environment(), stdout=out, stderr=out, cwd=ROOT
            )

    def kill_head(self) -> None:
        """The machine of the head is gone."""
        assert self.head
        _kill_node(self.head)
        # Ray would take the workers, which name the head's address, for a head that runs on this machine.
        (self.folder / "ray" / "ray_current_cluster").unlink(missing_ok=True)

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """A machine is gone."""
        self.workers.remove(worker)
        _kill_node(worker)

    def processes(self, title: str) -> list[int]:
        """Ids of the cluster's processes whose title begins so."""
        found: list[int] = []
        for node in [*([self.head] if self.head else []), *self.workers]:
            for pid in family(node.pid):
                try:
                    shown = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if shown.startswith(title):
                    found.append(pid)
        return found

    def runs(self, node: subprocess.Popen[bytes], program: str) -> bool:
        """Whether a program of that name runs on a node."""
        return any(_program(pid) == program for pid in family(node.pid))

    def stop(self) -> None:
        """End all of it."""
        for node in [*self.workers, *([self.head] if self.head else [])]:
            _kill_node(node)
        self.workers.clear()
        shutil.rmtree(self.folder / "ray", ignore_errors=True)


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def _kill_node(node: subprocess.Popen[bytes]) -> None:
    everybody = family(node.pid)
    kill(everybody)
    node.wait()
    kill([pid for pid in everybody if alive(pid)])


def answers(port: int) -> bool:
    """Whether somebody listens on that port of this machine."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def short_folder() -> Path:
    """A new folder with a short name."""
    return Path(tempfile.mkdtemp(prefix="avf-", dir="/tmp" if os.path.isdir("/tmp") else None))
