"""Runs boxes: each in namespaces of its own (network, processes, mounts, host name), all of them in those of one run.

Addresses are 10.77.0.N on a bridge. Nothing of it is seen from the machine, and all of it ends with the run. This file
knows no compose and no Kubernetes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.layout.box import Box

NETWORK = "10.77.0"
UNSHARE = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
"""What a box has of its own besides network and mounts, which `ip netns exec` gives it."""
NOBODY = "nameserver 127.0.0.1\n"
"""No server answers for names that are not among the boxes', and that at once."""
HEALTHY_S = 600.0
"""Longest wait for a box: Ray starts on a busy machine."""
STARTS = 5
"""How often a box is started: Ray gives up after 30 s on a machine that is too busy."""
CHECK_S = 30.0
HURRY_S = 5.0
"""Longest grace in the end, when nobody is there any more."""
POLL_S = 0.3
TAIL = 2_500
"""Characters of a box's last words in an error."""


class Failed(RuntimeError):
    """A box did not do what it should; the message has its last words."""


class Ended(Failed):
    """A box ended that should go on."""


@dataclass
class Running:
    """A box that runs."""

    box: Box
    launcher: subprocess.Popen[bytes]
    """What made its namespaces; it ends with the box."""
    pid: int = 0
    """Of the box's first process."""


