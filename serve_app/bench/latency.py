"""From the last voiced sample to the first moving lip, as a person at a good line would see it.

Questions are fed at the pace of speech with live turn detection. The client is modelled as the page plays: sound
starts once 100 ms of it and the pictures under it are there. A lip "moves" on the first picture whose mouth, measured
from its pixels, has left the closed state; it is seen when its own pts is audible.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import astuple, dataclass, field, fields

import av
import numpy as np

from serve_app.bench.questions import LONG, SHORT, Question, ask_with, silence
from serve_app.bench.table import Bar, Result, spread
from serve_app.inspecting.mouth import Mouth, find_mouth, first_open, mouth_opening, usual_opening
from serve_app.settings import Settings
from streaming.commands import Audio, Ended, Frames, ReplyDelta, Show, UserCaption
from streaming.conversation import Conversation
from streaming.events import Heard, Joined, Left, Played
from streaming.media import FRAME, MIC_RATE, RATE, FramePacket, frames_for, samples
from streaming.session import ClientOrder, Session, Stages, ticking
from streaming.stages import FaceState, Phone, Span

BLOCK = MIC_RATE // 50
START = RATE // 10
"""Samples of sound, and of pictures, that the page waits for before it plays."""
PATIENCE_S = 20.0
WATCHED = RATE * 3 // 2
"""Of each reply, as much as surely holds an open mouth: 1.5 s, or all of a shorter one."""
CLOSED_S = 1.5
"""Silence after each question."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One question's answer; milliseconds from the last voiced sample."""

    transcript: float
    first_text: float
    first_audio: float
    first_frame: float
    playing: float
    """The reply's first sample leaves the loudspeaker."""
    lip: float
    """The first open mouth is seen."""


@dataclass(frozen=True, slots=True)
class Eye:
    """Where this face's mouth is, and how wide it usually opens: found once, in a longer clip."""

    mouth: Mouth
    usual: float

    def opens(self, pictures: list[np.ndarray]) -> int | None:
        """Number of the first picture whose mouth has left the closed state."""
        return first_open(mouth_opening(pictures, self.mouth), self.usual)


@dataclass(slots=True)
class _Client:
    """What arrived, and when."""

    session: Session | None = None
    turn: int = 0
    came: dict[str, float] = field(default_factory=dict[str, float])
    sound: int = 0
    packets: list[FramePacket] = field(default_factory=list[FramePacket])
    playing: float | None = None
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, order: ClientOrder) -> None:
        now = time.monotonic()
        match order:
            case Show(UserCaption(_, True)):
                self._expect_reply(now)
            case Show(ReplyDelta()):
                self.came.setdefault("text", now)
            case Show(Audio(_, pts, pcm)):
                self.sound = pts + samples(pcm)
                self.came.setdefault("audio", now)
            case Show(Frames(_, packets)):
                self.packets += packets
                self.came.setdefault("frame", now)
            case Show(Ended()):
                self.enough.set()
            case _:
                return
        there = min(self.sound, len(self.packets) * FRAME)
        if self.playing is None and there >= START:
            self.playing = now
        if there >= WATCHED:
            self.enough.set()

    def _expect_reply(self, now: float) -> None:
        """A turn is over. If it was a breath in mid-question, another will follow, and that one counts."""
        self.turn += 1
        self.came, self.packets, self.sound, self.playing = {"transcript": now}, [], 0, None
        self.enough.clear()

    async def play(self) -> None:
        """Report the playhead as the page does, four times a second."""
        while self.session:
            await asyncio.sleep(0.25)
            if self.playing is not None:
                await self.session.happen(Played(self.turn, round((time.monotonic() - self.playing) * RATE)))


async def answer_to(question: Question, stages: Stages, settings: Settings, eye: Eye) -> Timing:
    """Ask one question and time the answer. Raises TimeoutError if none comes."""
    client = _Client()
    conversation = Conversation("bench", settings.reporting_pace(), planner=stages.planner)
    session = client.session = Session(conversation, stages, client.tell, driving=settings.driving())
    running = asyncio.create_task(session.run(ticking()))
    player = asyncio.create_task(client.play())
    await session.happen(Joined())
    begun = time.monotonic()
    try:
        async for at, block in _microphone(question, begun):
            await session.happen(Heard(block, at))
        async with asyncio.timeout(PATIENCE_S):
            await client.enough.wait()
    finally:
        player.cancel()
        await session.happen(Left())
        await running
    return _timing(question, client, begun + question.voiced_until / MIC_RATE, eye)


