"""The declared metrics, bound to prometheus_client. This file knows no conversation."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from streaming.metrics import METRICS, Metric

_KINDS = {"counter": Counter, "gauge": Gauge}


class Instruments:
    """One process's metrics. Give ``record`` to every meter, and ``text()`` to who scrapes."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._bound = {metric.name: self._bind(metric) for metric in METRICS}

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Count ``value`` more, or observe it. Raises KeyError for a name that is not declared."""
        bound = self._bound[name]
        child = bound.labels(**labels) if labels else bound
        if isinstance(child, Histogram):
            child.observe(value)
        else:
            child.inc(value)

    def text(self) -> bytes:
        """Everything in the Prometheus text format."""
        return generate_latest(self._registry)

    def _bind(self, metric: Metric) -> Counter | Gauge | Histogram:
        if metric.kind == "histogram":
            return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self._registry)
        return _KINDS[metric.kind](metric.name, metric.help, metric.labels, registry=self._registry)
