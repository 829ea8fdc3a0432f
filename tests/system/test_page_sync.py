"""Lips and sound in a real browser, by the numbers on the canvas and in the loudspeaker; what an interruption leaves.

The long version of each, with tables, is `python -m serve_app.bench browser soak`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np

from serve_app import app
from serve_app.bench.browser import Bench, Talk, browsing
from serve_app.bench.soak import soaked
from serve_app.settings import load
from tests.system.chromium import LOOPED, MARKS

pytestmark = [*MARKS, LOOPED]

T = TypeVar("T")


def seen(story: Callable[[Bench], Awaitable[T]]) -> T:
    """What comes of a story in Chromium, with the engines that listen here."""

    async def told() -> T:
        settings = load("cpu")
        async with browsing() as browser:
            return await story(Bench(app.build_stages(settings), settings, browser))

    return asyncio.run(told())


def in_sync(talk: Talk, pictures: float) -> None:
    """So many pictures were meant to be seen, and nearly all were, with their sound."""
    away = np.abs(talk.skew)
    assert len(away) + talk.skipped >= 0.95 * pictures and talk.skipped < 0.2 * pictures
    assert talk.alone <= 0.01 * pictures
    assert np.percentile(away, 50) <= 20
    assert np.percentile(away, 95) <= 40


def test_lips_and_sound_are_together_on_the_canvas() -> None:
    in_sync(seen(lambda bench: bench.talk(3, 45)), 3 * 45 * 7.5)


def test_a_face_that_is_too_slow_stalls_the_sound_and_both_stay_together() -> None:
    talk = seen(lambda bench: bench.talk(1, 40, slow=1.3))
    assert talk.stalls > 2 and talk.stalled_ms > 1000
    in_sync(talk, 40 * 7.5)


def test_pictures_that_are_left_out_stall_nothing() -> None:
    """Every second one, and in mid-reply none for four seconds: a face under load."""
    left_out = {frame for frame in range(400) if frame % 2 or 100 <= frame < 200}
    talk = seen(lambda bench: bench.talk(1, 40, left_out=left_out))
    assert talk.stalled_ms < 500
    in_sync(talk, 40 * 7.5 - len([frame for frame in left_out if frame < 300]))


def test_a_network_that_stands_still_stalls_both_and_they_stay_together() -> None:
    talk = seen(lambda bench: bench.talk(1, 40, held_s=2.0))
    assert talk.stalls > 0
    in_sync(talk, 40 * 7.5)


def test_an_interrupted_reply_is_silent_at_once_and_leaves_no_picture() -> None:
    talks = seen(lambda bench: bench.interruptions(2))
    assert [talk.stale for talk in talks] == [0, 0]
    assert min(ms for talk in talks for ms in talk.silent) <= 100


def test_a_long_talk_leaves_nothing_behind() -> None:
    """Replies of a second, so that the 200 lines that are kept are full after less than three minutes."""
    before, full, after = seen(lambda b: soaked(b.stages, b.settings, b.browser, parts=2, part_min=2.9, words=3))
    assert (before.frames, full.frames, after.frames) == (0, 0, 0)
    assert after.heap - full.heap < 2**19
    assert after.nodes <= full.nodes * 1.2
