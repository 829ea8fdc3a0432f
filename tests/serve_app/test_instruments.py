"""What is recorded can be scraped."""

from __future__ import annotations

import pytest

from serve_app.instruments import Instruments
from streaming.metrics import METRICS


def test_every_declared_metric_can_be_recorded_and_scraped_under_its_name() -> None:
    instruments = Instruments()
    for metric in METRICS:
        instruments.record(metric.name, 1.0, dict.fromkeys(metric.labels, "x"))
    text = instruments.text().decode()
    for metric in METRICS:
        suffix = "_count" if metric.kind == "histogram" else ""
        assert f"\n{metric.name}{suffix}" in text


def test_what_is_not_declared_is_recorded_nowhere() -> None:
    with pytest.raises(KeyError, match="avatar_nonsense"):
        Instruments().record("avatar_nonsense", 1, {})
