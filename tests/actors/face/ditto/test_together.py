"""Many sessions on one Ditto: what each gets does not depend on who else is there, and a broken one is alone.

The engine runs on sums here (sums.py), to the bit; where torch is installed also on small networks, to a grey level.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from actors.face.coders import Picture
from actors.face.ditto.engine import LOOK_AHEAD, Ditto
from streaming.media import FRAME, FramePacket, frames_for
from streaming.stages import FaceLoad, FaceState, Span, StageError
from tests.actors.face.ditto.sums import Sums, ditto
from tests.actors.face.speech import sound, span

PCM = sound()[: 2 * 22 * FRAME]
TOTAL = frames_for(len(PCM) // 2)


@pytest.fixture(scope="module")
def sums() -> Sums:
    return Sums()


@pytest.fixture(scope="module")
def face(sums: Sums) -> Ditto:
    return ditto(sums)


async def reply(face: Ditto, session: str, cuts: Sequence[int] = (), plan: str = "") -> tuple[list[FramePacket], bytes]:
    """The packets of a reply that is asked for span by span, and its last state's data."""
    packets, state, edges = list[FramePacket](), None, [0, *cuts, TOTAL]
    for first, end in pairwise(edges):
        ahead = None if end == TOTAL else LOOK_AHEAD
        wanted = replace(span(PCM, (), first, end - first, ahead, session=session), plan=plan)
        async for item in face.animate(wanted, face.avatar, state):
            if isinstance(item, FaceState):
                state = item
            else:
                packets.append(item)
    assert state is not None
    return packets, state.data


def alone(face: Ditto, wanted: Span) -> list[int]:
    """Checks of a span's pictures, drawn by itself."""
    items = face.draw(wanted, face.avatar, None)
    return [zlib.crc32(item.pixels.data) for item in items if isinstance(item, Picture) and item.pixels is not None]


async def test_what_a_session_gets_is_the_same_to_the_bit_in_any_company(face: Ditto, sums: Sums) -> None:
    expected = alone(face, span(PCM))
    sums.calls.clear()
    replies = await asyncio.gather(
        reply(face, "whole"), reply(face, "cut", (7, 8)), reply(face, "many", (5, 10)), reply(face, "again")
    )
    for packets, data in replies:
        assert [packet.check for packet in packets] == expected
        assert data == replies[0][1]
    told = face.measured()
    assert {(name, tags["stage"]) for name, _, tags in told} == {
        ("avatar_batch_size", "face")
    } and face.measured() == []
    assert sum(size for _, size, _ in told) == 4 * TOTAL
    assert max(size for kind, size in sums.calls if kind == "move") >= 3, "windows of several sessions at once"
    assert max(size for kind, size in sums.calls if kind == "draw") == 8


async def test_each_packet_is_of_its_own_session(face: Ditto) -> None:
    """Other seeds move otherwise; nobody gets another one's picture."""
    wanted = [replace(span(PCM, seed=seed, session=f"seed {seed}"), want_frames=TOTAL) for seed in range(3)]

    async def checks(one: Span) -> list[int]:
        return [item.check async for item in face.animate(one, face.avatar, None) if isinstance(item, FramePacket)]

    got = await asyncio.gather(*(checks(one) for one in wanted))
    assert got == [alone(face, one) for one in wanted]
    assert len({tuple(checks) for checks in got}) == 3


