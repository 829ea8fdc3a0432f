"""The sampler with its constants taken out of the loop against the loop as it was published, on one thread of a CPU."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from actors.face.ditto.measure.counting import calls, macs, seconds
from actors.face.ditto.motion import sampler
from actors.face.ditto.nets import lmdm
from actors.face.ditto.nets.hoisted import Hoisted

STEPS = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one window."""

    ms: float
    """CPU time."""
    calls: float
    """Of the framework, a step."""
    gmac: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """One run."""

    published: Cost
    hoisted: Cost
    ratio: float
    """Of CPU times, the median over pairs that ran one after the other."""
    apart: float
    """Largest difference of the two windows."""
    largest: float
    """Number in them."""
    torch: str
    """Its version."""


def sampled(rounds: int = 7, size: lmdm.Size | None = None, steps: int = STEPS) -> Sampled:
    """Windows of one seed with random weights, of the published size by default."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return _sampled(rounds, size or lmdm.Size(), steps)
    finally:
        torch.set_num_threads(threads)


def _sampled(rounds: int, size: lmdm.Size, steps: int) -> Sampled:
    torch.manual_seed(0)
    network = lmdm.MotionDecoder(size).eval().requires_grad_(False)
    made, plan = Hoisted(network), sampler.schedule(steps)
    frame, cond = torch.randn(1, size.motion), torch.randn(1, size.window, size.condition)
    shape = (1, size.window, size.motion)
    start = torch.from_numpy(sampler.first_noise(0, 0, shape))
    noise = torch.from_numpy(sampler.step_noise(0, steps, shape))

    def published() -> Any:
        return sampler.sample(lambda x, t: network.guided(x, frame, cond, torch.tensor([t])), start, noise, plan)

    def hoisted() -> Any:
        return sampler.sample(made.begin(frame, cond, plan.times).predict, start, noise, plan)

    works = {"published": published, "hoisted": hoisted}
    spent = seconds(works, rounds)
    wanted = published()
    first, second = (
        Cost(1000 * median(spent[name]), calls(work) / steps, macs(work) / 1e9) for name, work in works.items()
    )
    ratio = median(a / b for a, b in zip(spent["published"], spent["hoisted"], strict=True))
    apart = float((hoisted() - wanted).abs().max())
    return Sampled(first, second, ratio, apart, float(wanted.abs().max()), str(torch.__version__))
