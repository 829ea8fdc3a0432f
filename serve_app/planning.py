"""Which planner goes with a face: made of the settings, and made again of a journal that says which it was.

A planner runs in the gateway, beside the conversation; actors/face/__init__.py says which engines have one. Two
conversations with planners that are described alike choose the same plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

from actors.face import PLANNERS
from serve_app.errors import UserError
from streaming.pace import Pace
from streaming.stages import Planner


def planner_of(engine: str, arguments: Mapping[str, Any]) -> Planner | None:
    """The planner of a face engine; None for one that draws in one way only. Raises UserError for wrong arguments."""
    if engine not in PLANNERS:
        if arguments:
            raise UserError(f"the face engine {engine!r} takes no plan; leave out face.plan ({', '.join(arguments)})")
        return None
    module, _, attribute = PLANNERS[engine].partition(":")
    try:
        return getattr(import_module(module), attribute)(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"the setting face.plan does not fit the engine {engine!r}: {error}") from None


def paced(pace: Pace, planner: Planner | None) -> Pace:
    """The pace for a face that is planned so: spans as its chunks of sound, with as much sound as a plan can use."""
    made: Any = planner
    return pace.with_chunks(made.grain, made.look_ahead, made.sound) if planner else pace


def described(planner: Planner | None) -> dict[str, Any] | None:
    """As plain JSON values, for a journal's header."""
    if planner is None:
        return None
    kind = f"{type(planner).__module__}:{type(planner).__qualname__}"
    engine = next(engine for engine, name in PLANNERS.items() if name == kind)
    made: Any = planner
    return {"engine": engine, "arguments": asdict(made)}


def like(told: Mapping[str, Any] | None) -> Planner | None:
    """The planner that was ``described``. Raises UserError if there is none of that kind any more."""
    if told is None:
        return None
    if told["engine"] not in PLANNERS:
        raise UserError(f"the journal's face was planned for the engine {told['engine']!r}, which is not known here")
    return planner_of(told["engine"], told["arguments"])
