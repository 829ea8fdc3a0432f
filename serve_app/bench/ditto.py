"""What Ditto's networks cost: the sampler on a CPU, everything on a GPU. Random weights: nobody here has trained ones.

The measuring is the engine's own (actors/face/ditto/measure) and is imported when it is asked for, for it needs torch.
"""

from __future__ import annotations

import math
from importlib.util import find_spec

from serve_app.bench.table import Bar, Result

MISSING = "sampler, ditto: left out, torch is not installed here (pip install 'realtime-avatar[ditto]')"
L4_TFLOPS = 121
"""Of an L4 in half precision, dense, as its maker gives it."""
HEADER = ("ms", "launches", "GMAC", "MB moved", "floor on an L4, ms")


def possible() -> bool:
    """Whether torch is here."""
    return find_spec("torch") is not None


async def sampler(*, quick: bool = False) -> Result:
    """A window by the loop as it was published and by ours, in turns."""
    from actors.face.ditto.measure.sampler import STEPS, sampled

    found = sampled(1 if quick else 7)
    rows = tuple(
        (name, f"{cost.ms:.0f}", f"{cost.calls:.0f}", f"{cost.gmac:.1f}")
        for name, cost in (("as published", found.published), ("constants taken out", found.hoisted))
    )
    bars = (
        Bar("the published loop's CPU time over ours, median of pairs", found.ratio, 2.5, "times", least=True),
        Bar("largest difference of the two windows", found.apart, 1e-4, "of motion"),
    )
    notes = (
        f"one window of 80 frames in {STEPS} steps, random weights of the published size, values up to"
        f" {found.largest:.1f}, one thread, torch {found.torch}",
    )
    return Result("sampler", ("a window", "CPU ms", "calls a step", "GMAC"), rows, bars, notes)


async def ditto(*, quick: bool = False) -> Result:
    """Every way on this machine's NVIDIA GPU; without one, which command measures it."""
    from actors.face.ditto.measure.gpu import name
    from actors.face.ditto.measure.renderer import Row, rendered

    gpu = name()
    if not gpu:
        note = "torch finds no NVIDIA GPU here; on a machine with one: `python -m serve_app.bench ditto --write FILE`"
        rows = (("all", *["not measured"] * len(HEADER)),)
        return Result("ditto", ("a picture or a window", *HEADER), rows, notes=(note,))
    found = rendered(rounds=5 if quick else 20)

    def told(row: Row) -> tuple[str, ...]:
        timed = (row.what, f"{row.ms:.2f}", f"{row.launches:.0f}")
        if math.isnan(row.gmac):
            return *timed, *["as without a graph"] * 3
        return *timed, f"{row.gmac:.0f}", f"{row.megabytes:.0f}", f"{2 * row.gmac / L4_TFLOPS:.1f}"

    rows = (*(told(row) for row in found.pictures), *(told(row) for row in found.windows))
    notes = (
        f"{found.device}; random weights of the published sizes, pictures of 512 x 512, windows of 80 frames",
        f"half against single precision: PSNR {found.psnr:.1f} dB",
        "MB moved: what operators read and write, as if nothing stayed in a cache; the floor is of multiplications at"
        f" {L4_TFLOPS} TFLOPS",
    )
    return Result("ditto", ("a picture or a window", *HEADER), rows, notes=notes)
