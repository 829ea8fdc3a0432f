"""Ditto's networks in torch on one device, each call one batch.

Windows and pictures of a batch do not touch each other, but a product of another size rounds otherwise: on a GPU the
last bits may depend on how many were run together. A CPU gains nothing by batches, so it does one after the other, and
what is beside a picture changes no bit of it. What is different on a GPU (half precision for the renderer, maps with
channels last, recorded graphs, pinned memory) is written here and was measured nowhere yet.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportFunctionMemberAccess=false
# pyright takes `torch` for this file where torch is not installed.
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from actors.face.ditto.motion import sampler
from actors.face.ditto.motion.vector import KEYS, Motion
from actors.face.ditto.nets import fused
from actors.face.ditto.nets.fused import Rewrites
from actors.face.ditto.nets.hoisted import Hoisted, packs
from actors.face.ditto.nets.hubert import Hubert
from actors.face.ditto.nets.load import NETWORKS
from actors.face.ditto.nets.load import load as load_network
from actors.face.ditto.runtime import Looked, Pose, Window, graphs
from actors.face.ditto.spec import CONDITION, MOTION, WINDOW, Array

log = logging.getLogger(__name__)

Hear = Callable[[Array], Array]
"""(n, 6480) samples at 16 kHz to (n, 20, 1024)."""
LARGEST = 8
"""Pictures or windows in one run on a GPU; more are run in turns."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the networks run on a device."""

    device: str
    precision: Any
    """Of the warp and the decoder. All else, and places in the warp, are in single precision."""
    channels_last: bool = False
    graphs: bool = False
    largest: int = LARGEST
    """Pictures or windows in one run."""
    rewrites: Rewrites = field(default_factory=Rewrites)


def way(device: str) -> Way:
    """The usual way on ``cpu``, ``cuda``, ``cuda:1``, ``mps``. Says what was chosen, and because of what."""
    if device.startswith("cuda"):
        chosen, why = Way(device, torch.float16, channels_last=True, graphs=True), "made for tensor cores, not measured"
    elif device == "mps":
        chosen, why = Way(device, torch.float32), "half precision and recording were not tried there"
    else:
        chosen, why = (
            Way(device, torch.float32, largest=1),
            "no fast half precision, no use of batches",
        )
    log.info("ditto's renderer: %s because of %s: %s", chosen, device, why)
    return chosen


