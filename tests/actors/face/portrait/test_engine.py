"""A reply drawn in spans: the same pictures however it is cut, packets in order, and clear refusals."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError

from actors.face.avatars import BUILT_IN
from actors.face.portrait.engine import LOOK_AHEAD, Picture, Portrait
from actors.face.portrait.idle import idle_pose
from actors.face.portrait.render import Renderer
from actors.face.portrait.rig import load
from streaming.media import FRAME, FramePacket, frames_for
from streaming.stages import Avatar, FaceState, Phone, Span, StageError
from tests.actors.face.speech import phones, sound, span


@pytest.fixture(scope="module")
def face() -> Portrait:
    return Portrait()


@pytest.fixture(scope="module")
def other() -> Portrait:
    return Portrait()


PCM = sound()
TOTAL = frames_for(len(PCM) // 2)


def drawn(engines: Sequence[Portrait], cuts: Sequence[int], known: Sequence[Phone]) -> tuple[list[int], bytes]:
    """Checksums of a reply's pictures cut at ``cuts``, span by span on another engine; the last state's data."""
    sums, state, edges = [], None, [0, *cuts, TOTAL]
    for number, (first, end) in enumerate(pairwise(edges)):
        engine = engines[number % len(engines)]
        ahead = None if end == TOTAL else LOOK_AHEAD
        for item in engine.draw(span(PCM, known, first, end - first, ahead), engine.avatar, state):
            if isinstance(item, FaceState):
                state = item
            elif item.pixels is not None:
                sums.append(zlib.crc32(item.pixels.tobytes()))
    assert state is not None
    return sums, state.data


async def packets(
    engine: Portrait, wanted: Span, state: FaceState | None = None
) -> tuple[list[FramePacket], FaceState]:
    *sent, end = [item async for item in engine.animate(wanted, engine.avatar, state)]
    assert isinstance(end, FaceState)
    return [p for p in sent if isinstance(p, FramePacket)], end


def pictures(engine: Portrait, wanted: Span) -> list[np.ndarray]:
    drawn = [item.pixels for item in engine.draw(wanted, engine.avatar, None) if isinstance(item, Picture)]
    return [pixels for pixels in drawn if pixels is not None]


@pytest.mark.parametrize("known", [phones(), ()], ids=["phones", "sound only"])
def test_cutting_a_reply_anywhere_gives_the_same_pictures(
    face: Portrait, other: Portrait, known: tuple[Phone, ...]
) -> None:
    whole, end = drawn([face], [], known)
    assert len(whole) == TOTAL
    assert drawn([other], [1], known) == (whole, end)
    assert drawn([face, other], [7, 8, 20, TOTAL - 7], known) == (whole, end)
    assert drawn([other, face], list(range(1, TOTAL - 7)), known) == (whole, end)


async def test_packets_come_in_order_with_the_picture_sum_and_end_in_a_state(face: Portrait) -> None:
    sent, state = await packets(face, span(PCM, phones()))
    sums, _ = drawn([face], [], phones())
    assert [p.pts for p in sent] == [k * FRAME for k in range(TOTAL)]
    assert [p.check for p in sent] == sums
    assert [p.key for p in sent] == [True] + [False] * (TOTAL - 1)
    assert (state.engine, state.pts) == ("portrait", TOTAL * FRAME)
    assert len(state.data) < 400_000


async def test_the_next_span_goes_on_in_the_same_stream(face: Portrait) -> None:
    _, state = await packets(face, span(PCM, phones(), 0, 12, LOOK_AHEAD))
    sent, _ = await packets(face, span(PCM, phones(), 12), state)
    assert not any(p.key for p in sent)


async def test_a_replica_without_the_encoder_begins_with_a_key_frame(face: Portrait, other: Portrait) -> None:
    _, state = await packets(face, span(PCM, phones(), 0, 12, LOOK_AHEAD, session="moved"))
    sent, _ = await packets(other, span(PCM, phones(), 12, session="moved"), state)
    assert [p.key for p in sent] == [True] + [False] * (len(sent) - 1)


async def test_a_fresh_span_begins_with_a_picture_that_stands_alone(face: Portrait) -> None:
    lost, state = await packets(face, span(PCM, phones(), 0, 12, LOOK_AHEAD, session="lost"))
    wanted = replace(span(PCM, phones(), 12, session="lost"), fresh=True)
    sent, _ = await packets(face, wanted, state)
    assert [p.key for p in sent] == [True] + [False] * (len(sent) - 1)
    assert decoded(b"".join(p.data for p in sent)) == len(sent)
    assert decoded(b"".join(p.data for p in lost[3:])) == 0  # what the client would be without


def decoded(stream: bytes) -> int:
    """How many pictures a decoder that knows nothing makes of an H.264 stream."""
    decoder = av.CodecContext.create("h264", "r")
    try:
        return sum(len(decoder.decode(packet)) for packet in [*decoder.parse(stream), *decoder.parse(b""), None])
    except FFmpegError:
        return 0


async def test_skipped_frames_are_drawn_and_not_sent(face: Portrait) -> None:
    whole, end = await packets(face, span(PCM, phones()))
    rest, same = await packets(face, span(PCM, phones(), skip=5))
    assert [p.check for p in rest] == [p.check for p in whole[5:]]
    assert rest[0].key
    assert same == end


async def test_jpeg_for_clients_without_a_decoder(face: Portrait) -> None:
    sent, _ = await packets(face, span(PCM, phones(), frames=3, look_ahead=LOOK_AHEAD, codec="jpeg"))
    assert all(p.key and p.data.startswith(b"\xff\xd8") for p in sent)


async def test_two_replies_at_once_take_turns(face: Portrait) -> None:
    streams = [
        face.animate(span(PCM, phones(), frames=6, look_ahead=LOOK_AHEAD, session=name), face.avatar, None)
        for name in "ab"
    ]
    taken = [await anext(stream) for stream in streams * 7]
    assert [p.pts // FRAME for p in taken] == [k for k in range(7) for _ in range(2)]
    assert [isinstance(item, FaceState) for item in taken] == [False] * 12 + [True] * 2


def test_a_reply_begins_and_ends_on_the_idle_loop(face: Portrait) -> None:
    still = Renderer(load(BUILT_IN / "default"), 384, 576)
    shown = pictures(face, span(PCM, phones(), idle_frame=245))
    for frame in (0, TOTAL - 1):
        idle = still.draw(idle_pose(245 + frame))
        assert np.abs(shown[frame].astype(int) - idle).mean() < 0.6
    middle = still.draw(idle_pose(245 + TOTAL // 2))
    assert np.abs(shown[TOTAL // 2].astype(int) - middle).mean() > 0.6


def test_a_blink_or_gaze_of_speech_is_over_at_the_end(face: Portrait) -> None:
    """Whatever the seed, the last picture has the idle loop's eyes."""
    x, y = 288 // 3 * 2, 370 // 3 * 2
    eyes = (slice(y - 24, y + 24), slice(x - 80, x + 80))
    ends = []
    for seed in range(5):
        wanted = span(PCM, phones(), idle_frame=60, seed=seed)
        ends.append(pictures(face, wanted)[-1][eyes].astype(int))
    assert all(np.abs(ends[0] - other).mean() < 1 for other in ends[1:])


