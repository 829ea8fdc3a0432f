"""A runtime over graphs: the four calls as runs of graphs on some machine, with everything large left where it is.

It knows the order of graphs and what goes between them; a machine knows how one is run. Machines: `onnx`, `tensorrt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np

from actors.face.ditto.motion import sampler
from actors.face.ditto.motion.vector import KEYS, Motion
from actors.face.ditto.runtime import Looked, Pose, Window
from actors.face.ditto.spec import ENCODED, MOTION, WINDOW, Array

_T = TypeVar("_T")

MOST_WINDOWS = 4
MOST_POSES = 8


class Machine(Protocol):
    """Runs graphs by name. What it gives lies on the device and is good until the same graph has run twice more."""

    def up(self, slot: str, array: Array) -> Any:
        """An array on the device; good until the next one goes to the same slot."""
        ...

    def down(self, value: Any) -> Array:
        """An array of the host's own."""
        ...

    def keep(self, value: Any) -> Any:
        """The same on the device, good for as long as it is held."""
        ...

    def stack(self, slot: str, values: Sequence[Any]) -> Any:
        """Values one after the other along the first axis; good until the next ones go to the same slot."""
        ...

    def run(self, graph: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name of a graph whose inputs are arrays or values on the device."""
        ...


class GraphRuntime:
    """`actors.face.ditto.runtime.Runtime` on a machine that has the graphs of `actors.face.ditto.export`."""

    def __init__(self, machine: Machine, *, side: int = 512) -> None:
        self.side = side
        self._machine = machine

    def hear(self, chunks: Array) -> Array:
        """(n, 6480) samples at 16 kHz to (n, 20, 1024); one after the other, for the published graph is of one."""
        machine = self._machine
        heard = [
            machine.down(machine.run("hubert", {"input_values": chunk[None]})["encoding_out"])
            for chunk in np.asarray(chunks, np.float32)
        ]
        return np.stack(heard).reshape(len(heard), ENCODED, -1)

    def look(self, square: Array) -> Looked:
        """A portrait's face, RGB (side, side, 3) of bytes."""
        machine = self._machine
        half = cv2.resize(square, (self.side // 2, self.side // 2), interpolation=cv2.INTER_AREA)
        image = np.ascontiguousarray(np.asarray(half, np.float32).transpose(2, 0, 1)[None] / 255)
        found = {name: machine.down(value) for name, value in machine.run("motion", {"image": image}).items()}
        motion = Motion(**{key: found[key] for key in KEYS}, kp=found["kp"])
        return Looked(machine.keep(machine.run("appearance", {"image": image})["pred"]), motion)

    def move(self, windows: Sequence[Window]) -> Array:
        """(n, 80, 265); all windows have the same steps. Raises ValueError if they have not."""
        (steps,) = {window.steps for window in windows}
        return np.concatenate([self._moved(part, steps) for part in _parts(windows, MOST_WINDOWS)])

    def draw(self, poses: Sequence[Pose]) -> Array:
        """(n, side, side, 3) BGR of bytes; poses may belong to different avatars."""
        return np.concatenate([self._drawn(part) for part in _parts(poses, MOST_POSES)])

    def _moved(self, windows: Sequence[Window], steps: int) -> Array:
        machine = self._machine
        times, weights = _step_weights(steps)
        begun = machine.run(
            "lmdm_begin",
            {
                "cond_frame": _stacked([window.frame for window in windows]),
                "cond": _stacked([window.rows for window in windows]),
                "times": times,
            },
        )
        noise = np.stack([_step_noise(window.seed, steps) for window in windows], axis=1)
        held = {**begun, "noise": machine.up("noise", noise), "weights": machine.up("weights", weights)}
        x: Any = _stacked([sampler.first_noise(w.seed, w.number, (WINDOW, MOTION)) for w in windows])
        for step in range(steps):
            at = machine.up(f"step {step}", np.array([step], np.int64))
            x = machine.run("lmdm_step", {"x": x, "step": at, **held})["next"]
        return machine.down(x)

    def _drawn(self, poses: Sequence[Pose]) -> Array:
        machine = self._machine
        source = machine.up("source", np.concatenate([pose.source for pose in poses]).astype(np.float32))
        driving = np.concatenate([pose.driving for pose in poses]).astype(np.float32)
        stitched = machine.run("stitch", {"kp_source": source, "kp_driving": driving})["out"]
        volume = machine.stack("volume", [pose.looked.volume for pose in poses])
        warped = machine.run("warp", {"feature_3d": volume, "kp_source": source, "kp_driving": stitched})["out"]
        return machine.down(machine.run("decoder", {"feature": warped})["picture"])


def _parts(members: Sequence[_T], most: int) -> Iterator[Sequence[_T]]:
    return (members[at : at + most] for at in range(0, len(members), most))


def _stacked(arrays: Sequence[Array]) -> Array:
    return np.stack(arrays).astype(np.float32)


@lru_cache(16)
def _step_weights(steps: int) -> tuple[Array, Array]:
    """Times (steps,) and weights (steps, 5) of `actors.face.ditto.export.diffusion.Step`."""
    plan = sampler.schedule(steps)
    weights = np.zeros((steps, 5), np.float32)
    weights[:, 0], weights[:, 1] = plan.recip, 1 / plan.recip_minus
    weights[:-1, 2], weights[:-1, 3], weights[:-1, 4] = plan.keep, plan.eps, plan.sigma
    weights[-1, 2] = 1
    return np.array(plan.times, np.int64), weights


@lru_cache(64)
def _step_noise(seed: int, steps: int) -> Array:
    """(steps, 80, 265): none in the last step."""
    drawn = sampler.step_noise(seed, steps, (WINDOW, MOTION))
    return np.concatenate([drawn, np.zeros((1, WINDOW, MOTION), np.float32)])
