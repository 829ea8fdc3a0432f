"""How much of a GPU's memory this process may take: told by its environment, because Ray's fractions limit nothing.

The settings (``ray.<deployment>.caps``) become environment variables of a replica; whoever allocates reads them here.
This file knows no engine and no Ray.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)

VARIABLES = {
    "torch": "GPU_CAP_TORCH_FRACTION",
    "tensorrt_mb": "GPU_CAP_TENSORRT_WORKSPACE_MB",
    "vllm": "GPU_CAP_VLLM_UTILISATION",
}
"""Name of the cap in the settings -> environment variable."""


def variables(caps: Mapping[str, float]) -> dict[str, str]:
    """The environment of a replica with these caps; 0 is none."""
    return {VARIABLES[name]: f"{value:g}" for name, value in caps.items() if value}


def cap(name: str, environment: Mapping[str, str] = os.environ) -> float:
    """The cap called ``torch``, ``tensorrt_mb`` or ``vllm``; 0 if there is none.

    Raises ValueError for a variable that is no number.
    """
    text = environment.get(VARIABLES[name], "")
    try:
        return float(text or 0)
    except ValueError:
        raise ValueError(f"{VARIABLES[name]} is {text!r}; make it a number") from None


def limit_torch(
    environment: Mapping[str, str] = os.environ, library: Callable[[], Any] = lambda: import_module("torch")
) -> None:
    """Hold torch's allocator to its share of this process's GPU. Call it before an engine is built."""
    fraction = cap("torch", environment)
    if not fraction:
        return
    try:
        torch = library()
    except ImportError:
        log.info("torch: no limit of memory, because torch is not installed here")
        return
    if not torch.cuda.is_available():
        log.info("torch: no limit of memory, because it sees no GPU")
        return
    torch.cuda.set_per_process_memory_fraction(fraction)
    log.info("torch: %.0f %% of the GPU's memory, because %s says so", 100 * fraction, VARIABLES["torch"])
