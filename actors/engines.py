"""Which class serves a stage under a name: the tables in ``actors/<stage>/__init__.py``, resolved on use.

A table is read without importing any engine; a model library is imported when its engine's module is.
"""

from __future__ import annotations

from importlib import import_module

STAGES = ("asr", "llm", "tts", "face")
STAND_IN = "stand-in"
"""What takes an engine's time without doing its work (actors/stand_in.py), in every stage: in no table, but found."""
HEARING_STAND_IN = "stand-in-ears"
"""The same for the listener, which is looked for among the engines of recognition."""


class UnknownEngine(ValueError):
    """No such stage, or no engine of that name in it; the message names those that there are."""


def engines(stage: str) -> dict[str, str]:
    """Name -> "module:Class" of a stage. Raises UnknownEngine for a stage that there is not."""
    if stage not in STAGES:
        raise UnknownEngine(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    return import_module(f"actors.{stage}").ENGINES


def resolve(stage: str, name: str) -> type:
    """The engine's class; constructing it loads the model.

    Raises UnknownEngine for an unknown name, and ImportError as it comes if the engine's library is not installed.
    """
    table = engines(stage)
    if name in (STAND_IN, HEARING_STAND_IN):
        stand_ins = import_module("actors.stand_in").ENGINES
        table = {**table, STAND_IN: stand_ins[stage], HEARING_STAND_IN: "actors.stand_in:Ears"}
    if name not in table:
        raise UnknownEngine(f"{stage} has no engine {name!r}; choose one of: {', '.join(sorted(table))}")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