@dataclass
class Boxes:
    """Make it inside of the run's namespaces, on a folder in memory; ``stop`` in the end, whatever happened."""

    folder: Path
    logs: Path
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    addresses: dict[str, str] = field(default_factory=dict[str, str])
    """Name -> where it is. A box that is started anew keeps its own."""

    def network(self, boxes: Sequence[Box]) -> None:
        """The bridge, and everybody's names."""
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "inside", "type", "bridge")
        _ip("addr", "add", f"{NETWORK}.1/24", "dev", "inside")
        _ip("link", "set", "inside", "up")
        lines = ["127.0.0.1 localhost"]
        for number, box in enumerate(boxes, 2):
            self.addresses[box.name] = f"{NETWORK}.{number}"
            lines.append(" ".join([f"{NETWORK}.{number}", box.name, *box.aliases]))
        hosts = self.folder / "hosts"
        hosts.write_text("\n".join(lines) + "\n", "utf-8")
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)

    # ---- one box -------------------------------------------------------------------------------------------

    def start(self, box: Box) -> float:
        """Start it, and wait until it is healthy, or has done its job: seconds. Raises Failed.

        One that ends before it is healthy is started again, as the files say of all but jobs.
        """
        begun = time.monotonic()
        for left in reversed(range(1 if box.job else STARTS)):
            self._launch(box)
            try:
                self._wait_for(box.name)
                break
            except Ended:
                if not left:
                    raise
        return time.monotonic() - begun

    def _launch(self, box: Box) -> None:
        folder = self.folder / "boxes" / f"{box.name}-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        self._plug_in(box)
        mounts = [(one.at, self._source(one.volume, one.folder), one.size) for one in box.mounts]
        spec = {"name": box.name, "layer": str(folder), "mounts": mounts, "command": box.command}
        names = {"/etc/hosts": (self.folder / "hosts").read_text("utf-8"), "/etc/resolv.conf": NOBODY}
        spec |= {"files": {**box.files, **names}}
        file = folder / "spec.json"
        file.write_text(json.dumps({**spec, "environment": dict(box.environment)}), "utf-8")
        command = [
            "ip",
            "netns",
            "exec",
            box.name,
            *UNSHARE,
            sys.executable,
            Path(__file__).with_name("inside.py"),
            file,
        ]
        with self.log(box.name).open("ab") as words:
            launcher = subprocess.Popen(command, stdout=words, stderr=words, stdin=subprocess.DEVNULL)
        self.running[box.name] = Running(box, launcher)

    def _wait_for(self, name: str) -> None:
        running = self.running[name]
        if running.box.job:
            self._done(running)
        else:
            self.until(lambda: self._healthy(running), HEALTHY_S, f"{name} did not become healthy", name)

    def _source(self, volume: str, folder: str) -> str:
        if volume:
            (self.folder / "volumes" / volume).mkdir(parents=True, exist_ok=True)
            return str(self.folder / "volumes" / volume)
        return folder

    def _plug_in(self, box: Box) -> None:
        known = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
        if box.name in known:
            return
        number = self.addresses[box.name].rpartition(".")[2]
        _ip("netns", "add", box.name)
        _ip("link", "add", f"box{number}", "type", "veth", "peer", "name", "eth0", "netns", box.name)
        _ip("link", "set", f"box{number}", "master", "inside", "up")
        _ip("-n", box.name, "addr", "add", f"{self.addresses[box.name]}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", box.name, "link", "set", device, "up")
        if box.outside:
            _ip("-n", box.name, "route", "add", "default", "via", f"{NETWORK}.1")

    def _alive(self, running: Running) -> bool:
        if running.launcher.poll() is not None:
            raise Ended(f"{running.box.name} ended with {running.launcher.returncode}:\n{self.words(running.box.name)}")
        pid = running.launcher.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        running.pid = int(children[0]) if children else 0
        return bool(children)

    def _healthy(self, running: Running) -> bool:
        if not self._alive(running):
            return False
        return not running.box.healthy or self.run(running.box.name, running.box.healthy, CHECK_S).returncode == 0

    def _done(self, running: Running) -> None:
        try:
            code = running.launcher.wait(HEALTHY_S)
        except subprocess.TimeoutExpired:
            self.stop(running.box.name)
            code = -1
        del self.running[running.box.name]
        if code:
            raise Failed(f"{running.box.name} ended with {code}:\n{self.words(running.box.name)}")

    def run(self, name: str, command: Sequence[str], limit_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """A command in a box that runs, as `docker exec` does it; its end is not judged. 124: it took too long."""
        running = self.running[name]
        enter = ["nsenter", "--target", str(running.pid), "--net", "--uts", "--mount", "--pid", "--root", "--wd=/"]
        environment = [f"{key}={value}" for key, value in running.box.environment.items()]
        whole = [*enter, "env", "-i", *environment, *command]
        try:
            return subprocess.run(whole, capture_output=True, text=True, timeout=limit_s)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(whole, 124, "", f"not within {limit_s:g} s")

    def stop(self, name: str) -> float:
        """What it does before it goes, SIGTERM to its first process, SIGKILL after its grace: seconds that it took."""
        running, begun = self.running[name], time.monotonic()
        if running.box.leave and running.launcher.poll() is None:
            self.run(name, running.box.leave)
        del self.running[name]
        if running.launcher.poll() is None:
            for number, limit_s in ((signal.SIGTERM, running.box.grace_s), (signal.SIGKILL, 10.0)):
                _send(running.pid or running.launcher.pid, number)
                try:
                    running.launcher.wait(limit_s)
                    break
                except subprocess.TimeoutExpired:
                    continue
        return time.monotonic() - begun

    def stop_all(self) -> None:
        """The newest first."""
        for name in [*reversed(self.running)]:
            box = self.running[name].box
            self.running[name].box = replace(box, grace_s=min(box.grace_s, HURRY_S), leave=())
            self.stop(name)

    # ---- waiting -------------------------------------------------------------------------------------------

    def until(self, true: Callable[[], bool], limit_s: float, what: str, name: str = "") -> float:
        """Seconds until it was true. Raises Failed, which says ``what`` with the last words of a box."""
        begun = time.monotonic()
        while not true():
            if time.monotonic() - begun > limit_s:
                raise Failed(f"{what} within {limit_s:.0f} s" + (f":\n{self.words(name)}" if name else ""))
            time.sleep(POLL_S)
        return time.monotonic() - begun

    def log(self, name: str) -> Path:
        """Where its words go."""
        return self.logs / f"{name}.log"

    def words(self, name: str) -> str:
        """Its last ones."""
        return self.log(name).read_text("utf-8", errors="replace")[-TAIL:]


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
