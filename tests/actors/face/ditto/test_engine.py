"""Ditto's stage with small networks: exact frames, the same pictures however a reply is cut, and clear refusals."""

from __future__ import annotations

import tests.actors.face.ditto.needs  # isort: skip  # noqa: F401  # skips this file where torch is missing

import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from actors.face.ditto.engine import LOOK_AHEAD, Ditto, Picture
from actors.face.ditto.plan import Plan
from actors.face.ditto.reply import LEAST
from streaming.media import FRAME, frames_for
from streaming.stages import Avatar, FaceState, Span, StageError
from tests.actors.face.ditto.tiny import ditto
from tests.actors.face.speech import sound, span

PCM = sound()
TOTAL = frames_for(len(PCM) // 2)


@pytest.fixture(scope="module")
def face() -> Ditto:
    return ditto()


@pytest.fixture(scope="module")
def other() -> Ditto:
    return ditto()


def drawn(engines: Sequence[Ditto], cuts: Sequence[int], plan: str = "") -> tuple[list[int], bytes]:
    """Checksums of a reply's pictures cut at ``cuts``, span by span on another engine; the last state's data."""
    sums, state, edges = [], None, [0, *cuts, TOTAL]
    for number, (first, end) in enumerate(pairwise(edges)):
        engine = engines[number % len(engines)]
        ahead = None if end == TOTAL else LOOK_AHEAD
        wanted = replace(span(PCM, (), first, end - first, ahead), plan=plan)
        for item in engine.draw(wanted, engine.avatar, state):
            if isinstance(item, Picture):
                assert item.pixels is not None
                sums.append(zlib.crc32(item.pixels.tobytes()))
            else:
                state = item
    assert state is not None
    return sums, state.data


def test_cutting_a_reply_anywhere_gives_the_same_pictures_on_whatever_replica(face: Ditto, other: Ditto) -> None:
    whole, end = drawn([face], [])
    assert len(whole) == TOTAL and len(set(whole)) > TOTAL // 2
    assert drawn([other], [1]) == (whole, end)
    assert drawn([face, other], [7, 8, 20, TOTAL - 12]) == (whole, end)
    assert drawn([other, face], list(range(1, TOTAL - 11))) == (whole, end)


@pytest.mark.parametrize("plan", ["", "strides=70;steps=2", "still"])
def test_no_more_sound_is_needed_than_is_told(face: Ditto, plan: str) -> None:
    """A stride too wide for the sound gives way to a narrower one."""
    for first in range(11):
        enough = replace(span(PCM, (), 0, first + 1, LEAST), plan=plan)
        assert sum(1 for _ in face.draw(enough, face.avatar, None)) == first + 2
    short = replace(span(PCM, (), 0, 6, LEAST - 1), plan=plan)
    with pytest.raises(StageError, match=r"frame \d needs sound up to .*look_ahead_ms = 446"):
        list(face.draw(short, face.avatar, None))


@pytest.mark.parametrize("samples", [1, 959, 960, 961, 5 * 960, 12 * 960 + 1])
def test_any_length_of_sound_gives_exactly_its_frames(face: Ditto, samples: int) -> None:
    pcm = PCM[: 2 * samples]
    items = list(face.draw(span(pcm), face.avatar, None))
    assert [item.pts for item in items] == [k * FRAME for k in range(frames_for(samples) + 1)]
    assert isinstance(items[-1], FaceState)


def test_a_plan_of_wide_windows_gives_other_pictures_and_as_many(face: Ditto) -> None:
    narrow, wide = drawn([face], []), drawn([face], [], str(Plan((20, 40), 10)))
    assert len(narrow[0]) == len(wide[0])
    assert narrow[0] != wide[0]
    assert drawn([face], [], str(Plan((20, 40), 10))) == wide


def test_the_last_picture_is_the_idle_loops_whatever_was_said(face: Ditto) -> None:
    ends = []
    for seed in (1, 2):
        *_, last, _ = face.draw(span(PCM, seed=seed, idle_frame=60), face.avatar, None)
        assert isinstance(last, Picture) and last.pixels is not None
        ends.append(last.pixels)
    assert np.array_equal(*ends)


def test_a_reply_whose_memory_was_lost_goes_on(face: Ditto) -> None:
    items = list(face.draw(span(PCM, (), 13), face.avatar, None))
    assert [item.pts // FRAME for item in items] == list(range(13, TOTAL + 1))


def test_what_does_not_fit_is_refused(face: Ditto) -> None:
    *_, state = face.draw(span(PCM, (), 0, 5, LOOK_AHEAD), face.avatar, None)
    assert isinstance(state, FaceState) and len(state.data) < 400_000
    wrong: list[tuple[Span, Avatar, FaceState | None, str]] = [
        (replace(span(PCM), pts=100), face.avatar, None, "whole frame"),
        (replace(span(PCM), pcm24k=b"odd"), face.avatar, None, "whole samples"),
        (replace(span(PCM), plan="fast"), face.avatar, None, "a plan looks like"),
        (span(PCM, (), 9), face.avatar, state, "send the state that the span before gave"),
        (span(PCM, (), 5), face.avatar, replace(state, engine="portrait"), "send the state"),
        (span(PCM, (), 5), face.avatar, replace(state, data=state.data[:-1]), "start the reply anew"),
        (span(PCM, (), 5), face.avatar, replace(state, data=b"DT01"), "start the reply anew"),
        (span(PCM), replace(face.avatar, id="nobody"), None, "there is no avatar 'nobody'"),
    ]
    for wanted, avatar, given, said in wrong:
        with pytest.raises(StageError, match=said):
            next(iter(face.draw(wanted, avatar, given)))
