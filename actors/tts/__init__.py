"""Voices: text to speech. Each engine is a class whose constructor loads the model; see streaming.stages.Voice."""

from __future__ import annotations

ENGINES = {"hibari": "actors.tts.hibari:Hibari"}
"""Name in the settings -> "module:Class", imported only when it is asked for (actors.engines.resolve)."""
