"""The small networks as graphs, and the inputs that runtimes are compared with."""

# pyright: reportMissingImports=false
from __future__ import annotations

import io
import shutil
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.actors.face.ditto import tiny
from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.export import build
from actors.face.ditto.export.graphs import Sizes
from actors.face.ditto.runtime import Pose, Runtime, Window

SIZES = Sizes(side=tiny.SIDE, volume=4, depth=2, compressed=2, told=8, width=16, heads=2, layers=1)


def quiet(what: str, share: float) -> None:
    """Progress that nobody watches."""


@cache
def home() -> TemporaryDirectory[str]:
    """Where graphs are made once for all tests."""
    return TemporaryDirectory(prefix="graphs-")


def files(folder: Path, precision: str = "fp32", names: tuple[str, ...] = build.WHOLE) -> dict[str, Path]:
    """The graphs of `tiny.runtime`, and an audio encoder's."""
    once = Path(home().name)
    build.graph_files(once, names, precision, quiet, sizes=SIZES, network=tiny.parts().__getitem__)
    if not (once / "hubert.onnx").exists():
        hubert(once / "hubert.onnx")
    shutil.copytree(once, folder, dirs_exist_ok=True)
    made = build.graph_files(folder, names, precision, quiet, sizes=SIZES)
    return {**made, "hubert": folder / "hubert.onnx"}


def hubert(path: Path) -> Path:
    """`tiny.hear` for one chunk as a graph: 20 rows of 1024."""

    class Hear(torch.nn.Module):
        def forward(self, wave: Any) -> Any:
            blocks = wave[0, : 20 * 320].reshape(20, 320)
            told = [blocks.abs().mean(1), blocks.mean(1), (blocks[:, 1:] - blocks[:, :-1]).abs().mean(1)]
            return (torch.stack(told, 1) * 20).repeat(1, 342)[:, :1024]

    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Hear(), (torch.zeros(1, 6480),), out, dynamo=False, opset_version=17, input_names=["input_values"],
            output_names=["encoding_out"],
        )  # fmt: skip
    path.write_bytes(out.getvalue())
    return path


def square(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (tiny.SIDE, tiny.SIDE, 3), np.uint8)


def windows(count: int, steps: int = 4) -> list[Window]:
    draw = np.random.default_rng(3)
    return [
        Window(
            draw.standard_normal(265, np.float32),
            draw.standard_normal((80, 1103), np.float32),
            place // 2,
            place,
            steps,
        )
        for place in range(count)
    ]


def poses(runtime: Runtime, count: int) -> list[Pose]:
    """Of two avatars in turn."""
    looked = [runtime.look(square(seed)) for seed in (1, 2)]
    draw = np.random.default_rng(4)
    points = [draw.uniform(-0.5, 0.5, (1, 21, 3)).astype(np.float32) for _ in range(2 * count)]
    return [Pose(looked[place % 2], points[2 * place], points[2 * place + 1]) for place in range(count)]
