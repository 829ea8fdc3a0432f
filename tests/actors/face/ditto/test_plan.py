"""Strides: early while little is spoken, wide while much is; the text a plan travels as; and what needs no torch."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from actors.face.ditto.engine import Ditto
from actors.face.ditto.plan import DEFAULT, EVERY, Plan, Standing, choose, parse
from streaming.stages import FaceLoad, StageError

QUICK = FaceLoad(chunk_ms=4, window_ms=20, frame_ms=15)


def test_little_sound_gives_the_soonest_picture() -> None:
    assert choose(Standing(frames=10), QUICK) == Plan((5, 5))
    assert choose(Standing(frames=4), QUICK) == Plan((5,))


def test_a_voice_ahead_of_real_time_gets_wide_windows() -> None:
    """Two seconds known, a second until the next picture is due."""
    late = Standing(frames=50, open=5, slack_ms=1000)
    assert choose(late, QUICK, allowed=EVERY) == Plan((40, 5, 5))
    assert choose(late, QUICK) == Plan((10, 10, 10, 10, 5, 5))


def test_strides_grow_while_a_reply_gets_ahead() -> None:
    """Eight seconds known and nothing in hand."""
    assert choose(Standing(frames=195), QUICK) == Plan((5, 5, 10, 70, 70, 10, 10, 10, 5))


def test_dear_windows_are_never_so_narrow_that_they_lose_time() -> None:
    """A window costs 200 ms and a picture wins 25: only ten pictures or more pay for it."""
    dear = FaceLoad(chunk_ms=4, window_ms=200, frame_ms=15)
    assert choose(Standing(frames=195, open=5), dear, allowed=EVERY).strides == (*[10] * 9, 40, 40, 20, 5)
    hopeless = FaceLoad(chunk_ms=4, window_ms=200, frame_ms=45)
    assert choose(Standing(frames=195), hopeless).strides[:2] == (70, 70), "then as cheap as can be"


def test_a_whole_reply_known_in_advance_takes_few_windows() -> None:
    known = Standing(frames=145, open=5, slack_ms=60_000)
    assert choose(known, QUICK) == Plan((70, 70, 5))
    assert choose(replace(known, ended=True), QUICK) == Plan((70, 70, 70))
    assert choose(Standing(12, 0, 60_000, ended=True), QUICK) == Plan((70,)), "past the end nothing is heard"


def test_no_more_windows_than_the_frames_that_are_wanted_need() -> None:
    known = Standing(frames=145, open=10, slack_ms=60_000)
    assert choose(known, QUICK, wanted=25) == Plan((70,))
    assert choose(known, QUICK, wanted=0) == Plan((5,))


def test_strides_that_nobody_judged_are_taken_only_where_they_are_allowed() -> None:
    known = Standing(frames=25, open=5, slack_ms=5_000)
    assert choose(known, QUICK) == Plan((10, 10, 5))
    assert choose(known, QUICK, allowed=EVERY) == Plan((20, 5))
    with pytest.raises(ValueError, match="allow at least one stride"):
        choose(known, QUICK, allowed=())


def test_a_plan_travels_as_text() -> None:
    plan = Plan((5, 5, 10, 70), 25)
    assert str(plan) == "strides=5,5,10,70;steps=25"
    assert parse(str(plan)) == plan
    assert parse("") == DEFAULT == Plan((5,), 10)
    assert [plan.stride(window) for window in (0, 2, 3, 9)] == [5, 10, 70, 70]
    halved = Plan((5,), 10, every=2)
    assert str(halved) == "strides=5;steps=10;every=2" and parse(str(halved)) == halved
    assert str(parse("still")) == "still"


def test_a_plan_says_which_frames_are_drawn() -> None:
    halved, still = parse("strides=5;steps=10;every=2"), parse("still")
    assert [frame for frame in range(8) if halved.draws(frame, None)] == [0, 2, 4, 6]
    assert [frame for frame in range(8) if halved.draws(frame, 8)] == [0, 2, 4, 6, 7], (
        "a reply ends in its last picture"
    )
    assert not any(still.draws(frame, 8) for frame in range(8))
    assert all(DEFAULT.draws(frame, None) for frame in range(8))


@pytest.mark.parametrize(
    "text",
    ["fast", "strides=5", "strides=7;steps=10", "strides=5;steps=0", "strides=;steps=1", "strides=5;steps=5;every=3"],
)
def test_a_plan_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plan"):
        parse(text)


def test_without_torch_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "actors.face.ditto.runtime.torch", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        StageError, match=r"Ditto's runtime 'torch' needs torch; install it: pip install 'realtime-avatar\[ditto\]'"
    ):
        Ditto("models")
    with pytest.raises(StageError, match="no runtime 'fast' for Ditto; choose one of torch"):
        Ditto("models", runtime="fast")
    with pytest.raises(StageError, match="no mood 'bored'; choose one of angry"):
        Ditto(mood="bored")