class Torch:
    """`actors.face.ditto.runtime.Runtime`."""

    @torch.inference_mode()
    def __init__(
        self, parts: Mapping[str, Any], hear: Hear, *, side: int = 512, run: Way | str = "cpu",
        record: graphs.Record | None = None,
    ) -> None:  # fmt: skip
        """``parts``: the networks by their names in NETWORKS, the decoder folded; ``hear``: the audio encoder.

        ``run``: a device, or how to run on it; ``record``: what records graphs, CUDA's own by default.
        """
        self._way = way(run) if isinstance(run, str) else run
        self._hear = hear
        self.side = side
        self._device = torch.device(self._way.device)
        self._parts = {name: parts[name].to(self._device) for name in ("appearance", "motion", "stitch")}
        lmdm = parts["lmdm"].to(self._device)
        self._hoisted = Hoisted(lmdm.model)
        self._warp = self._drawing(fused.Warp(parts["warp"], self._way.rewrites))
        self._decoder = self._drawing(fused.Decoder(parts["decoder"], self._way.rewrites))
        self._graphs = graphs.Graphs(record or graphs.cuda()) if self._way.graphs else None
        self._pinned: dict[int, Any] = {}
        log.info("ditto's sampler packs its products: %s", packs(lmdm.model.final_layer.weight))

    def hear(self, chunks: Array) -> Array:
        """(n, 6480) samples at 16 kHz to (n, 20, 1024)."""
        return self._hear(chunks)

    @torch.inference_mode()
    def look(self, square: Array) -> Looked:
        """A portrait's face, RGB (side, side, 3) of bytes."""
        half = cv2.resize(square, (self.side // 2, self.side // 2), interpolation=cv2.INTER_AREA)
        image = self._tensor(np.asarray(half, np.float32).transpose(2, 0, 1)[None] / 255)
        found = {name: numbers.cpu().numpy() for name, numbers in self._parts["motion"](image).items()}
        motion = Motion(**{key: found[key] for key in KEYS}, kp=found["kp"])
        return Looked(self._parts["appearance"](image).to(self._way.precision), motion)

    @torch.inference_mode()
    def move(self, windows: Sequence[Window]) -> Array:
        """(n, 80, 265); all windows have the same steps. Raises ValueError if they have not."""
        (steps,) = {window.steps for window in windows}
        return np.concatenate([self._move(part, steps) for part in self._turns(windows)])

    @torch.inference_mode()
    def draw(self, poses: Sequence[Pose]) -> Array:
        """(n, side, side, 3) BGR of bytes; poses may belong to different avatars."""
        return np.concatenate([self._draw(part) for part in self._turns(poses)])

    def _turns(self, all_of_them: Sequence[Any]) -> list[Sequence[Any]]:
        most = self._way.largest
        return [all_of_them[first : first + most] for first in range(0, len(all_of_them), most)]

    def _move(self, windows: Sequence[Window], steps: int) -> Array:
        start = [sampler.first_noise(window.seed, window.number, (WINDOW, MOTION)) for window in windows]
        noise = [_step_noise(window.seed, steps) for window in windows]
        given = (
            np.stack([window.frame for window in windows]), np.stack([window.rows for window in windows]),
            np.stack(start), np.stack(noise, axis=1),
        )  # fmt: skip
        return self._run(("sampler", steps), self._sampling(steps), *map(self._tensor, given)).cpu().numpy()

    def _draw(self, poses: Sequence[Pose]) -> Array:
        source = self._tensor(np.concatenate([pose.source for pose in poses]))
        driving = self._tensor(np.concatenate([pose.driving for pose in poses]))
        volume = torch.cat([pose.looked.volume for pose in poses])
        return self._fetched(self._run("renderer", self._pictures, volume, source, driving))

    def _pictures(self, volume: Any, source: Any, driving: Any) -> Any:
        feature = self._warp(volume, source, self._parts["stitch"](source, driving))
        pictures = self._decoder(feature).float().flip(1).permute(0, 2, 3, 1)
        return (pictures * 255).round().to(torch.uint8).contiguous()

    def _sampling(self, steps: int) -> Callable[..., Any]:
        plan = sampler.schedule(steps)
        held = self._hoisted.at(plan.times)  # a recording reads it for as long as this function lives

        def windows(frames: Any, rows: Any, start: Any, noise: Any) -> Any:
            begun = self._hoisted.begin(frames, rows, held.times)
            return sampler.sample(begun.predict, start, noise, plan)

        return windows

    def _run(self, name: Any, function: Callable[..., Any], *inputs: Any) -> Any:
        return function(*inputs) if self._graphs is None else self._graphs(name, function, *inputs)

    def _fetched(self, pictures: Any) -> Array:
        """On the host until the next call, from a GPU by way of memory that it can write to by itself."""
        if self._device.type != "cuda":
            return pictures.cpu().numpy()
        count = len(pictures)
        if count not in self._pinned:
            self._pinned[count] = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
        self._pinned[count].copy_(pictures, non_blocking=True)
        torch.cuda.current_stream(self._device).synchronize()
        return self._pinned[count].numpy()

    def _drawing(self, network: Any) -> Any:
        network = network.eval().to(self._device, self._way.precision)
        if self._way.channels_last:
            for numbers in network.parameters():
                order = {4: torch.channels_last, 5: torch.channels_last_3d}.get(numbers.dim())
                if order:
                    numbers.data = numbers.data.contiguous(memory_format=order)
        return network

    def _tensor(self, numbers: Array) -> Any:
        return torch.from_numpy(np.ascontiguousarray(numbers, np.float32)).to(self._device)


def load(models: Path, device: str = "auto") -> Torch:
    """From the files of a conversion. Raises WeightsWrong or GraphWrong."""
    run = way(chosen(device))
    parts = {name: load_network(name, models) for name in NETWORKS}
    made = Torch(parts, Hubert(models / "hubert.onnx", gpu=run.device.startswith("cuda")), run=run)
    if run.graphs:
        warm(made)
    return made


def warm(made: Torch, counts: Sequence[int] = range(1, LARGEST + 1), steps: Sequence[int] = (10,)) -> None:
    """Record what will be asked for, so that no reply waits for it."""
    looked = made.look(np.zeros((made.side, made.side, 3), np.uint8))
    pose = Pose(looked, looked.motion.kp.reshape(1, -1, 3), looked.motion.kp.reshape(1, -1, 3))
    for count in counts:
        made.draw([pose] * count)
    for each in steps:
        made.move([Window(np.zeros(MOTION), np.zeros((WINDOW, CONDITION)), 0, 0, each)])


@lru_cache(64)
def _step_noise(seed: int, steps: int) -> Array:
    return sampler.step_noise(seed, steps, (WINDOW, MOTION))


def chosen(wanted: str) -> str:
    """The device to run on: ``auto`` takes a GPU if there is one. Says which, and why."""
    if wanted != "auto":
        log.info("ditto runs on %s: the settings name it", wanted)
        return wanted
    found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    why = "torch found no GPU; expect seconds a picture" if found == "cpu" else "torch found it"
    log.info("ditto runs on %s with torch %s: %s", found, torch.__version__, why)
    return found
