"""The whole of Ditto's GPU work with random weights: pictures and windows, one way after the other, in one run.

The plain way is one picture at a time in single precision with the published layers, and every network's output goes
by way of the host to the next one, as the published pipeline does. Nothing here is judged; numbers are for one device.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
import torch

from actors.face.ditto.measure.counting import Work, calls, launches, macs, moved, seconds
from actors.face.ditto.motion import sampler
from actors.face.ditto.nets.load import NETWORKS
from actors.face.ditto.runtime import Pose, Window
from actors.face.ditto.runtime.graphs import Record
from actors.face.ditto.runtime.torch import LARGEST, Torch, Way
from actors.face.ditto.spec import AUDIO, CONDITION, ENCODED, MOTION, POINTS, WINDOW, Array

STEPS = (5, 10, 25)


@dataclass(frozen=True, slots=True)
class Row:
    """One way of doing one thing, each number for a picture or a window."""

    what: str
    ms: float
    launches: float
    """On a GPU; elsewhere operators."""
    gmac: float
    megabytes: float
    """That operators read and write, as if nothing stayed in a cache."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One run."""

    device: str
    """The GPU's name."""
    pictures: tuple[Row, ...]
    windows: tuple[Row, ...]
    psnr: float
    """dB of pictures in half precision against single."""


def published(device: str) -> dict[str, Any]:
    """All networks with random weights in the published sizes."""
    torch.manual_seed(0)
    with torch.device(device):
        made: dict[str, Any] = {name: make().eval().requires_grad_(False) for name, make in NETWORKS.items()}
    made["decoder"].fold()
    return made


def rendered(
    device: str = "cuda", *, parts: Callable[[str], Mapping[str, Any]] = published, side: int = 512,
    record: Record | None = None, rounds: int = 20, batches: Sequence[int] = range(1, LARGEST + 1),
) -> Rendered:  # fmt: skip
    """``record``: in place of CUDA's own recording."""
    gpu = device.startswith("cuda")
    half = Way(device, torch.float16, channels_last=True)
    ways = {
        "eager": Way(device, torch.float32), "fp16": half, "fp16, graphs": replace(half, graphs=True),
    }  # fmt: skip
    made = {
        name: Torch(parts(device), _unheard, side=side, run=way, record=record if way.graphs else None)
        for name, way in ways.items()
    }
    poses = {name: _poses(each, max(batches)) for name, each in made.items()}
    works: dict[str, tuple[int, Work]] = {
        "plain, by way of the host": (1, _plain(parts(device), poses["eager"][0], device))
    }
    works |= {name: (1, _drawing(made[name], poses[name][:1])) for name in ("eager", "fp16")}
    for count in batches:
        name = "fp16, graphs"
        works[f"{name}, {count} at once"] = (count, _drawing(made[name], poses[name][:count]))
    pictures = _rows(works, rounds, gpu)
    works = {}
    for steps in STEPS:
        works[f"plain loop, {steps} steps"] = (1, _looping(parts(device)["lmdm"].model, steps, device))
        for name in ("eager", "fp16, graphs"):
            told = "hoisted" if name == "eager" else "hoisted, graph"
            works[f"{told}, {steps} steps"] = (1, _moving(made[name], steps))
    windows = _rows(works, max(1, rounds // 4), gpu)
    psnr = _psnr(made["fp16"].draw(poses["fp16"][:1]), made["eager"].draw(poses["eager"][:1]))
    return Rendered(torch.cuda.get_device_name() if gpu else device, pictures, windows, psnr)


def _rows(works: Mapping[str, tuple[int, Work]], rounds: int, gpu: bool) -> tuple[Row, ...]:
    spent = seconds({name: work for name, (_, work) in works.items()}, rounds, gpu=gpu)
    rows = []
    for name, (count, work) in works.items():
        started = launches(work) if gpu else calls(work)
        graph = "graph" in name  # played again, operators are not seen: what they do is the row's without one
        gmac, megabytes = (float("nan"),) * 2 if graph else (macs(work) / 1e9, moved(work) / 1e6)
        rows.append(Row(name, 1000 * median(spent[name]) / count, started / count, gmac, megabytes))
    return tuple(rows)


def _unheard(chunks: Array) -> Array:
    return np.zeros((len(chunks), ENCODED, AUDIO), np.float32)


def _poses(made: Torch, count: int) -> list[Pose]:
    draw = np.random.default_rng(0)
    looked = made.look(draw.integers(0, 255, (made.side, made.side, 3), np.uint8))
    points = draw.uniform(-0.5, 0.5, (1, POINTS, 3)).astype(np.float32)
    moved_by = draw.normal(0, 0.02, (count, 1, POINTS, 3)).astype(np.float32)
    return [Pose(looked, points, points + each) for each in moved_by]


def _drawing(made: Torch, poses: Sequence[Pose]) -> Work:
    return lambda: made.draw(poses)


def _moving(made: Torch, steps: int) -> Work:
    window = Window(np.ones(MOTION, np.float32), np.ones((WINDOW, CONDITION), np.float32), 0, 0, steps)
    return lambda: made.move([window])


@torch.inference_mode()
def _host(network: Any, device: str, *given: Array) -> Array:
    """A network whose inputs come from the host and whose output goes there."""
    return network(*(torch.from_numpy(each).to(device) for each in given)).cpu().numpy()


def _plain(parts: Mapping[str, Any], pose: Pose, device: str) -> Work:
    volume = pose.looked.volume.float().cpu().numpy()

    def work() -> Array:
        driving = _host(parts["stitch"], device, pose.source, pose.driving)
        feature = _host(parts["warp"], device, volume, pose.source, driving)
        picture = _host(parts["decoder"], device, feature)[0]
        return (picture.transpose(1, 2, 0)[..., ::-1] * 255).round().astype(np.uint8)

    return work


def _looping(network: Any, steps: int, device: str) -> Work:
    plan = sampler.schedule(steps)
    shape = (1, WINDOW, MOTION)
    frame, cond = torch.ones(1, MOTION, device=device), torch.ones(1, WINDOW, CONDITION, device=device)
    start = torch.from_numpy(sampler.first_noise(0, 0, shape)).to(device)
    noise = torch.from_numpy(sampler.step_noise(0, steps, shape)).to(device)

    def predict(x: Any, time: int) -> Any:
        return network.guided(x, frame, cond, torch.tensor([time], device=device))

    @torch.inference_mode()
    def work() -> Array:
        return sampler.sample(predict, start, noise, plan).cpu().numpy()

    return work


def _psnr(one: Array, other: Array) -> float:
    error = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
