"""The declared metrics (streaming/metrics.py) bound to Ray, for whatever runs in one of its processes.

Ray's agent of each node exports them under the same names with ``ray_`` in front; the scrape configuration in
dashboards/ takes that away again. One binding a process: two would be two series that collide.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

import threading
import time
from collections import defaultdict
from functools import cache
from typing import Any

from ray.util.metrics import Counter, Gauge, Histogram

from streaming.metrics import METRICS, Metric

AGAIN_S = 4.0
"""Ray exports a gauge only if it was set since the export before; those are ten seconds apart."""


class RayMetrics:
    """What a process of Ray counts. ``record`` may be called from any thread."""

    def __init__(self) -> None:
        self._bound = {metric.name: _bind(metric) for metric in METRICS}
        self._levels: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)
        self._lock = threading.Lock()

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Count ``value`` more, or observe it. Raises KeyError for a name that is not declared."""
        bound = self._bound[name]
        match bound:
            case Histogram():
                bound.observe(value, labels)
            case Counter():
                if value > 0:  # Ray refuses to count nothing
                    bound.inc(value, labels)
            case _:
                with self._lock:  # Ray's gauge is set, ours rises and falls
                    at = (name, tuple(labels.items()))
                    self._levels[at] += value
                    bound.set(self._levels[at], labels)

    def again(self) -> None:
        """Set every gauge to where it is."""
        with self._lock:
            for (name, labels), level in self._levels.items():
                self._bound[name].set(level, dict(labels))


@cache
def recorder() -> RayMetrics:
    """This process's metrics; its gauges are kept known to Ray for as long as it lives."""
    metrics = RayMetrics()

    def keep() -> None:
        while True:
            time.sleep(AGAIN_S)
            metrics.again()

    threading.Thread(target=keep, name="gauges", daemon=True).start()
    return metrics


def _bind(metric: Metric) -> Any:
    if metric.kind == "histogram":
        # Ray takes no bound of 0; what lies at it is counted into the next.
        bounds = [bound for bound in metric.buckets if bound > 0]
        return Histogram(metric.name, metric.help, boundaries=bounds, tag_keys=metric.labels)
    return {"counter": Counter, "gauge": Gauge}[metric.kind](metric.name, metric.help, tag_keys=metric.labels)
