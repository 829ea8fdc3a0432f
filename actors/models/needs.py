"""Which models an engine reads, told without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WHISPER = {
    "tiny.en": "whisper-tiny.en",
    "base": "whisper-base",
    "turbo": "whisper-turbo",
    "large-v3": "whisper-large-v3",
}
"""What the engine ``whisper`` calls its models -> the model of the manifest."""

ENGINES: Mapping[str, tuple[str, ...]] = {
    "silero": ("silero-v6",),
    "smart_turn": ("smart-turn-v3.2",),
    "hibari": ("hibari",),
    "kokoro": ("kokoro", "hibari"),
    "xtts": ("xtts-v2",),
    "smollm": ("smollm2",),
    "ditto": ("ditto",),
}
"""Engine -> its models; Whisper's go by its argument. Those that are not here read none."""


def needed(engine: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the models without which the engine does not start."""
    if engine == "whisper":
        name = WHISPER.get(str(arguments.get("model") or "tiny.en"))
        return (name, "silero-v6") if name else ("silero-v6",)  # a folder of one's own is nobody's model here
    if engine == "polyglot":
        names = str(arguments.get("engines") or "hibari,kokoro").split(",")
        return tuple(dict.fromkeys(model for name in names for model in needed(name.strip(), {})))
    if engine == "smollm" and arguments.get("model"):
        return ()  # a file of one's own
    return ENGINES.get(engine, ())
