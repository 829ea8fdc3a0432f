"""`python -m serve_app.bench [NAME...] [--quick] [--write FILE]`: measure, print the tables, say which bars hold.

Ends with 1 if a bar does not hold. Wall-clock figures depend on what else the machine does; the load is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

from actors.tts.hibari import Hibari
from serve_app import app
from serve_app.bench import ditto as face
from serve_app.bench import roundtrip as round_trip
from serve_app.bench.barge import barge
from serve_app.bench.costs import costs
from serve_app.bench.endurance import endurance
from serve_app.bench.gateway import gateway
from serve_app.bench.hop import hop
from serve_app.bench.latency import added, latency
from serve_app.bench.recognition import recognition
from serve_app.bench.rendering import face_stage, rendering
from serve_app.bench.scheduler import scheduler
from serve_app.bench.service import service
from serve_app.bench.silence import silence
from serve_app.bench.simulator import simulator
from serve_app.bench.table import Result, write_section
from serve_app.bench.vocoder import vocoder
from serve_app.settings import load

SPEECH = "recordings of people (WAV) for barge and silence; without them the built-in voice interrupts at another pitch"
NAMES = (
    "latency", "rendering", "face-stage", "scheduler", "recognition", "costs", "service", "gateway", "ray", "hop",
    "barge", "silence", "vocoder", "roundtrip", "browser", "soak", "sampler", "ditto", "simulator", "endurance",
)  # fmt: skip
BROWSED = {"browser", "soak"}
LONG = {"simulator", "endurance"}
"""Half an hour and an hour."""


async def _measured(names: list[str], people: Path, *, quick: bool) -> AsyncIterator[Result]:
    settings = load("cpu")
    if {"sampler", "ditto"} & set(names) and not face.possible():
        print(face.MISSING)
        names = [name for name in names if name not in ("sampler", "ditto")]
    if "sampler" in names:
        yield await face.sampler(quick=quick)
    if "ditto" in names:
        yield await face.ditto(quick=quick)
    if "rendering" in names:
        yield await rendering(Hibari(), quick=quick)
    if "face-stage" in names:
        yield await face_stage(Hibari(), quick=quick)
    if "scheduler" in names:
        yield scheduler(quick=quick)
    if "recognition" in names:
        yield await recognition(Hibari(), quick=quick)
    if "service" in names:
        yield await service(Hibari(), quick=quick)
    if "gateway" in names:
        yield await gateway(quick=quick)
    if "hop" in names:
        yield await hop(quick=quick)
    if "simulator" in names:
        yield await simulator(quick=quick)
    if "endurance" in names:
        yield await endurance(quick=quick)
    if "vocoder" in names:
        yield vocoder(quick=quick)
    if "roundtrip" in names and not round_trip.possible():
        print(round_trip.MISSING)
    elif "roundtrip" in names:
        yield await round_trip.roundtrip(quick=quick)
    if not ({"latency", "costs", "ray", "barge", "silence"} | BROWSED) & set(names):
        return
    stages = app.build_stages(settings)
    if "latency" in names:
        yield await latency(stages, settings, quick=quick)
    if "costs" in names:
        yield await costs(stages, quick=quick)
    if "barge" in names:
        yield await barge(stages, settings, people, quick=quick)
    if "silence" in names:
        yield await silence(stages, settings, people, quick=quick)
    if "browser" in names:
        from serve_app.bench.browser import browser

        yield await browser(stages, settings, quick=quick)
    if "soak" in names:
        from serve_app.bench.soak import soak

        yield await soak(stages, settings, quick=quick)
    if "ray" in names:
        async with app.serve_stages(settings) as remote:
            yield await added(stages, remote, settings, quick=quick)


def _possible(*, long: bool) -> list[str]:
    """Everything that can be measured here; ``long``: also what takes very long."""
    left_out: set[str] = set()
    if not long:
        print(f"{', '.join(name for name in NAMES if name in LONG)}: left out, they take very long (--long)")
        left_out |= LONG
    if find_spec("TTS") is None:
        print("vocoder: left out, coqui-tts is not installed here (pip install 'realtime-avatar[xtts]')")
        left_out.add("vocoder")
    if not round_trip.possible():
        print(round_trip.MISSING)
        left_out.add("roundtrip")
    try:
        from serve_app.bench.browser import chromium

        if chromium():
            return [name for name in NAMES if name not in left_out]
        print("browser, soak: left out, there is no Chromium on this machine (Debian: apt-get install chromium)")
    except ImportError:
        print("browser, soak: left out, Playwright is not installed here (pip install playwright)")
    return [name for name in NAMES if name not in BROWSED | left_out]


async def _run(chosen: argparse.Namespace) -> bool:
    holds = True
    async for result in _measured(chosen.names or _possible(long=chosen.long), chosen.speech, quick=chosen.quick):
        print(f"\n## {result.name}\n\n{result.text()}", flush=True)
        if chosen.write:
            write_section(chosen.write, result)
        holds = holds and all(bar.holds for bar in result.bars)
    return holds


def parser() -> argparse.ArgumentParser:
    """Its options."""
    reader = argparse.ArgumentParser(prog="python -m serve_app.bench", description=__doc__)
    told = f"what to measure: {', '.join(NAMES)} (default: all that is possible here)"
    reader.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=told)
    reader.add_argument("--quick", action="store_true", help="few questions, to see that it works")
    reader.add_argument("--long", action="store_true", help="also what takes half an hour and more")
    reader.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    reader.add_argument("--speech", type=Path, metavar="FOLDER", default=Path("../shared/speech"), help=SPEECH)
    return reader


def main() -> int:
    """Measure what was asked for; 0 if every bar holds."""
    return 0 if asyncio.run(_run(parser().parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
