"""From the last voiced sample to the first moving lip, as a person at a good line would see it.

Questions are fed at the pace of speech with live turn detection. The client is modelled as the page plays:
sound starts once 100 ms of it and the pictures under it are there. A lip "moves" on the first picture whose
mouth, measured from its pixels, has left the closed state, and it is seen when its own pts is audible.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import av
import numpy as np

from serve_app.bench.questions import Question, silence
from serve_app.inspect import first_open, mouth_opening
from streaming.commands import Audio, Frames, Show, UserCaption
from streaming.conversation import Conversation
from streaming.events import Heard, Joined, Left, Played
from streaming.media import FRAME, MIC_RATE, RATE, SAMPLE_BYTES, FramePacket
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking

BLOCK = MIC_RATE // 50
START = RATE // 10
"""Samples of sound, and of pictures, that the page waits for before it plays."""
PATIENCE_S = 15.0
WATCHED = 2 * RATE
"""Of each reply, as much as surely holds a mouth opening: 2 s."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One question's answer; milliseconds from the last voiced sample."""

    question: str
    heard: str
    transcript: float
    first_audio: float
    first_frame: float
    playing: float
    """The reply's first sample leaves the loudspeaker."""
    lip: float
    """The first open mouth is seen."""


@dataclass(slots=True)
class _Client:
    """What arrived, and when."""

    session: Session | None = None
    arrived: dict[str, float] = field(default_factory=dict[str, float])
    heard: str = ""
    sound: int = 0
    packets: list[FramePacket] = field(default_factory=list[FramePacket])
    playing: float | None = None
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, order: ClientOrder) -> None:
        now = time.monotonic()
        match order:
            case Show(UserCaption(text, True)):
                self.heard = text
                self.arrived.setdefault("transcript", now)
            case Show(Audio(_, pts, pcm)):
                self.sound = pts + len(pcm) // SAMPLE_BYTES
                self.arrived.setdefault("audio", now)
            case Show(Frames(_, packets)):
                self.packets += packets
                self.arrived.setdefault("frame", now)
            case _:
                return
        if self.playing is None and min(self.sound, len(self.packets) * FRAME) >= START:
            self.playing = now
        if min(self.sound, len(self.packets) * FRAME) >= WATCHED:
            self.enough.set()

    async def play(self) -> None:
        """Report the playhead as the page does, four times a second."""
        while True:
            await asyncio.sleep(0.25)
            if self.playing is not None and self.session:
                await self.session.happen(Played(1, round((time.monotonic() - self.playing) * RATE)))


async def answer_to(question: Question, stages: Stages, pace: Pace, name: str) -> Timing:
    """Ask one question and time the answer. Raises TimeoutError if none comes within 15 s."""
    client = _Client()
    conversation = Conversation(name, pace, seed=1)
    session = client.session = Session(conversation, stages, client.tell, driving=Driving())
    running = asyncio.create_task(session.run(ticking()))
    player = asyncio.create_task(client.play())
    await session.happen(Joined())
    begun = time.monotonic()
    async for at, block in _microphone(question, begun):
        await session.happen(Heard(block, at))
    async with asyncio.timeout(PATIENCE_S):
        await client.enough.wait()
    player.cancel()
    await session.happen(Left())
    await running
    return _timing(question, client, begun + question.voiced_until / MIC_RATE)


async def _microphone(question: Question, begun: float) -> AsyncIterator[tuple[int, bytes]]:
    size = BLOCK * SAMPLE_BYTES
    blocks = [question.pcm16k[k : k + size] for k in range(0, len(question.pcm16k), size)]
    blocks[-1] = blocks[-1].ljust(size, b"\0")
    for k, block in enumerate([*blocks, *silence(1.5, len(blocks))]):
        await asyncio.sleep(max(begun + (k + 1) * BLOCK / MIC_RATE - time.monotonic(), 0))
        yield k * BLOCK, block


def _timing(question: Question, client: _Client, ended: float) -> Timing:
    assert client.playing is not None
    opened = first_open(mouth_opening(_pictures(client.packets)))
    if opened is None:
        raise RuntimeError(f"the mouth never opened in the answer to {question.text!r}")
    lip = client.playing + client.packets[opened].pts / RATE

    def since(moment: float) -> float:
        return (moment - ended) * 1000

    times = client.arrived
    return Timing(
        question.text,
        client.heard,
        since(times["transcript"]),
        since(times["audio"]),
        since(times["frame"]),
        since(client.playing),
        since(lip),
    )


def _pictures(packets: list[FramePacket]) -> list[np.ndarray]:
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for p in packets for frame in decoder.decode(av.Packet(p.data))]
    frames += decoder.decode(None)
    return [frame.to_ndarray(format="bgr24") for frame in frames]
