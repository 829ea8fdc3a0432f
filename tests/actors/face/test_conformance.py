"""What every face must do, whichever engine draws it: streaming/stages.py says it, and this is how it is tried."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from actors.face import ENGINES
from streaming.media import FRAME, FramePacket, frames_for
from streaming.stages import FaceState, Span, StageError
from tests.actors.face.speech import phones, sound, span

TOTAL = 24
PCM = sound()[: 2 * TOTAL * FRAME]
AHEAD = 10_703
"""Samples of look-ahead that are enough for each of them."""


def portrait() -> Any:
    from actors.face.portrait.engine import Portrait

    return Portrait()


def ditto() -> Any:
    """With its networks where torch is installed, else with sums in their place."""
    if find_spec("torch"):
        from tests.actors.face.ditto.tiny import ditto as tiny

        return tiny()
    from tests.actors.face.ditto.sums import ditto as sums

    return sums()


MAKERS: dict[str, Callable[[], Any]] = {"ditto": ditto, "portrait": portrait}
Pair = tuple[Any, Any]


@pytest.fixture(scope="module", params=list(MAKERS))
def faces(request: pytest.FixtureRequest) -> Pair:
    """Two replicas of one engine."""
    return MAKERS[request.param](), MAKERS[request.param]()


async def asked(face: Any, wanted: Span, state: FaceState | None = None) -> tuple[list[FramePacket], FaceState]:
    *sent, end = [item async for item in face.animate(wanted, face.avatar, state)]
    assert isinstance(end, FaceState)
    return [item for item in sent if isinstance(item, FramePacket)], end


def same_state(one: FaceState, other: FaceState) -> bool:
    """How busy the replica is may differ."""
    return replace(one, load=None) == replace(other, load=None)


def test_every_engine_is_tried() -> None:
    assert set(MAKERS) == set(ENGINES)


async def test_frames_are_exact_in_order_and_followed_by_one_state(faces: Pair) -> None:
    sent, state = await asked(faces[0], span(PCM, phones()))
    assert [packet.pts for packet in sent] == [k * FRAME for k in range(TOTAL)]
    assert [packet.key for packet in sent] == [True] + [False] * (TOTAL - 1)
    assert all(packet.data and packet.check for packet in sent)
    assert state.pts == TOTAL * FRAME
    assert len(state.data) <= 400_000


@pytest.mark.parametrize("samples", [1, 960, 961, 7 * 960 + 5])
async def test_part_of_a_frame_at_the_end_is_a_frame(faces: Pair, samples: int) -> None:
    sent, _ = await asked(faces[0], span(PCM[: 2 * samples], phones()))
    assert len(sent) == frames_for(samples)


async def test_a_session_that_moves_in_mid_reply_shows_the_same(faces: Pair) -> None:
    whole, end = await asked(faces[0], span(PCM, phones(), session="whole"))
    begun, state = await asked(faces[0], span(PCM, phones(), 0, 9, AHEAD, session="moved"))
    rest, last = await asked(faces[1], span(PCM, phones(), 9, session="moved"), state)
    assert [packet.check for packet in begun + rest] == [packet.check for packet in whole]
    assert same_state(last, end)
    assert rest[0].key, "another replica has no encoder that could go on"


async def test_a_session_that_stays_goes_on_in_its_stream_unless_asked_for_a_key_frame(faces: Pair) -> None:
    for fresh in (False, True):
        _, state = await asked(faces[0], span(PCM, phones(), 0, 9, AHEAD, session=f"stays {fresh}"))
        wanted = replace(span(PCM, phones(), 9, 3, AHEAD, session=f"stays {fresh}"), fresh=fresh)
        sent, _ = await asked(faces[0], wanted, state)
        assert [packet.key for packet in sent] == [fresh, False, False]


async def test_a_call_repeated_without_what_arrived_goes_on_with_a_key_frame(faces: Pair) -> None:
    whole, end = await asked(faces[0], span(PCM, phones()))
    rest, same = await asked(faces[1], span(PCM, phones(), skip=5))
    assert [packet.check for packet in rest] == [packet.check for packet in whole[5:]]
    assert rest[0].key
    assert same_state(same, end)


@pytest.mark.parametrize("heard", [1, 6, 13])
async def test_a_reply_may_be_cut_off_at_any_frame_and_the_next_one_is_as_if_it_had_not_been(
    faces: Pair, heard: int
) -> None:
    async with aclosing(faces[0].animate(span(PCM, phones(), session="cut"), faces[0].avatar, None)) as stream:
        for _ in range(heard):
            assert isinstance(await anext(stream), FramePacket)
    next_one, _ = await asked(faces[0], replace(span(PCM[:20_000], session="cut"), turn=2))
    alone, _ = await asked(faces[1], replace(span(PCM[:20_000], session="alone"), turn=2))
    assert [packet.check for packet in next_one] == [packet.check for packet in alone]


async def test_two_sessions_at_once_take_turns_and_do_not_touch_each_other(faces: Pair) -> None:
    alone, _ = await asked(faces[1], span(PCM, phones(), 0, 6, AHEAD))
    streams = [faces[0].animate(span(PCM, phones(), 0, 6, AHEAD, session=name), faces[0].avatar, None) for name in "ab"]
    taken = [await anext(stream) for stream in streams * 7]
    assert [item.check for item in taken[:12:2]] == [item.check for item in taken[1:12:2]]
    assert [item.check for item in taken[:12:2]] == [packet.check for packet in alone]
    assert all(isinstance(item, FaceState) for item in taken[12:])


async def test_another_engines_state_is_refused(faces: Pair) -> None:
    with pytest.raises(StageError, match="send the state"):
        await asked(faces[0], span(PCM, (), 5), FaceState("nobody", 5 * FRAME, b""))