async def _microphone(question: Question, begun: float) -> AsyncIterator[tuple[int, bytes]]:
    """Blocks of 20 ms, each when its last sample has been spoken."""
    size = BLOCK * 2
    blocks = [question.pcm16k[k : k + size] for k in range(0, len(question.pcm16k), size)]
    blocks[-1] = blocks[-1].ljust(size, b"\0")
    for k, block in enumerate([*blocks, *silence(CLOSED_S, len(blocks))]):
        await asyncio.sleep(max(begun + (k + 1) * BLOCK / MIC_RATE - time.monotonic(), 0))
        yield k * BLOCK, block


def _timing(question: Question, client: _Client, ended: float, eye: Eye) -> Timing:
    opened = eye.opens(_pictures(client.packets))
    if opened is None or client.playing is None:
        raise RuntimeError(f"the mouth never opened in the answer to {question.text!r}")
    moments = [client.came[name] for name in ("transcript", "text", "audio", "frame")]
    moments += [client.playing, client.playing + client.packets[opened].pts / RATE]
    return Timing(*((moment - ended) * 1000 for moment in moments))


def _pictures(packets: Sequence[FramePacket]) -> list[np.ndarray]:
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    frames += decoder.decode(None)
    return [frame.to_ndarray(format="bgr24") for frame in frames]


async def look(stages: Stages) -> Eye:
    """Learn where the mouth is from some seconds of speech."""
    pieces = [piece async for piece in stages.voice.speak(LONG[0], "default", "en", 1)]
    pcm = b"".join(piece.pcm24k for piece in pieces)
    phones: tuple[Phone, ...] = tuple(phone for piece in pieces for phone in piece.phones)
    span = Span("eye", 1, 0, pcm, frames_for(samples(pcm)), phones, True, 1, "", "h264", 0, 0)
    assert stages.face is not None
    drawn = [item async for item in stages.face.animate(span, stages.avatar, None) if not isinstance(item, FaceState)]
    pictures = _pictures(drawn)
    mouth = find_mouth(pictures)
    return Eye(mouth, usual_opening(mouth_opening(pictures, mouth)))


async def latency(stages: Stages, settings: Settings, *, quick: bool = False) -> Result:
    """The table of latencies in one process: 30 short questions, and some long ones without a bar."""
    eye = await look(stages)
    short = (await ask_with(stages.voice, SHORT))[: 5 if quick else None]
    long = (await ask_with(stages.voice, LONG))[: 1 if quick else None]
    asked = [await answer_to(question, stages, settings, eye) for question in short]
    rows = rows_of(asked, "")
    rows += rows_of([await answer_to(question, stages, settings, eye) for question in long], "long: ")[-1:]
    lips = [timing.lip for timing in asked]
    bars = (
        Bar("last voiced sample to first moving lip, p50", float(np.percentile(lips, 50)) / 1000, 1.0, "s"),
        Bar("last voiced sample to first moving lip, p95", float(np.percentile(lips, 95)) / 1000, 1.5, "s"),
    )
    lengths = f"{min(q.seconds for q in short):.1f}-{max(q.seconds for q in short):.1f} s"
    long_lengths = f"{min(q.seconds for q in long):.1f}-{max(q.seconds for q in long):.1f} s"
    notes = (
        f"{len(short)} questions of {lengths}; long: {len(long)} of {long_lengths}; end-of-turn limit "
        f"{settings.pace.end_of_turn_ms} ms",
    )
    return Result("latency", ("ms after the last voiced sample", "p50", "p95", "max"), tuple(rows), bars, notes)


def rows_of(timings: Sequence[Timing], prefix: str) -> list[tuple[str, ...]]:
    """One row for each moment of the answers."""
    columns = list(zip(*map(astuple, timings), strict=True))
    names = [field.name.replace("_", " ") for field in fields(Timing)]
    return [(prefix + name, *spread(column)) for name, column in zip(names, columns, strict=True)]


async def added(local: Stages, remote: Stages, settings: Settings, *, quick: bool = False) -> Result:
    """The same questions in one process and over Ray Serve, turn by turn, and what Ray adds."""
    eye = await look(local)
    questions = (await ask_with(local.voice, SHORT))[: 3 if quick else 12]
    here: list[Timing] = []
    there: list[Timing] = []
    for question in questions:
        here.append(await answer_to(question, local, settings, eye))
        there.append(await answer_to(question, remote, settings, eye))
    rows = [*rows_of(here, "in process: "), *rows_of(there, "Ray Serve: ")]
    more = float(np.median([t.lip for t in there]) - np.median([t.lip for t in here]))
    bar = Bar("added by Ray Serve to the first moving lip, p50", more, 80, "ms")
    return Result("ray", ("ms after the last voiced sample", "p50", "p95", "max"), tuple(rows), (bar,))
