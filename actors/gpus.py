"""What NVIDIA's management library says of the GPUs of this machine. Without it, or without a GPU, nothing is said.

A process sees all of them here, whatever share of which one it was given: whoever adds up takes one a machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU now."""

    name: str
    """Its index on this machine."""
    used: float
    """Bytes, of all processes."""
    total: float
    """Bytes."""
    busy: float
    """Share of the last moment in which it worked, 0 to 1."""


class Gpus:
    """The GPUs of this machine."""

    def __init__(self, library: Callable[[], Any] = lambda: import_module("pynvml")) -> None:
        self._nvml: Any = None
        try:
            nvml = library()
        except ImportError:
            log.info("GPUs are not watched: nvidia-ml-py is not installed here")
            return
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            log.info("GPUs are not watched: %s", error)
            return
        self._nvml = nvml

    def now(self) -> Iterator[Gpu]:
        """Each of them, as it is now. One that cannot be asked is left out, and that is said."""
        nvml = self._nvml
        for index in range(nvml.nvmlDeviceGetCount() if nvml else 0):
            try:
                device = nvml.nvmlDeviceGetHandleByIndex(index)
                memory, busy = nvml.nvmlDeviceGetMemoryInfo(device), nvml.nvmlDeviceGetUtilizationRates(device)
            except nvml.NVMLError as error:
                log.warning("GPU %d cannot be asked: %s", index, error)
                continue
            yield Gpu(str(index), float(memory.used), float(memory.total), busy.gpu / 100)
