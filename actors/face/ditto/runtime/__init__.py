"""What runs Ditto's networks: four calls that every runtime answers, and the table that a runtime is chosen from.

A runtime knows no session, no reply and no avatar's folder. Each call takes a batch whose members may belong to
different sessions. Numbers go in and come out as numpy's; what is large stays on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from actors.face.ditto.motion.vector import Motion
from actors.face.ditto.spec import Array
from streaming.stages import StageError

RUNTIMES = {
    "torch": "actors.face.ditto.runtime.torch:load",
    "onnx": "actors.face.ditto.runtime.onnx:load",
    "tensorrt": "actors.face.ditto.runtime.tensorrt:load",
    "tensorrt-rtx": "actors.face.ditto.runtime.tensorrt:load_rtx",
}
"""By the name in the settings: a function of (models, device) in a module that imports its own libraries."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the networks keep of a portrait."""

    volume: Any
    """(1, 32, 16, side / 8, side / 8) on the device, kept there for as long as the avatar is."""
    motion: Motion
    """One frame: its own pose and expression."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window of motion that shall be sampled."""

    frame: Array
    """(265,) that it goes on from."""
    rows: Array
    """(80, 1103) conditions."""
    seed: int
    number: int
    """Of the window in its reply."""
    steps: int


@dataclass(frozen=True, slots=True)
class Pose:
    """One picture that shall be drawn."""

    looked: Looked
    source: Array
    """(1, 21, 3) keypoints of the portrait itself."""
    driving: Array
    """(1, 21, 3) where they shall be."""


class Runtime(Protocol):
    """Ditto's networks, ready. Calls come from one thread at a time; every batch holds at least one."""

    side: int
    """Pixels of a drawn picture's side."""

    def hear(self, chunks: Array) -> Array:
        """(n, 6480) samples at 16 kHz to (n, 20, 1024)."""
        ...

    def look(self, square: Array) -> Looked:
        """A portrait's face, RGB (side, side, 3) of bytes."""
        ...

    def move(self, windows: Sequence[Window]) -> Array:
        """(n, 80, 265); all windows have the same steps."""
        ...

    def draw(self, poses: Sequence[Pose]) -> Array:
        """(n, side, side, 3) BGR of bytes; poses may belong to different avatars."""
        ...


def open(name: str, models: Path, device: str = "auto") -> Runtime:
    """The runtime of this name with the networks of a conversion. Raises StageError that says what is missing."""
    if name not in RUNTIMES:
        raise StageError(f"there is no runtime {name!r} for Ditto; choose one of {', '.join(RUNTIMES)}")
    module, _, function = RUNTIMES[name].partition(":")
    try:
        load = getattr(import_module(module), function)
    except ImportError as error:
        if (error.name or "").startswith("actors"):
            raise  # ours, and no package that could be installed
        wanted = f"Ditto's runtime {name!r} needs {error.name or error}"
        raise StageError(f"{wanted}; install it: pip install 'realtime-avatar[ditto]'") from error
    return load(models, device)