def test_other_seeds_move_otherwise(face: Portrait) -> None:
    moved = [pictures(face, span(PCM, phones(), seed=seed))[TOTAL // 2] for seed in (1, 2)]
    assert (moved[0] != moved[1]).any()


def test_part_of_a_frame_at_the_end_is_a_frame(face: Portrait) -> None:
    pcm = PCM[: 2 * (10 * FRAME + 1)]
    assert len(pictures(face, span(pcm, phones()))) == 11


def test_what_does_not_fit_is_refused(face: Portrait) -> None:
    *_, state = face.draw(span(PCM, phones(), 0, 5, LOOK_AHEAD), face.avatar, None)
    assert isinstance(state, FaceState)
    wrong: list[tuple[Span, Avatar, FaceState | None, str]] = [
        (replace(span(PCM), pts=100), face.avatar, None, "whole frame"),
        (replace(span(PCM), pcm24k=b"odd"), face.avatar, None, "whole samples"),
        (span(PCM, (), 9), face.avatar, state, "send the state that the span before gave"),
        (span(PCM, (), 5), face.avatar, replace(state, engine="ditto"), "send the state"),
        (span(PCM, (), 5), face.avatar, replace(state, data=state.data[:-1]), "start the reply anew"),
        (span(PCM), replace(face.avatar, id="nobody"), None, "there is no avatar 'nobody'"),
        (span(PCM), replace(face.avatar, width=100), None, "own shape"),
    ]
    for wanted, avatar, given, said in wrong:
        with pytest.raises(StageError, match=said):
            next(iter(face.draw(wanted, avatar, given)))


async def test_a_face_from_a_folder_of_ones_own(tmp_path: Path) -> None:
    shutil.copytree(BUILT_IN / "default", tmp_path / "mine")
    alone = Portrait(tmp_path / "mine")
    assert (alone.avatar.id, alone.avatar.width, alone.avatar.height) == ("mine", 384, 576)
    beside = Portrait(tmp_path)
    assert beside.avatar.id == "default"
    mine = replace(beside.avatar, id="mine")
    first = await anext(beside.animate(span(PCM, phones()), mine, None))
    assert isinstance(first, FramePacket)
