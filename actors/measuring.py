"""What is to be recorded from time to time, not with a call: engines' own numbers, and the GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from actors.gpus import Gpus
from streaming.metrics import Reading, Record


@runtime_checkable
class Measuring(Protocol):
    """An engine that has numbers of its own to tell."""

    def measured(self) -> Iterable[Reading]:
        """What there is to record since the last question."""
        ...


class Measures:
    """Those of one process."""

    def __init__(self, record: Record, engines: Iterable[Any], gpus: Callable[[], Gpus] = Gpus) -> None:
        """``engines`` that are no ``Measuring`` are never asked."""
        self._record = record
        self._engines = [engine for engine in engines if isinstance(engine, Measuring)]
        self._gpus = gpus()
        self._told: dict[tuple[str, str], float] = {}

    def tell(self) -> None:
        """Record what there is now."""
        for engine in self._engines:
            for reading in engine.measured():
                self._record(*reading)
        for gpu in self._gpus.now():
            self._level("avatar_gpu_memory_used_bytes", gpu.name, gpu.used)
            self._level("avatar_gpu_memory_total_bytes", gpu.name, gpu.total)
            self._level("avatar_gpu_utilization_ratio", gpu.name, gpu.busy)

    def _level(self, name: str, gpu: str, value: float) -> None:
        """A gauge is told how far it rose or fell."""
        self._record(name, value - self._told.get((name, gpu), 0.0), {"gpu": gpu})
        self._told[name, gpu] = value
