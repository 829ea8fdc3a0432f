"""Ditto with small networks and made-up weights: every signature as published, pictures of 64 x 64."""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.engine import Ditto
from actors.face.ditto.nets import appearance, decoder, lmdm, motion_extractor, stitch, warp
from actors.face.ditto.runtime.torch import Torch
from actors.face.scheduler import Scheduler
from actors.face.scheduling.costs import KINDS, Costs
from actors.face.worker import Worker

SIDE = 64


def hear(chunks: np.ndarray) -> np.ndarray:
    """20 rows of 1024 for each: how loud each 20 ms are, and how they swing."""
    blocks = chunks[:, : 20 * 320].reshape(-1, 20, 320)
    told = np.stack([np.abs(blocks).mean(2), blocks.mean(2), np.abs(np.diff(blocks)).mean(2)], 2)
    return np.tile(told * 20, (1, 1, 342))[..., :1024].astype(np.float32)


def parts(seed: int = 0) -> dict[str, Any]:
    """The networks by name, small."""
    torch.manual_seed(seed)
    volume, depth, told = 4, 2, 8
    made: dict[str, Any] = {
        "appearance": appearance.Appearance(appearance.Size(4, (4, 8), volume, depth, 1)),
        "motion": motion_extractor.MotionExtractor(motion_extractor.Size((1, 1, 1, 1), (4, 4, 8, 8))),
        "stitch": stitch.Stitch(stitch.Size((8, 8, 4))),
        "warp": warp.Warp(warp.Size(volume=volume, depth=depth, compressed=2, base=4, widest=8, blocks=2, out=told)),
        "decoder": decoder.Decoder(decoder.Size(told, 8, 1, (8, 4))),
        "lmdm": lmdm.Lmdm(lmdm.Size(width=16, heads=2, hidden=16, layers=1, encoder_layers=1)),
    }
    for part in made.values():
        part.eval().requires_grad_(False)
    made["decoder"].fold()
    return made


def runtime(seed: int = 0) -> Torch:
    return Torch(parts(seed), hear, side=SIDE)


def ditto(seed: int = 0, folder: Path | None = None, weights: str = "", batch: int = 1) -> Ditto:
    """Its clock stands still and its device costs next to nothing: no picture is late, however slow the machine is."""
    made = Ditto(runtime=runtime(seed), folder=folder, weights=weights, batch=batch)
    costs = Costs.of({kind: {1: 0.01, batch: 0.02} for kind in KINDS})
    made._worker = Worker(made._run, Scheduler(costs), clock=lambda: 0.0)
    return made
