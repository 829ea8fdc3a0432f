"""What a picture costs: drawing and encoding, in CPU time of the process, one thread.

Of the portrait all of it; of Ditto all but its networks, which stand in for themselves: numpy that answers at once in
the sizes that are published. So it is measured what each picture costs the CPU beside a GPU, on any machine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from actors.face.coders import Picture
from actors.face.ditto.engine import Ditto
from actors.face.ditto.motion.vector import Motion
from actors.face.ditto.planner import Planner
from actors.face.ditto.runtime import Looked, Pose, Window
from actors.face.ditto.spec import BINS, EXPRESSION, MOTION, WINDOW, Array
from actors.face.portrait.engine import Portrait
from actors.face.video import encoder
from serve_app.bench.questions import LONG
from serve_app.bench.table import Bar, Result, spread
from serve_app.planning import paced
from streaming.drawing import Drawing, Planning
from streaming.events import FaceEnded
from streaming.media import FRAME, RATE
from streaming.pace import Pace
from streaming.stages import Avatar, FaceLoad, FaceState, Phone, Span, Voice
from streaming.timeline import Timeline

QUICK = FaceLoad(chunk_ms=2.0, window_ms=10.0, frame_ms=15.0)
"""Of a GPU that is made up: it says how plans are chosen, not what a picture costs here."""


class _Face(Protocol):
    avatar: Avatar

    def draw(self, span: Span, avatar: Avatar, state: FaceState | None) -> Iterator[Picture | FaceState]: ...


@dataclass(slots=True)
class _Spent:
    """CPU milliseconds of each frame."""

    drawn: list[float] = field(default_factory=list[float])
    encoded: list[float] = field(default_factory=list[float])
    size: int = 0
    """Bytes of all packets."""

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Of the table."""
        named = (("draw", self.drawn), ("convert and encode", self.encoded), ("both", self.both))
        return tuple((name, f"{np.mean(values):.1f}", *spread(values, 1)) for name, values in named)

    @property
    def both(self) -> list[float]:
        """Drawing and encoding."""
        return [a + b for a, b in zip(self.drawn, self.encoded, strict=True)]

    @property
    def shape(self) -> str:
        """How much was measured."""
        return f"{len(self.both)} frames of 384x576, {self.size * 8 * 25 / len(self.both) / 1000:.0f} kbit/s"


async def rendering(voice: Voice, *, quick: bool = False) -> Result:
    """CPU milliseconds a frame over about 40 s of speech, drawn in spans as a conversation does."""
    spent = _measured(Portrait(), *await _spoken(voice, quick=quick))
    bars = (
        Bar("CPU a frame, mean", float(np.mean(spent.both)), 12, "ms"),
        Bar("CPU a frame, p95", float(np.percentile(spent.both, 95)), 16, "ms"),
    )
    return Result("rendering", ("CPU ms a frame", "mean", "p50", "p95", "max"), spent.rows(), bars, (spent.shape,))


async def face_stage(voice: Voice, *, quick: bool = False) -> Result:
    """The same of Ditto, without its networks."""
    hollow = Hollow()
    face = Ditto(runtime=hollow)
    pcm, phones = await _spoken(voice, quick=quick)
    hollow.spent = hollow.windows = 0
    spent = _measured(face, pcm, phones, Planner())
    each = hollow.spent * 1000 / len(spent.both)
    notes = (
        f"{spent.shape}, {hollow.windows} windows of motion by the plans that a voice ahead of its listener gets",
        f"networks: stand-ins in numpy, in the base environment; they are {each:.1f} ms of the drawing",
    )
    bar = Bar("CPU a frame, mean", float(np.mean(spent.both)), 30, "ms")
    return Result("face-stage", ("CPU ms a frame", "mean", "p50", "p95", "max"), spent.rows(), (bar,), notes)


async def _spoken(voice: Voice, *, quick: bool) -> tuple[bytes, tuple[Phone, ...]]:
    pieces = [piece async for piece in voice.speak(" ".join(LONG[: 1 if quick else None]), "default", "en", 1)]
    return b"".join(piece.pcm24k for piece in pieces), tuple(phone for piece in pieces for phone in piece.phones)


def _measured(face: _Face, pcm: bytes, phones: tuple[Phone, ...], planner: Planner | None = None) -> _Spent:
    coder = encoder("h264", face.avatar.width, face.avatar.height)
    drawing = Drawing(
        "bench", 1, paced(Pace.file(), planner), Counter(), seed=1, idle_frame=0, codec="h264",
        planning=Planning(planner, QUICK),
    )  # fmt: skip
    timeline = Timeline()
    timeline.begin("")
    timeline.add(pcm, phones, ())
    spent = _Spent()
    while order := drawing.next(timeline, len(spent.drawn) * FRAME - RATE, None, spoken=True):
        begun = time.process_time()
        for item in face.draw(order.span, face.avatar, order.state):
            middle = time.process_time()
            if isinstance(item, FaceState):
                spent.drawn[-1] += (middle - begun) * 1000
                drawing.drew_span(FaceEnded(1, item))
                continue
            assert item.pixels is not None
            spent.size += len(coder.encode(item.pixels, item.pts)[0])
            end = time.process_time()
            spent.drawn.append((middle - begun) * 1000)
            spent.encoded.append((end - middle) * 1000)
            begun = time.process_time()
    return spent


class Hollow:
    """Answers as Ditto's networks do, in their sizes, with next to no work: a face that nods as it is told."""

    side = 512

    def __init__(self) -> None:
        self.spent = 0.0
        """Seconds of CPU time."""
        self.windows = 0

    def look(self, square: Array) -> Looked:
        """The portrait's face in eight heights."""
        face = np.asarray(square, np.uint8)[..., ::-1]
        nods = [np.ascontiguousarray(np.roll(face, k, 0)) for k in range(8)]
        motion = Motion(
            *(np.zeros((1, width), np.float32) for width in (1, BINS, BINS, BINS, 3, EXPRESSION)),
            kp=np.zeros((1, EXPRESSION), np.float32),
        )
        return Looked(nods, motion)

    def hear(self, chunks: Array) -> Array:
        """How loud each of twenty stretches is."""
        begun = time.process_time()
        loud = np.abs(chunks[:, :6400].reshape(-1, 20, 320)).mean(2, keepdims=True)
        told = np.repeat(loud, 1024, 2)
        self.spent += time.process_time() - begun
        return told

    def move(self, windows: Sequence[Window]) -> Array:
        """Each frame as loud as it is heard."""
        begun = time.process_time()
        self.windows += len(windows)
        moved = np.stack([np.repeat(window.rows[:WINDOW, :1] * 4, MOTION, 1) for window in windows])
        self.spent += time.process_time() - begun
        return moved

    def draw(self, poses: Sequence[Pose]) -> Array:
        """One of the eight."""
        begun = time.process_time()
        nods = [int(abs(float((pose.driving - pose.source).sum())) * 8) % 8 for pose in poses]
        drawn = np.stack([pose.looked.volume[nod] for pose, nod in zip(poses, nods, strict=True)])
        self.spent += time.process_time() - begun
        return drawn
