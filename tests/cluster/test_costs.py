"""What an hour of speech costs is worked out by a program, and docs/operations.md says what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import costs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def test_the_document_has_the_table_that_is_worked_out() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert costs.written(text) == text, "run python -m cluster.costs --write"


def test_a_machine_that_always_runs_costs_all_of_its_day() -> None:
    way = costs.Way("machine", {"g2-standard-8": 1}, {})
    assert way.hour == costs.PRICES["g2-standard-8"]
    assert way.day == pytest.approx(24 * way.hour)
    assert costs.speaking(way.hour, 0.5) == pytest.approx(2 * way.hour)


def test_what_ends_when_nobody_is_there_costs_its_hours_only() -> None:
    way = costs.Way("cluster", {"e2-standard-4": 2}, {"g2-standard-12": 1})
    always, card = 2 * costs.PRICES["e2-standard-4"], costs.PRICES["g2-standard-12"]
    assert way.hour == pytest.approx(always + card)
    assert way.day == pytest.approx(24 * always + costs.OPEN_H * card)


def test_every_row_follows_from_its_own_numbers() -> None:
    """Read as a person would: both sides of every equals sign are the same to the cent."""
    rows = [row for row in costs.table().splitlines()[2:]]
    assert len(rows) == len(costs.WAYS)
    for row in rows:
        for sum_ in (cell for cell in row.split("|") if " = " in cell):
            left, right = sum_.replace("$", "").split("=")
            price, share = (float(part) for part in left.split("/"))
            assert price / share == pytest.approx(float(right), abs=0.05), row


def test_a_document_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table"):
        costs.written("nothing here")


def test_every_way_in_a_cloud_has_its_row() -> None:
    named = {way.name.split(",")[0] for way in costs.WAYS}
    assert named == {"vm", "gke", "cloudrun"}
