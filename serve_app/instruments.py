"""The declared metrics of a gateway, bound to prometheus_client in one process, and to Ray under Serve.

This file knows no conversation.
"""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from actors.measuring import Measures
from streaming.metrics import METRICS, Metric

_KINDS = {"counter": Counter, "gauge": Gauge}


class Recording(Protocol):
    """Where a gateway's numbers go, and what it answers to who scrapes it."""

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Count ``value`` more, or observe it. Raises KeyError for a name that is not declared."""
        ...

    def text(self) -> bytes:
        """In the Prometheus text format."""
        ...


class Instruments:
    """One process's metrics. Give ``record`` to every meter, and ``text()`` to who scrapes."""

    measures: Measures | None = None
    """What is asked whenever somebody scrapes."""

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
        if self.measures:
            self.measures.tell()
        return generate_latest(self._registry)

    def _bind(self, metric: Metric) -> Counter | Gauge | Histogram:
        if metric.kind == "histogram":
            return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self._registry)
        return _KINDS[metric.kind](metric.name, metric.help, metric.labels, registry=self._registry)


class RayInstruments:
    """Those of a process of Ray's: its node's agent exports them, with those of all other processes there."""

    def __init__(self) -> None:
        from actors.metering import recorder

        self.record = recorder().record
        self.record("avatar_sessions_active", 0, {})  # a gateway without sessions is there, and can be told from none

    def text(self) -> bytes:
        """Says where the numbers are: one more copy here would count everything twice."""
        import ray

        own = ray.get_runtime_context().get_node_id()
        node = next(node for node in ray.nodes() if node["NodeID"] == own)
        address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        return f"# Ray exports the metrics of all processes of this node, with ray_ in front: {address}\n".encode()
