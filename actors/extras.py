"""Which extras of pyproject.toml an engine needs beyond the base, told without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENGINES: Mapping[str, tuple[str, ...]] = {"kokoro": ("kokoro",), "smollm": ("local-llm",), "xtts": ("xtts",)}
"""Engine -> its extras; Ditto's go by its argument. Those that are not here need none."""

RUNTIMES: Mapping[str, tuple[str, ...]] = {
    "torch": ("ditto",),
    "onnx": (),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt-rtx",),
}
"""What runs Ditto -> the extras. What makes its files needs ``ditto`` too, once."""

ON_GPUS = ("tensorrt", "tensorrt-rtx")
"""Runtimes that run on NVIDIA's GPUs alone."""


def needed(engine: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the extras without which the engine does not start."""
    if engine == "ditto":
        return RUNTIMES.get(str(arguments.get("runtime") or "torch"), ())
    if engine == "polyglot":
        names = str(arguments.get("engines") or "hibari,kokoro").split(",")
        return tuple(dict.fromkeys(extra for name in names for extra in needed(name.strip(), {})))
    return ENGINES.get(engine, ())


def on_gpu(engine: str, arguments: Mapping[str, Any]) -> bool:
    """Whether these arguments let the engine run on NVIDIA's GPUs only."""
    runs = engine == "ditto" and str(arguments.get("runtime")) in ON_GPUS
    return runs or str(arguments.get("device", "")).startswith("cuda")
