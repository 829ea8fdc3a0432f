"""The simulated crowd: the same story twice is the same, and what a replica does for it is what it promises."""

from __future__ import annotations

import pytest

from serve_app.bench import scheduler as bench
from serve_app.bench.crowd import ORDERS, Story, costs, tell
from serve_app.bench.scheduler import OTHERS, missing


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    story = Story(12.0, 3, bursts=True, seconds=10.0)
    assert tell(story, "whole") == tell(story, "whole")
    assert tell(story, "whole") != tell(Story(12.0, 3, bursts=True, seconds=10.0, seed=2), "whole")


def test_the_assumed_gpu_saves_little_of_a_picture_and_most_of_a_window() -> None:
    gpu = costs(10.0)
    assert [gpu.ms("draw", size) for size in (1, 2, 8)] == pytest.approx([10, 18, 66])
    assert [gpu.ms("move", size) for size in (1, 2, 8)] == pytest.approx([5, 6.5, 15.5])


def test_with_room_enough_every_picture_is_there_in_every_order() -> None:
    for order in ORDERS:
        seen = tell(Story(8.0, 2, seconds=10.0), order)
        assert (seen.skipped, seen.late, seen.refused, seen.waited) == (0, 0, 0, 0), order
        assert seen.frames > 200 and seen.rung == ""


def test_a_session_that_stalls_costs_the_others_nothing_that_they_would_notice() -> None:
    alone, beside = (
        tell(Story(8.0, 3, bursts=True, stalled=stalled, seconds=10.0), "whole") for stalled in (False, True)
    )
    assert beside.frames == alone.frames and beside.skipped == alone.skipped == 0
    assert max(beside.lateness) < 8


def test_more_than_the_device_can_do_is_refused_and_the_others_are_drawn() -> None:
    seen = tell(Story(24.0, 6, seconds=10.0), "whole")
    assert seen.sessions == 3 and seen.refused > 0 and seen.rung == "rate"
    assert missing(seen) < 0.15 < 0.5 < min(missing(tell(Story(24.0, 6, seconds=10.0), order)) for order in OTHERS)


def test_the_quick_tables_bars_hold() -> None:
    result = bench.scheduler(quick=True)
    assert [str(bar) for bar in result.bars if not bar.holds] == []
    assert len(result.rows) == len(bench.stories(quick=True)) and all(len(r) == len(result.header) for r in result.rows)
