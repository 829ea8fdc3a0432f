"""The declared metrics bound to Ray. What Ray exports of them is seen by tests/system/test_ray.py."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ray import serve  # noqa: F401  # before ours, which would choose a mode that other tests cannot use in one process
from ray.util.metrics import Counter, Gauge, Histogram

from actors.metering import RayMetrics
from streaming.metrics import METRICS


class Seen:
    """Stands before Ray's three kinds and keeps what they are given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, float, dict[str, str]]] = []
        for kind, method in ((Counter, "inc"), (Gauge, "set"), (Histogram, "observe")):
            monkeypatch.setattr(kind, method, self._method)

    @property
    def _method(self) -> Any:
        def call(metric: Any, value: float, tags: dict[str, str]) -> None:
            if threading.current_thread() is threading.main_thread():  # not of the thread that sets gauges again
                self.calls.append((metric.info["name"], value, tags))

        return call


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    return Seen(monkeypatch)


def test_every_declared_metric_is_bound_with_its_labels(seen: Seen) -> None:
    metrics = RayMetrics()
    for metric in METRICS:
        metrics.record(metric.name, 1.0, dict.fromkeys(metric.labels, "x"))
    assert [name for name, _, _ in seen.calls] == [metric.name for metric in METRICS]


def test_gauges_rise_and_fall_for_each_set_of_labels(seen: Seen) -> None:
    metrics = RayMetrics()
    for stage, change in (("tts", 1), ("face", 1), ("tts", 1), ("tts", -1)):
        metrics.record("avatar_calls_active", change, {"stage": stage})
    assert [(tags["stage"], value) for _, value, tags in seen.calls] == [
        ("tts", 1),
        ("face", 1),
        ("tts", 2),
        ("tts", 1),
    ]


def test_a_gauge_that_does_not_move_is_set_again_for_ray_forgets_it(seen: Seen) -> None:
    metrics = RayMetrics()
    metrics.record("avatar_sessions_active", 2, {})
    metrics.record("avatar_calls_active", 1, {"stage": "tts"})
    metrics.again()
    assert seen.calls[2:] == [("avatar_sessions_active", 2, {}), ("avatar_calls_active", 1, {"stage": "tts"})]


def test_nothing_more_is_not_counted_for_ray_refuses_it(seen: Seen) -> None:
    RayMetrics().record("avatar_llm_tokens_total", 0, {"kind": "cached"})
    assert seen.calls == []


def test_what_is_not_declared_is_recorded_nowhere() -> None:
    with pytest.raises(KeyError, match="avatar_nonsense"):
        RayMetrics().record("avatar_nonsense", 1, {})
