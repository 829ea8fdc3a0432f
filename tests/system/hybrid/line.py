"""A line between this machine's network and another network namespace: late by a set time, and cut when it is told to.

Each end is a TUN device, and a process between the two carries every IP packet after the delay, in order: what a long
cable does to TCP, UDP and Ray alike, without the kernel's netem, which many kernels lack. Needs root and iproute2.
This file knows nothing of what is sent.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TUN = Path("/dev/net/tun")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1420
"""Bytes of a packet: what WireGuard leaves of an Ethernet's."""
WAITING = 4096
"""Packets under way in one direction; what comes on top is lost, as in a router."""


class NoLine(Exception):
    """There can be no such line on this machine; the message says why."""


@dataclass
class Line:
    """Make it with ``line``."""

    space: str
    """Name of the network namespace at its far end."""
    here: str
    there: str
    """Addresses of its ends."""
    carrier: subprocess.Popen[str]

    def inside(self, *command: str) -> list[str]:
        """A command as it is run at the far end."""
        return ["ip", "netns", "exec", self.space, *command]

    def delay(self, there_and_back_s: float) -> None:
        """Seconds that a packet and its answer take together, from now on."""
        self._tell(f"late {there_and_back_s / 2}")

    def down(self) -> None:
        """Nothing passes, and nobody is told."""
        self._tell("down")

    def up(self) -> None:
        """Whatever is sent passes again."""
        self._tell("up")

    def hang_up(self, port: int) -> None:
        """Reset every connection between the two ends to this port at the far one, as a router that lost its mind."""
        _run("ss", "--kill", "--tcp", "dst", self.there, "dport", "=", str(port))
        _run(*self.inside("ss", "--kill", "--tcp", "dst", self.here, "sport", "=", str(port)))

    def _tell(self, order: str) -> None:
        assert self.carrier.stdin and self.carrier.stdout
        print(order, file=self.carrier.stdin, flush=True)
        assert self.carrier.stdout.readline().strip() == order, "the line does not answer"


@contextmanager
def line(there_and_back_s: float) -> Iterator[Line]:
    """A line for as long as the block lasts. Raises NoLine."""
    if sys.platform != "linux" or os.geteuid() != 0 or not TUN.exists():
        raise NoLine("a line between two network namespaces needs Linux, root and /dev/net/tun")
    if not (shutil.which("ip") and shutil.which("ss")):
        raise NoLine("a line between two network namespaces needs iproute2 (Debian: apt-get install iproute2)")
    number = os.getpid() % 250
    space, here, there = f"avatar-far-{number}", f"198.18.{number}.1", f"198.18.{number}.2"
    with ExitStack() as stack:
        _run("ip", "netns", "add", space)
        stack.callback(_run, "ip", "netns", "del", space)
        near, far = (stack.enter_context(_tun(f"{end}{number}")) for end in ("avnear", "avfar"))
        _run("ip", "link", "set", f"avfar{number}", "netns", space)
        for at, device, own, other in (([], "avnear", here, there), (["-n", space], "avfar", there, here)):
            _run("ip", *at, "addr", "add", own, "peer", other, "dev", f"{device}{number}")
            _run("ip", *at, "link", "set", f"{device}{number}", "mtu", str(MTU), "up")
        _run("ip", "-n", space, "link", "set", "lo", "up")
        carrier = stack.enter_context(_carrier(near, far))
        made = Line(space, here, there, carrier)
        made.delay(there_and_back_s)
        yield made


@contextmanager
def _carrier(near: BinaryIO, far: BinaryIO) -> Iterator[subprocess.Popen[str]]:
    fds = (near.fileno(), far.fileno())
    command = [sys.executable, "-S", __file__, *map(str, fds)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, pass_fds=fds, **pipes) as process:  # it ends when its standard input does
        yield process


@contextmanager
def _tun(name: str) -> Iterator[BinaryIO]:
    """A device whose packets are read from and written to a file."""
    with TUN.open("r+b", buffering=0) as device:
        try:
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        except OSError as error:
            raise NoLine(f"a TUN device cannot be made here: {error.strerror}") from None
        os.set_blocking(device.fileno(), False)
        yield device  # type: ignore[misc]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoLine(f"`{' '.join(command)}` is refused here: {done.stderr.strip() or done.returncode}")


# ---- the process in between --------------------------------------------------------------------------------


def carry(ends: Sequence[int]) -> None:
    """Carry packets between two descriptors until standard input ends; its lines are orders."""
    late, is_up = 0.0, True
    under_way: dict[int, deque[tuple[float, bytes]]] = {end: deque() for end in ends}
    opposite = dict(zip(ends, reversed(ends), strict=True))
    while True:
        due = min((waiting[0][0] for waiting in under_way.values() if waiting), default=time.monotonic() + 60)
        ready, _, _ = select.select([0, *ends], [], [], max(due - time.monotonic(), 0))
        now = time.monotonic()
        for end in ready:
            if end == 0:
                order = sys.stdin.readline().split()
                if not order:
                    return
                if order[0] == "late":
                    late = float(order[1])
                else:
                    is_up = order[0] == "up"
                print(*order, flush=True)
            else:
                for packet in _packets(end):
                    waiting = under_way[opposite[end]]
                    if is_up and len(waiting) < WAITING:
                        waiting.append((now + late, packet))
        for end, waiting in under_way.items():
            while waiting and waiting[0][0] <= time.monotonic():
                _give(end, waiting.popleft()[1])


def _packets(end: int) -> Iterator[bytes]:
    try:
        while packet := os.read(end, 65_536):
            yield packet
    except BlockingIOError:
        return


def _give(end: int, packet: bytes) -> None:
    try:
        os.write(end, packet)
    except OSError:  # the device is full or already taken away: lost, as on any line
        return


if __name__ == "__main__":
    carry([int(word) for word in sys.argv[1:]])
