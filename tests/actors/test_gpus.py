"""What is said of GPUs, and that nothing is where there is no library, no driver or no answer."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from actors.gpus import Gpu, Gpus


class Nvml:
    """NVIDIA's library with two GPUs, of which one may be out of order."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, driver: bool = True, broken: int | None = None) -> None:
        self._driver, self._broken = driver, broken

    def nvmlInit(self) -> None:
        if not self._driver:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index == self._broken:
            raise self.NVMLError("GPU is lost")
        return index

    def nvmlDeviceGetMemoryInfo(self, device: int) -> Any:
        return SimpleNamespace(used=1000 * (device + 1), total=24_000)

    def nvmlDeviceGetUtilizationRates(self, device: int) -> Any:
        return SimpleNamespace(gpu=60)


def test_each_gpu_says_its_memory_and_how_busy_it_is() -> None:
    assert list(Gpus(Nvml).now()) == [Gpu("0", 1000, 24_000, 0.6), Gpu("1", 2000, 24_000, 0.6)]


def test_without_library_or_driver_nothing_is_said_but_why(caplog: pytest.LogCaptureFixture) -> None:
    def absent() -> Any:
        raise ImportError("no pynvml")

    with caplog.at_level(logging.INFO):
        assert list(Gpus(absent).now()) == []
        assert list(Gpus(lambda: Nvml(driver=False)).now()) == []
    assert caplog.messages == [
        "GPUs are not watched: nvidia-ml-py is not installed here",
        "GPUs are not watched: Driver Not Loaded",
    ]


def test_a_gpu_that_cannot_be_asked_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    assert [gpu.name for gpu in Gpus(lambda: Nvml(broken=0)).now()] == ["1"]
    assert caplog.messages == ["GPU 0 cannot be asked: GPU is lost"]
