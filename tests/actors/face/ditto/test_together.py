"""Many sessions on one Ditto: what each gets does not depend on who else is there, and a broken one is alone.

The engine runs on sums here (sums.py), to the bit; where torch is installed also on small networks, to a grey level.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from actors.face.coders import Picture
from actors.face.ditto.engine import LOOK_AHEAD, Ditto
from actors.face.ditto.runtime import Pose
from actors.face.scheduling.costs import KINDS, Costs
from actors.models import ModelMissing
from actors.replica import Replica, unrecorded
from streaming.media import FRAME, FramePacket, frames_for
from streaming.stages import FaceLoad, FaceState, Span, StageError, StageLost
from tests.actors.face.ditto.sums import Sums, ditto
from tests.actors.face.speech import sound, span

PCM = sound()[: 2 * 22 * FRAME]
TOTAL = frames_for(len(PCM) // 2)


@pytest.fixture(scope="module")
def sums() -> Sums:
    return Sums()


@pytest.fixture(scope="module")
def face(sums: Sums) -> Ditto:
    """What its device costs is set: on a busy machine measuring may say that batches save nothing."""
    made = ditto(sums)
    made._worker._scheduler.costs = Costs.of({kind: {1: 1.0, 8: 2.0} for kind in KINDS})
    return made


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
    all_here = threading.Event()
    face._worker._executor.submit(all_here.wait)
    replies = asyncio.gather(
        reply(face, "whole"), reply(face, "cut", (7, 8)), reply(face, "many", (5, 10)), reply(face, "again")
    )
    for _ in range(12):  # each comes as far as the worker's door
        await asyncio.sleep(0)
    assert len(face._worker._opening) == 4
    all_here.set()
    for packets, data in await replies:
        assert [packet.check for packet in packets] == expected
        assert data == replies.result()[0][1]
    told = [reading for reading in face.measured() if reading[0] != "avatar_frames_skipped_total"]
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
    face.measured()
    packets, data = await reply(face, "planned", (7, 8), plan)
    assert [packet.pts // FRAME for packet in packets] == drawn
    skipped = {labels["reason"]: n for name, n, labels in face.measured() if name == "avatar_frames_skipped_total"}
    left, reason = TOTAL - len(drawn), "still" if plan == "still" else "rate"
    assert skipped == ({reason: left} if left else {})
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
    assert ("avatar_frames_skipped_total", TOTAL - len(pts), {"reason": "late"}) in face.measured()
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


async def test_a_device_that_fails_for_ever_is_told_and_makes_its_replica_unhealthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after an illegal address on a GPU: every call fails until the process ends."""

    class Gone(Sums):
        gone = False

        def draw(self, poses: Sequence[Pose]) -> np.ndarray:
            if self.gone:
                raise RuntimeError("an illegal address")
            return super().draw(poses)

    device = Gone()
    face = ditto(device)
    monkeypatch.setattr("actors.replica.resolve", lambda stage, name: lambda: face)
    replica = Replica("face", "ditto", {}, 30.0, unrecorded, gpus=lambda: SimpleNamespace(now=lambda: []))  # type: ignore[arg-type, return-value]
    assert len((await reply(face, "before"))[0]) == TOTAL
    replica.check()
    device.gone = True
    for session in ("then", "later"):
        with pytest.raises(StageLost, match="does not work any more: an illegal address"):
            await reply(face, session)
        with pytest.raises(StageLost, match="illegal address"):
            replica.check()


def test_without_a_folder_the_converted_weights_are_those_that_were_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    with pytest.raises(ModelMissing, match="ditto-built is missing: avatar models pull ditto"):
        Ditto()
    asked: list[Path] = []

    def opened(name: str, models: Path, device: str) -> Sums:
        asked.append(models)
        raise StageError("seen")

    (tmp_path / "ditto-built").mkdir()
    monkeypatch.setattr("actors.face.ditto.engine.opened", opened)
    with pytest.raises(StageError, match="seen"):
        Ditto()
    assert asked == [tmp_path / "ditto-built"]


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
