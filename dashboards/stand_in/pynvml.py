"""A GPU that is not there, for dashboards/trial.py: NVIDIA's library as far as actors/gpus.py asks it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """Never raised here."""


def nvmlInit() -> None:
    """Is there at once."""


def nvmlDeviceGetCount() -> int:
    return 1


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def nvmlDeviceGetMemoryInfo(device: int) -> Any:
    return SimpleNamespace(used=14 * 2**30, total=23 * 2**30)


def nvmlDeviceGetUtilizationRates(device: int) -> Any:
    return SimpleNamespace(gpu=42)
