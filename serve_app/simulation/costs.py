"""What calls of the engines cost, and what a profile has to pay them with. This file simulates nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from actors.engines import STAND_IN
from serve_app.app import choices
from serve_app.errors import UserError
from serve_app.groups import Choice
from serve_app.settings import Settings


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of an engine costs: ``first`` seconds, and ``each`` for a second of sound."""

    first: float
    each: float
    device: str
    """``cpu`` (one core), ``gpu`` (all of one GPU), or ``""`` for somebody else's machine."""
    source: str
    step: float = 0.0
    """Seconds of sound at a step, between two of which another call gets the device; 0: a call is one step."""


COSTS: Mapping[str, Cost] = {
    "whisper": Cost(0.055, 0.026, "cpu", "tiny.en, docs/performance.md"),
    "whisper base": Cost(0.11, 0.052, "cpu", "not measured: twice tiny.en, as its layers say"),
    "whisper on cuda": Cost(0.1, 0.02, "gpu", "not measured"),
    "guide": Cost(0.002, 0.0, "cpu", "not measured: next to nothing"),
    "chat": Cost(0.5, 0.0, "", "not measured"),
    "hibari": Cost(0.0, 0.010, "cpu", "docs/performance.md"),
    "kokoro": Cost(0.0, 1.01, "cpu", "Mandarin, Spanish costs 0.75: docs/performance.md, 'roundtrip'"),
    "polyglot": Cost(0.0, 1.01, "cpu", "that of kokoro, the slowest of its usual engines"),
    "portrait": Cost(0.0, 0.111, "cpu", "4.4 ms a picture, docs/performance.md", 0.16),
    "xtts": Cost(0.0, 0.70, "gpu", "not measured here; an earlier program in batch, one L4", 0.4),
    "ditto": Cost(0.0, 1.23, "gpu", "not measured here; an earlier program in batch, one L4", 0.2),
}
"""Engine -> its cost. docs/capacity.md says how each was come by."""


@dataclass(frozen=True, slots=True)
class House:
    """What there is to work with."""

    costs: Mapping[str, Cost]
    """By stage."""
    replicas: Mapping[str, int]
    """By stage; a replica does one thing at a time."""
    devices: Mapping[str, int]
    """``cpu``: cores, ``gpu``: GPUs."""
    urgent_first: bool = True
    """False: work is done in the order in which it came."""


def house(settings: Settings, cores: int, changed: Mapping[str, float], costs: Mapping[str, Cost] = COSTS) -> House:
    """What a profile has. ``changed``: stage -> seconds of work for a second of sound. Raises UserError."""
    chosen, ray = choices(settings), settings.ray
    found = {stage: _cost(choice, costs) for stage, choice in chosen.items()}
    for stage, each in changed.items():
        if stage not in found:
            raise UserError(f"the profile {settings.profile} has no stage {stage!r}; choose {', '.join(found)}")
        found[stage] = replace(found[stage], each=each, source="as you say")
    shares = {stage: ray.share("gpu" if stage in ray.together else stage) for stage in found}
    replicas = {stage: share.largest for stage, share in shares.items()}
    if found["llm"].device == "":
        replicas["llm"] = shares["llm"].largest * shares["llm"].ongoing
    stand_ins = {stage for stage, choice in chosen.items() if choice.engine == STAND_IN}
    for stage in stand_ins:
        replicas[stage] = shares[stage].largest * chosen[stage].arguments.get("lanes", 64 if stage == "llm" else 1)
    return House(found, replicas, {"cpu": cores, "gpu": ray.num_gpus, "": 1 << 20}, urgent_first=not stand_ins)


def _cost(choice: Choice, costs: Mapping[str, Cost]) -> Cost:
    if choice.engine == STAND_IN:
        told = {name: float(choice.arguments.get(name, 0.0)) for name in ("first", "each", "step")}
        burns = choice.arguments.get("burn", False)
        return Cost(device="cpu" if burns else "", source="what the stand-in is told to take", **told)
    name = f"{choice.engine} on cuda" if choice.arguments.get("device") == "cuda" else choice.engine
    if (particular := f"{choice.engine} {choice.arguments.get('model')}") in costs and name == choice.engine:
        name = particular
    if name not in costs:
        raise UserError(f"nobody has told what {name} costs; choose an engine out of {', '.join(costs)}")
    return costs[name]


def read(path: Path) -> Mapping[str, Cost]:
    """Costs that were measured elsewhere, as TOML: a table for each engine, with the fields of Cost.

    An engine that is not in the file costs what COSTS says. Raises UserError.
    """
    try:
        told: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"the costs {path} cannot be read: {error}") from None
    found = dict(COSTS)
    for engine, row in told.items():
        known = {one.name for one in fields(Cost)}
        if not isinstance(row, dict) or not set(row) <= known or row.get("device", "") not in ("", "cpu", "gpu"):
            raise UserError(f"{path}: [{engine}] must be a table with {', '.join(sorted(known))}; device is cpu or gpu")
        whole = {"first": 0.0, "each": 0.0, "device": "", "source": path.name, **row}
        numbers = [whole[name] for name in ("first", "each")] + [whole.get("step", 0.0)]
        if not all(isinstance(number, int | float) and number >= 0 for number in numbers):
            raise UserError(f"{path}: first, each and step of [{engine}] are seconds of 0 or more")
        found[engine] = Cost(**whole)
    return found
