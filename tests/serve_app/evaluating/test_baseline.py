"""A regression is worse by more than the tolerance, and beyond what the runs scatter by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serve_app.errors import UserError
from serve_app.evaluating import baseline, table
from serve_app.evaluating.baseline import Change, changes, content, fitting, read
from serve_app.evaluating.figures import KINDS, Figure, merged

ABOUT = {"machine": "a, 2 cores", "set": {"digest": "d"}}


def held(now: Figure, before: Figure, tmp_path: Path, machine: str = "a, 2 cores") -> Change:
    """``now`` against a baseline that was written with ``before``."""
    path = tmp_path / "base.json"
    path.write_text(json.dumps(content([before], ABOUT)))
    [change] = changes([now], fitting(read(path), "d"), machine)
    return change


@pytest.mark.parametrize(
    ("kind", "before", "now", "worse"),
    [
        ("errors", (4.0,), (4.5,), False),  # half a percent is a word
        ("errors", (4.0,), (4.6,), True),
        ("errors", (40.0,), (43.9,), False),  # a tenth
        ("errors", (40.0,), (44.1,), True),
        ("errors", (4.0,), (0.0,), False),
        ("answered", (100.0,), (99.0,), True),
        ("agreement", (0.80,), (0.76,), False),
        ("agreement", (0.80,), (0.75,), True),
        ("lag", (-8.0,), (17.0,), False),  # early or late is the same
        ("lag", (-8.0,), (19.0,), True),
        ("lag", (30.0,), (-2.0,), False),
        ("wait", (500.0, 520.0, 510.0), (700.0, 710.0, 650.0), True),
        ("wait", (500.0, 520.0, 900.0), (700.0, 710.0, 650.0), False),  # it was that slow before, once
        ("wait", (500.0, 520.0, 510.0), (700.0, 515.0, 650.0), False),  # it can still be that quick
    ],
)
def test_what_is_a_regression(
    tmp_path: Path, kind: str, before: tuple[float, ...], now: tuple[float, ...], worse: bool
) -> None:
    assert held(Figure("x", kind, now), Figure("x", kind, before), tmp_path).worse is worse


def test_a_regression_is_one_line_with_both_values_and_the_tolerance(tmp_path: Path) -> None:
    change = held(Figure("round trip", "errors", (9.0, 9.0)), Figure("round trip", "errors", (4.0,)), tmp_path)
    assert change.told == "round trip: 9.0 %, was 4.0 %; it may be worse by 10 %, 0.5 points at least"
    assert table.of_changes([change]).splitlines()[1].split() == (
        "round trip 9.0 % 4.0 % REGRESSION 10 %, 0.5 points at least".split()
    )


def test_scatter_and_improvement_are_told_as_such(tmp_path: Path) -> None:
    assert held(Figure("x", "wait", (720, 500)), Figure("x", "wait", (510, 490)), tmp_path).told == "within scatter"
    assert held(Figure("x", "wait", (200,)), Figure("x", "wait", (510,)), tmp_path).told == "better"
    assert held(Figure("x", "wait", (500,)), Figure("x", "wait", (510,)), tmp_path).told == "same"
    assert held(Figure("y", "wait", (500,)), Figure("x", "wait", ()), tmp_path).told == "new"


def test_times_of_another_machine_are_told_and_not_judged(tmp_path: Path) -> None:
    slow = Figure("x", "real time", (0.9,)), Figure("x", "real time", (0.1,))
    assert held(*slow, tmp_path).worse
    other = held(*slow, tmp_path, machine="b, 96 cores")
    assert not other.worse and other.told == "another machine" and other.before == 0.1
    deaf = Figure("x", "errors", (90.0,)), Figure("x", "errors", (1.0,))
    assert held(*deaf, tmp_path, machine="b, 96 cores").worse, "words are words on every machine"


def test_what_is_no_longer_measured_is_a_regression(tmp_path: Path) -> None:
    gone = held(Figure("lips", "agreement", (), "no mouth was found"), Figure("lips", "agreement", (0.9,)), tmp_path)
    assert gone.worse and gone.told == "lips: not measured (no mouth was found), was 0.90"
    path = tmp_path / "base.json"
    path.write_text(json.dumps(content([Figure("lips", "agreement", (0.9,)), Figure("y", "lag", ())], ABOUT)))
    [change] = changes([], read(path), "a, 2 cores")
    assert change.worse and "nothing measures it any more" in change.told


def test_a_figure_is_the_median_of_its_runs_and_shows_their_scatter() -> None:
    [figure, other] = merged(
        [
            [Figure("x", "wait", (500.0,), "six"), Figure("y", "errors", (), "why")],
            [Figure("x", "wait", (9000.0,), "six")],
            [Figure("x", "wait", (510.0,), "six")],
        ]
    )
    assert figure.value == 510 and figure.shown == "510 ms (500-9000)" and figure.note == "six"
    assert other.value is None and other.shown == "not measured" and other.note == "why"


def test_what_was_not_measured_for_one_reason_is_one_line() -> None:
    lips = [Figure(f"lips, {name}", "lag", (), "no face") for name in "abc"]
    shown = table.of_figures([Figure("x", "lag", (3.0,), "note"), *lips, Figure("y", "lag", (), "why")])
    assert [line.split() for line in shown.splitlines()] == [
        ["x", "3.0", "ms", "note"],
        "lips, a, and 2 more not measured no face".split(),
        "y not measured why".split(),
    ]


def test_every_kind_has_a_tolerance_that_can_be_read() -> None:
    assert KINDS["wait"].tolerance == "20 %, 50 ms at least"
    assert KINDS["lag"].tolerance == "10 ms" and KINDS["answered"].tolerance == "nothing"
    assert {name for name, kind in KINDS.items() if kind.timed} == {"real time", "work", "wait"}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "is no baseline"),
        ('{"version": 9, "figures": {}}', "is of another version"),
        ('{"version": 1, "set": {}, "machine": "", "figures": {}}', "is no baseline (KeyError: 'digest')"),
        (
            '{"version": 1, "set": {"digest": ""}, "machine": "", "figures": {"x": {"kind": "y", "runs": []}}}',
            "unknown kind 'y'",
        ),
    ],
)
def test_a_baseline_that_cannot_be_read_says_what_to_do(tmp_path: Path, written: str, says: str) -> None:
    path = tmp_path / "base.json"
    path.write_text(written)
    with pytest.raises(UserError) as told:
        read(path)
    assert says in str(told.value) and str(path) in str(told.value)


def test_a_baseline_that_is_not_there_or_of_another_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or directory; make one with --write-baseline"):
        read(tmp_path / "none.json")
    path = tmp_path / "base.json"
    path.write_text(json.dumps(content([], ABOUT)))
    with pytest.raises(UserError, match="is of another set"):
        baseline.fitting(read(path), "other")
