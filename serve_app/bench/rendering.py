"""What a picture costs: drawing and encoding, in CPU time of the process, one thread."""

from __future__ import annotations

import time

import numpy as np

from actors.face.coders import Picture
from actors.face.portrait.engine import Portrait
from actors.face.video import encoder
from serve_app.bench.questions import LONG
from serve_app.bench.table import Bar, Result, spread
from streaming.media import FRAME, frames_for, samples
from streaming.stages import FaceState, Span, Voice

SPAN = 25


async def rendering(voice: Voice, *, quick: bool = False) -> Result:
    """CPU milliseconds a frame over about 40 s of speech, drawn in spans as a conversation does."""
    text = " ".join(LONG[: 1 if quick else None])
    pieces = [piece async for piece in voice.speak(text, "default", "en", 1)]
    pcm = b"".join(piece.pcm24k for piece in pieces)
    phones = tuple(phone for piece in pieces for phone in piece.phones)
    face = Portrait()
    coder = encoder("h264", face.avatar.width, face.avatar.height)
    drawn, encoded, state, size = list[float](), list[float](), None, 0
    total = frames_for(samples(pcm))
    for first in range(0, total, SPAN):
        want = min(SPAN, total - first)
        last = first + want == total
        span = Span("bench", 1, first * FRAME, pcm[first * FRAME * 2 :], want, phones, last, 1, "", "h264", 0, 0)
        begun = time.process_time()
        for item in face.draw(span, face.avatar, state):
            if isinstance(item, FaceState):
                state = item
                continue
            middle = time.process_time()
            size += len(_encoded(coder, item))
            end = time.process_time()
            drawn.append((middle - begun) * 1000)
            encoded.append((end - middle) * 1000)
            begun = time.process_time()
    both = [a + b for a, b in zip(drawn, encoded, strict=True)]
    rows = tuple(
        (name, f"{np.mean(values):.1f}", *spread(values, 1))
        for name, values in (("draw", drawn), ("convert and encode", encoded), ("both", both))
    )
    bars = (
        Bar("CPU a frame, mean", float(np.mean(both)), 12, "ms"),
        Bar("CPU a frame, p95", float(np.percentile(both, 95)), 16, "ms"),
    )
    rate = size * 8 * 25 / len(both) / 1000
    return Result(
        "rendering",
        ("CPU ms a frame", "mean", "p50", "p95", "max"),
        rows,
        bars,
        (f"{len(both)} frames of 384x576, {rate:.0f} kbit/s",),
    )


def _encoded(coder: object, picture: Picture) -> bytes:
    data, _ = coder.encode(picture.pixels, picture.pts)  # type: ignore[attr-defined]
    return data
