"""`python -m serve_app.bench [NAME...] [--quick] [--write FILE]`: measure, print the tables, say which bars hold.

Ends with 1 if a bar does not hold. Wall-clock figures depend on what else the machine does; the load is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
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
from serve_app.bench.wire import wire
from serve_app.settings import Settings, load
from streaming.session import Stages

SPEECH = "recordings of people (WAV) for barge and silence; without them the built-in voice interrupts at another pitch"


@dataclass
class Given:
    """What a measurement may take; what is slow to make is made when the first one asks for it."""

    people: Path
    """Recordings of people."""
    quick: bool
    settings: Settings = field(default_factory=lambda: load("cpu"))

    @cached_property
    def voice(self) -> Hibari:
        return Hibari()

    @cached_property
    def stages(self) -> Stages:
        return app.build_stages(self.settings)


async def _browser(given: Given) -> Result:
    from serve_app.bench.browser import browser

    return await browser(given.stages, given.settings, quick=given.quick)


async def _soak(given: Given) -> Result:
    from serve_app.bench.soak import soak

    return await soak(given.stages, given.settings, quick=given.quick)


async def _ray(given: Given) -> Result:
    async with app.serve_stages(given.settings) as remote:
        return await added(given.stages, remote, given.settings, quick=given.quick)


MEASURES: Mapping[str, Callable[[Given], Result | Awaitable[Result]]] = {
    "sampler": lambda given: face.sampler(quick=given.quick),
    "ditto": lambda given: face.ditto(quick=given.quick),
    "rendering": lambda given: rendering(given.voice, quick=given.quick),
    "face-stage": lambda given: face_stage(given.voice, quick=given.quick),
    "scheduler": lambda given: scheduler(quick=given.quick),
    "recognition": lambda given: recognition(given.voice, quick=given.quick),
    "service": lambda given: service(given.voice, quick=given.quick),
    "gateway": lambda given: gateway(quick=given.quick),
    "hop": lambda given: hop(quick=given.quick),
    "simulator": lambda given: simulator(quick=given.quick),
    "endurance": lambda given: endurance(quick=given.quick),
    "vocoder": lambda given: vocoder(quick=given.quick),
    "roundtrip": lambda given: round_trip.roundtrip(quick=given.quick),
    "latency": lambda given: latency(given.stages, given.settings, quick=given.quick),
    "wire": lambda given: wire(given.stages, given.settings, quick=given.quick),
    "costs": lambda given: costs(given.stages, quick=given.quick),
    "barge": lambda given: barge(given.stages, given.settings, given.people, quick=given.quick),
    "silence": lambda given: silence(given.stages, given.settings, given.people, quick=given.quick),
    "browser": _browser,
    "soak": _soak,
    "ray": _ray,
}
"""Name -> what measures it, in the order in which they are run: those that load no stages first."""
NAMES = tuple(MEASURES)
LONG = {"simulator", "endurance"}
"""Half an hour and an hour."""


async def _measured(names: list[str], people: Path, *, quick: bool) -> AsyncIterator[Result]:
    lacking = {name: _lacking(name) for name in names}
    for sentence in dict.fromkeys(filter(None, lacking.values())):
        print(sentence)
    given = Given(people, quick)
    for name, measure in MEASURES.items():
        if name in names and not lacking[name]:
            made = measure(given)
            yield made if isinstance(made, Result) else await made


def _lacking(name: str) -> str:
    """The sentence that says why it cannot be measured here; empty: it can."""
    match name:
        case "sampler" | "ditto":
            return "" if face.possible() else face.MISSING
        case "roundtrip":
            return "" if round_trip.possible() else round_trip.MISSING
        case "vocoder" if find_spec("TTS") is None:
            return "vocoder: left out, coqui-tts is not installed here (pip install 'realtime-avatar[xtts]')"
        case "browser" | "soak":
            return _no_browser()
        case _:
            return ""


def _no_browser() -> str:
    try:
        from serve_app.bench.browser import chromium
    except ImportError:
        return "browser, soak: left out, Playwright is not installed here (pip install playwright)"
    if chromium():
        return ""
    return "browser, soak: left out, there is no Chromium on this machine (Debian: apt-get install chromium)"


def _wanted(*, long: bool) -> list[str]:
    """Everything; ``long``: also what takes very long."""
    if long:
        return list(NAMES)
    print(f"{', '.join(name for name in NAMES if name in LONG)}: left out, they take very long (--long)")
    return [name for name in NAMES if name not in LONG]


async def _run(chosen: argparse.Namespace) -> bool:
    holds = True
    async for result in _measured(chosen.names or _wanted(long=chosen.long), chosen.speech, quick=chosen.quick):
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