@pytest.mark.parametrize(
    ("plan", "drawn"),
    [
        ("strides=5,10;steps=5", list(range(TOTAL))),
        ("strides=5;steps=5;every=2", [*range(0, TOTAL, 2), *([TOTAL - 1] if TOTAL % 2 == 0 else [])]),
        ("still", []),
    ],
)
async def test_the_plan_is_obeyed(face: Ditto, plan: str, drawn: list[int]) -> None:
    packets, data = await reply(face, "planned", (7, 8), plan)
    assert [packet.pts // FRAME for packet in packets] == drawn
    assert data == (await reply(face, "again", (7, 8), plan))[1]


async def test_each_state_tells_how_the_replica_stands(face: Ditto) -> None:
    *_, state = [item async for item in face.animate(span(PCM[:9600]), face.avatar, None)]
    assert isinstance(state, FaceState) and isinstance(state.load, FaceLoad)
    assert min(state.load.chunk_ms, state.load.window_ms, state.load.frame_ms) > 0 and state.load.rung == ""


async def test_late_pictures_have_no_packet_but_the_first_and_the_last_have() -> None:
    """A device that takes 100 ms a picture, and somebody who listens: the clock is the device's own."""
    now = [0.0]

    class Slow(Sums):
        def draw(self, poses: Sequence[object]) -> np.ndarray:  # type: ignore[override]
            now[0] += 0.1 * len(poses)
            return super().draw(poses)  # type: ignore[arg-type]

    face = ditto(Slow(), batch=1)
    face._worker._clock = lambda: now[0]
    for size in range(3):  # what it costs is seen as it runs
        face._worker._scheduler.costs = face._worker._scheduler.costs.seen("draw", 1, 1.0, 100 + size)
    wanted = span(PCM, session="live", slack_ms=0)
    packets = [item async for item in face.animate(wanted, face.avatar, None) if isinstance(item, FramePacket)]
    pts = [packet.pts // FRAME for packet in packets]
    assert pts[0] == 0 and pts[-1] == TOTAL - 1 and pts == sorted(set(pts))
    assert len(pts) <= TOTAL * 40 // 100 + 4
    assert [packet.key for packet in packets] == [True] + [False] * (len(packets) - 1), "one stream, without the gaps"


async def test_a_reply_that_is_given_up_leaves_the_others_alone(face: Ditto) -> None:
    async with aclosing(face.animate(span(PCM, session="cut off"), face.avatar, None)) as items:
        await anext(items)
        other = asyncio.create_task(reply(face, "other"))
        await anext(items)
    packets, _ = await other
    assert len(packets) == TOTAL
    assert face._worker._streams == {}


async def test_a_poisoned_session_fails_alone(face: Ditto, sums: Sums) -> None:
    """Its poses break every batch that they are in; those with it are drawn again, one by one."""
    wanted = replace(span(PCM, session="poisoned"), pcm24k=(b"\x00\x40" * (len(PCM) // 2)))
    sums.poisoned = lambda pose: float(np.abs(pose.driving - pose.source).mean()) > 0.3

    async def poisoned() -> None:
        async for _ in face.animate(wanted, face.avatar, None):
            pass

    good = asyncio.gather(*(reply(face, f"good {k}") for k in range(3)))
    with pytest.raises(ValueError, match="cannot be drawn"):
        await poisoned()
    expected = alone(face, span(PCM))
    assert [[packet.check for packet in packets] for packets, _ in await good] == [expected] * 3
    sums.poisoned = lambda pose: False


async def test_what_does_not_fit_is_refused_and_nobody_else_notices(face: Ditto) -> None:
    async def bad() -> None:
        async for _ in face.animate(replace(span(PCM), plan="fast"), face.avatar, None):
            pass

    other = asyncio.create_task(reply(face, "other"))
    with pytest.raises(StageError, match="a plan looks like"):
        await bad()
    assert len((await other)[0]) == TOTAL


@pytest.mark.skipif(not find_spec("torch"), reason="networks need torch: pip install -c constraints.txt -e '.[ditto]'")
async def test_networks_draw_the_same_in_any_company_to_a_grey_level() -> None:
    from tests.actors.face.ditto.tiny import ditto as tiny

    face, short = tiny(batch=8), PCM[: 2 * 12 * FRAME]
    expected = [item.pixels for item in face.draw(span(short), face.avatar, None) if isinstance(item, Picture)]
    seen: list[list[np.ndarray]] = []

    async def one(session: str) -> None:
        due = face._worker.now() + 1e7
        stream = face._worker.stream(lambda: face._course(span(short, session=session), face.avatar, None, due))
        seen.append([make().pixels async for make in stream if not isinstance(make, FaceState)])

    await asyncio.gather(*(one(name) for name in "abc"))
    for pictures in seen:
        assert len(pictures) == 12
        for picture, own in zip(pictures, expected, strict=True):
            assert own is not None
            assert np.abs(picture.astype(int) - own.astype(int)).max() <= 1
