"""Ditto's whole stage on a CPU, through the conversation and its driver: from spoken words to packets that decode."""

from __future__ import annotations

import tests.actors.face.ditto.needs  # isort: skip  # noqa: F401  # skips this file where torch is missing

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from actors.face.ditto.engine import Ditto
from actors.face.ditto.planner import Planner
from serve_app import replaying
from serve_app.planning import paced
from serve_app.recording import Take
from serve_app.talk import How, say
from streaming.commands import Animate, Audio, Cancel, Command, Cut, Frames, Notice, Speak
from streaming.conversation import Conversation
from streaming.events import (
    ClipEnded,
    FaceEnded,
    FramesReady,
    Played,
    ReplyEnded,
    ReplyText,
    SpeechReady,
    Stopped,
    Typed,
)
from streaming.media import FRAME, RATE, FramePacket, frames_for, samples
from streaming.pace import Pace
from streaming.session import ClientOrder, Stages
from streaming.stages import Avatar, FaceLoad, FaceState, Rung, Span, Spoken, StageLost
from tests.actors.face.ditto.tiny import ditto
from tests.actors.face.speech import sound
from tests.serve_app.test_talk import stages as stubs
from tests.streaming.stories import shown

PLANNER = Planner()
PACE = paced(Pace.file(), PLANNER)
SPEECH = sound()
QUICK = FaceLoad(2.0, 10.0, 15.0)
PIECE = RATE // 5


