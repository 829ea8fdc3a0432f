"""Ditto's networks in torch on one device, each call one batch.

Windows and pictures of a batch do not touch each other, but a product of another size rounds otherwise: the last
bits of a window may depend on how many were run with it.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# pyright takes `torch` for this file where torch is not installed.
from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from actors.face.ditto.motion import sampler
from actors.face.ditto.motion.vector import KEYS, Motion
from actors.face.ditto.nets.hoisted import Hoisted
from actors.face.ditto.nets.hubert import Hubert
from actors.face.ditto.nets.load import NETWORKS
from actors.face.ditto.nets.load import load as load_network
from actors.face.ditto.runtime import Looked, Pose, Window
from actors.face.ditto.spec import MOTION, WINDOW, Array

log = logging.getLogger(__name__)

Hear = Callable[[Array], Array]
"""(n, 6480) samples at 16 kHz to (n, 20, 1024)."""


class Torch:
    """`actors.face.ditto.runtime.Runtime`."""

    @torch.inference_mode()
    def __init__(self, parts: Mapping[str, Any], hear: Hear, *, side: int = 512, device: str = "cpu") -> None:
        """``parts``: the networks by their names in NETWORKS; ``hear``: the audio encoder."""
        self._hear = hear
        self.side = side
        self._device = torch.device(device)
        self._parts = {name: part.to(self._device) for name, part in parts.items()}
        self._hoisted = Hoisted(self._parts["lmdm"].model)

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
        return Looked(self._parts["appearance"](image), motion)

    @torch.inference_mode()
    def move(self, windows: Sequence[Window]) -> Array:
        """(n, 80, 265); all windows have the same steps. Raises ValueError if they have not."""
        (steps,) = {window.steps for window in windows}
        plan = sampler.schedule(steps)
        frames, rows = (self._stacked(windows, name) for name in ("frame", "rows"))
        begun = self._hoisted.begin(frames, rows, plan.times)
        start = [sampler.first_noise(window.seed, window.number, (WINDOW, MOTION)) for window in windows]
        noise = np.stack([_step_noise(window.seed, steps) for window in windows], axis=1)
        out = sampler.sample(begun.predict, self._tensor(np.stack(start)), self._tensor(noise), plan)
        return out.cpu().numpy()

    @torch.inference_mode()
    def draw(self, poses: Sequence[Pose]) -> Array:
        """(n, side, side, 3) BGR of bytes; poses may belong to different avatars."""
        source, driving = (
            self._tensor(np.concatenate([getattr(pose, name) for pose in poses])) for name in ("source", "driving")
        )
        volume = torch.cat([pose.looked.volume for pose in poses])
        feature = self._parts["warp"](volume, source, self._parts["stitch"](source, driving))
        pictures = self._parts["decoder"](feature).flip(1).permute(0, 2, 3, 1)
        return (pictures * 255).round().to(torch.uint8).contiguous().cpu().numpy()

    def _stacked(self, windows: Sequence[Window], name: str) -> Any:
        return self._tensor(np.stack([getattr(window, name) for window in windows]))

    def _tensor(self, numbers: Array) -> Any:
        return torch.from_numpy(np.ascontiguousarray(numbers, np.float32)).to(self._device)


def load(models: Path, device: str = "auto") -> Torch:
    """From the files of a conversion. Raises WeightsWrong or GraphWrong."""
    parts = {name: load_network(name, models) for name in NETWORKS}
    return Torch(parts, Hubert(models / "hubert.onnx"), device=chosen(device))


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
