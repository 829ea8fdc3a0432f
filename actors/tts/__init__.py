"""Voices: text to speech. Each engine is a class whose constructor loads the model; see streaming.stages.Voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.models.kokoro import SHA256 as _KOKORO

ENGINES = {
    "hibari": "actors.tts.hibari:Hibari",
    "kokoro": "actors.tts.kokoro.engine:Kokoro",
    "polyglot": "actors.tts.polyglot:Polyglot",
    "xtts": "actors.tts.xtts.engine:Xtts",
}
"""Name in the settings -> "module:Class", imported only when it is asked for (actors.engines.resolve)."""


@dataclass(frozen=True, slots=True)
class Skill:
    """What an engine can speak as, told without loading it."""

    clones: bool = False
    """True: it also speaks with voices that people bring, named by their id (actors/tts/voices.py)."""
    voices: Mapping[str, str] = field(default_factory=dict[str, str])
    """Its own voices: name -> language, ISO 639-1."""


_LETTERS = {"a": "en", "b": "en", "e": "es", "z": "zh"}
"""First letter of the name of a voice of Kokoro's -> its language."""

_OF_KOKORO = {"default": "en"} | {name: _LETTERS[name[0]] for name in _KOKORO}

SKILLS = {
    "hibari": Skill(clones=False, voices={"default": "en"}),
    "kokoro": Skill(clones=False, voices=_OF_KOKORO),
    "polyglot": Skill(clones=False, voices=_OF_KOKORO),
    "xtts": Skill(clones=True, voices={"default": "en"}),
}
"""Engine name -> its skill. An engine that is not listed speaks with what it knows, and clones nothing."""