class Voice:
    """Says so many samples as the clip's text has as its number, in pieces of 0.2 s."""

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        pcm = (SPEECH * (2 * int(text) // len(SPEECH) + 1))[: 2 * int(text)]
        for start in range(0, len(pcm), 2 * PIECE):
            yield Spoken(pcm[start : start + 2 * PIECE])


@dataclass
class Replica:
    """A replica of the face under a load of its own; it may be lost after so many packets, once, to another one."""

    engine: Ditto
    load: FaceLoad = QUICK
    lost_after: int | None = None
    other: Ditto | None = None
    spans: int = 0

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        self.spans += 1
        async with aclosing(self.engine.animate(span, avatar, state)) as items:  # type: ignore[type-var]
            async for item in items:
                if isinstance(item, FaceState):
                    yield replace(item, load=self.load)
                    continue
                if self.lost_after == 0 and self.other:
                    self.engine, self.other, self.lost_after = self.other, None, None
                    raise StageLost("the replica of face is gone")
                self.lost_after = None if self.lost_after is None else self.lost_after - 1
                yield item


@pytest.fixture(scope="module")
def face() -> Ditto:
    return ditto()


@pytest.fixture(scope="module")
def other() -> Ditto:
    return ditto()


def stages(replica: Replica) -> Stages:
    return stubs(voice=Voice(), face=replica, avatar=replica.engine.avatar, planner=PLANNER)


async def spoken(replica: Replica, length: int, sink: io.StringIO | None = None) -> Take:
    [take] = await say(stages(replica), str(length), How(PACE, sink=sink))
    assert samples(bytes(take.sound)) == length
    return take


@pytest.fixture(scope="module")
def whole(face: Ditto) -> Take:
    """Two seconds that nothing disturbs."""
    return asyncio.run(spoken(Replica(face), 2 * RATE))


def checks(packets: Sequence[FramePacket]) -> list[tuple[int, int]]:
    """When each picture is due, and what it was before it was encoded."""
    return [(packet.pts // FRAME, packet.check) for packet in packets]


def decoded(packets: Sequence[FramePacket], avatar: Avatar) -> list[np.ndarray]:
    """Every packet's picture, as a client decodes them. Raises on whatever a decoder does not like."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"err_detect": "explode"}
    pictures = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    pictures += decoder.decode(None)
    assert all((frame.width, frame.height) == (avatar.coded_width, avatar.coded_height) for frame in pictures)
    return [frame.to_ndarray(format="bgr24") for frame in pictures]


@pytest.mark.parametrize("length", [1, 960, 961, 11_662, 11_663, 26 * 960 - 1, 53 * 960])
async def test_any_length_of_speech_has_exactly_its_pictures(face: Ditto, length: int) -> None:
    replica = Replica(face)
    take = await spoken(replica, length)
    assert [frame for frame, _ in checks(take.packets)] == list(range(frames_for(length)))
    assert take.packets[0].key and len(decoded(take.packets, face.avatar)) == frames_for(length)
    assert replica.spans >= length // FRAME // 25


@pytest.mark.parametrize("lost_after", [3, 17])
async def test_another_replica_goes_on_with_the_same_pictures(
    face: Ditto, other: Ditto, whole: Take, lost_after: int
) -> None:
    broken = Replica(face, lost_after=lost_after, other=other)
    take = await spoken(broken, 2 * RATE)
    assert broken.engine is other
    assert checks(take.packets) == checks(whole.packets)
    pictures = decoded(take.packets, face.avatar)
    assert len(pictures) == 50 and [packet.pts // FRAME for packet in take.packets if packet.key][-1] == lost_after
    as_whole = decoded(whole.packets, face.avatar)
    assert all(map(np.array_equal, pictures[:lost_after], as_whole[:lost_after]))
    for mine, theirs in zip(pictures[lost_after:], as_whole[lost_after:], strict=True):
        assert np.abs(mine.astype(int) - theirs).mean() < 8, (
            "networks that learnt nothing draw noise, which coders smear"
        )


@pytest.mark.parametrize(("rung", "frames"), [("steps", range(50)), ("rate", [*range(0, 50, 2), 49]), ("still", [])])
async def test_a_replica_under_load_draws_less_and_what_it_draws_decodes(
    face: Ditto, rung: Rung, frames: Sequence[int]
) -> None:
    replica = Replica(face, replace(QUICK, rung=rung))
    told: list[ClientOrder] = []

    async def client(order: ClientOrder) -> None:
        told.append(order)

    [take] = await say(stages(replica), str(2 * RATE), How(PACE, client=client))
    first = [frame for frame, _ in checks(take.packets)][:5]
    assert first == [0, 1, 2, 3, 4], "nothing was known of it then"
    assert [frame for frame, _ in checks(take.packets)][5:] == [frame for frame in frames if frame > 4]
    assert [notice.rung for notice in shown(told, Notice)] == [rung]
    assert len(decoded(take.packets, face.avatar)) == len(take.packets)


async def test_the_motion_under_a_still_picture_goes_on(face: Ditto) -> None:
    """After a second of it the replica is well again: what is drawn then is not what a reply begins with."""
    replica = Replica(face)
    calls = replica.animate

    async def animate(span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[FramePacket | FaceState]:
        replica.load = replace(QUICK, rung="still" if span.pts < RATE else "")
        async for item in calls(span, avatar, state):
            yield item

    replica.animate = animate  # type: ignore[method-assign]
    take = await spoken(replica, 3 * RATE)
    frames = [frame for frame, _ in checks(take.packets)]
    gone = set(range(75)) - set(frames)
    assert gone and sorted(gone) == list(range(min(gone), max(gone) + 1)) and frames[-1] == 74
    assert len(decoded(take.packets, face.avatar)) == len(frames)
    assert len({check for _, check in checks(take.packets)}) > len(frames) // 2


async def test_a_recorded_reply_is_drawn_again_to_the_bit(
    face: Ditto, other: Ditto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, sink = tmp_path / "journal.jsonl", io.StringIO()
    await spoken(Replica(face, replace(QUICK, rung="rate")), 2 * RATE, sink)
    path.write_text(sink.getvalue())
    assert await asyncio.to_thread(replaying.main, path, lambda: stages(Replica(other))) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("every order as recorded") and told[1].endswith("every answer as recorded")
    strange = ditto(seed=1)
    assert await asyncio.to_thread(replaying.main, path, lambda: stages(Replica(strange))) == 1
    assert "the picture is another one now" in capsys.readouterr().out


@pytest.mark.parametrize("heard", [0, 1, 5 * FRAME, 13 * FRAME + 7, 24 * FRAME])
def test_a_reply_cut_at_any_sample_leaves_nothing_to_draw_and_the_next_begins_anew(face: Ditto, heard: int) -> None:
    talk = Conversation("cut", paced(Pace(), PLANNER), live=False, planner=PLANNER)
    pcm = (SPEECH * 2)[: 2 * 2 * RATE]

    def begun(turn: int) -> list[Command]:
        orders = [*talk.on(Typed("hello")), *talk.on(ReplyText(turn, "Good day.")), *talk.on(ReplyEnded(turn))]
        [speak] = [order for order in orders if isinstance(order, Speak)]
        return [*orders, *talk.on(SpeechReady(turn, speak.clip, pcm)), *talk.on(ClipEnded(turn, speak.clip))]

    def drawing(order: Animate) -> list[FramesReady | FaceEnded]:
        packets = asyncio.run(_all(face, order))
        return [
            FaceEnded(order.turn, item) if isinstance(item, FaceState) else FramesReady(order.turn, item.pts, (item,))
            for item in packets
        ]

    first = begun(1)
    animate = next(order for order in first if isinstance(order, Animate))
    answers = drawing(animate)
    for event in answers[:7]:
        talk.on(event)
    talk.on(Played(1, heard))
    cut = talk.on(Stopped())
    assert [order for order in cut if isinstance(order, Cancel)] == [Cancel(1)]
    assert [message.pts for message in shown(cut, Cut)] == [min(heard, sent_of(first))]
    assert [talk.on(event) for event in answers[7:]] == [[]] * len(answers[7:])
    second = begun(2)
    again = next(order for order in second if isinstance(order, Animate))
    assert (again.span.pts, again.state, again.turn) == (0, None, 2)
    told = [order for event in drawing(again) for order in talk.on(event)]
    packets = [packet for frames in shown(told, Frames) for packet in frames.packets]
    assert packets[0].key and packets[0].pts == 0
    assert len(decoded(packets, face.avatar)) == len(packets)


def sent_of(orders: Sequence[Command]) -> int:
    """Samples that the client was sent."""
    return max(audio.pts + samples(audio.pcm) for audio in shown(orders, Audio))


async def _all(face: Ditto, order: Animate) -> list[FramePacket | FaceState]:
    return [item async for item in face.animate(order.span, face.avatar, order.state)]


async def test_after_the_words_the_face_comes_back_to_the_idle_loop(face: Ditto, whole: Take) -> None:
    """Whatever was said, or nothing: the last picture is that of the idle loop."""
    quiet = replace(stages(Replica(face)), voice=Quiet())
    [silent] = await say(quiet, str(2 * RATE), How(PACE))
    assert whole.packets[-1].check == silent.packets[-1].check
    assert whole.packets[20].check != silent.packets[20].check


class Quiet:
    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        yield Spoken(bytes(2 * int(text)))
