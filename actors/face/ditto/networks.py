"""Ditto's networks together on one device, and the four things they are asked for: hear, look, move, draw.

It knows no reply and no avatar's folder. Numbers go in and come out as numpy's; what is large stays on the device.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from actors.face.ditto.motion import sampler
from actors.face.ditto.motion.audio import Encode
from actors.face.ditto.motion.vector import KEYS, Motion
from actors.face.ditto.nets.hubert import Hubert
from actors.face.ditto.nets.load import NETWORKS, load
from actors.face.ditto.spec import MOTION, POINTS, WINDOW, Array

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the networks keep of a portrait."""

    volume: Any
    """(1, 32, 16, side / 8, side / 8) on the device."""
    motion: Motion
    """One frame: its own pose and expression."""


class Networks:
    """All of them, ready."""

    def __init__(self, parts: dict[str, Any], hear: Encode, *, side: int = 512, device: str = "cpu") -> None:
        """``parts``: the networks by their names in NETWORKS; ``hear``: the audio encoder."""
        self.hear = hear
        self.side = side
        self._device = torch.device(device)
        self._parts = {name: part.to(self._device) for name, part in parts.items()}

    @classmethod
    def load(cls, folder: Path, device: str) -> Networks:
        """From the files of a conversion. Raises WeightsWrong or GraphWrong."""
        parts = {name: load(name, folder) for name in NETWORKS}
        return cls(parts, Hubert(folder / "hubert.onnx"), device=device)

    @torch.inference_mode()
    def look(self, square: Array) -> Looked:
        """A portrait's face, RGB (side, side, 3) of bytes."""
        half = cv2.resize(square, (self.side // 2, self.side // 2), interpolation=cv2.INTER_AREA)
        image = self._tensor(np.asarray(half, np.float32).transpose(2, 0, 1)[None] / 255)
        found = {name: numbers.cpu().numpy() for name, numbers in self._parts["motion"](image).items()}
        motion = Motion(**{key: found[key] for key in KEYS}, kp=found["kp"])
        return Looked(self._parts["appearance"](image), motion)

    @torch.inference_mode()
    def move(self, frame: Array, rows: Array, seed: int, window: int, steps: int) -> Array:
        """A window of motion (80, 265): `actors.face.ditto.reply.Run`."""
        plan, noise = _drawn(seed, steps)
        network = self._parts["lmdm"].model
        begun = network.begin(self._tensor(frame[None]), self._tensor(rows[None]), plan.times)
        start = sampler.first_noise(seed, window, (1, WINDOW, MOTION))
        out = sampler.sample(begun.predict, self._tensor(start), self._tensor(noise), plan)
        return out[0].cpu().numpy()

    @torch.inference_mode()
    def draw(self, looked: Looked, source: Array, driving: Array) -> Array:
        """The face, BGR (side, side, 3) from 0 to 255 in float32, at keypoints (1, 21, 3) of source and driving."""
        kp_source, kp_driving = self._tensor(source), self._tensor(driving.reshape(-1, POINTS, 3))
        stitched = self._parts["stitch"](kp_source, kp_driving)
        feature = self._parts["warp"](looked.volume, kp_source, stitched)
        picture = self._parts["decoder"](feature)[0].flip(0).permute(1, 2, 0) * 255
        return picture.contiguous().cpu().numpy()

    def _tensor(self, numbers: Array) -> Any:
        return torch.from_numpy(np.ascontiguousarray(numbers, np.float32)).to(self._device)


@lru_cache(8)
def _drawn(seed: int, steps: int) -> tuple[sampler.Schedule, Array]:
    return sampler.schedule(steps), sampler.step_noise(seed, steps, (1, WINDOW, MOTION))


def device(wanted: str) -> str:
    """The device to run on: ``auto`` takes a GPU if there is one. Says which, and why."""
    if wanted != "auto":
        log.info("ditto runs on %s: the settings name it", wanted)
        return wanted
    found = "cuda" if torch.cuda.is_available() else "cpu"
    why = "torch found a GPU" if found == "cuda" else "torch found no GPU; expect seconds a picture"
    log.info("ditto runs on %s with torch %s: %s", found, torch.__version__, why)
    return found
