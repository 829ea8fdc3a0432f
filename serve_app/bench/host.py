"""The gateway with stub stages, as a process whose CPU time is the gateway's alone: `python -m serve_app.bench.host`.

The stubs answer as fast as real stages do and cost next to nothing. Sound from the microphone and pictures carry in
their first 8 bytes when they were made, so that both ways can be timed. It writes the port it listens on, serves until
its standard input ends, then writes the microphone's latencies. This file measures no CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import uvicorn

from actors.asr.listen import SileroListener
from actors.asr.together import shared
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.server import event_loop, idle_clip, server_config, shared_socket
from serve_app.groups import Gateway
from streaming.media import FRAME, RATE, FramePacket, samples
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import (
    Avatar,
    FaceState,
    Hearing,
    HearState,
    History,
    Phone,
    SharedListener,
    Span,
    Spoken,
    TextDelta,
    Tool,
    ToolCall,
    Transcript,
    Word,
)

STAMP = struct.Struct("<Q")
"""Nanoseconds of the machine's own clock, which all its processes share."""

CLIP_S = 2
PIECE = RATE // 10
FACE_S = 0.5
"""Seconds of computing for a second of pictures."""
VOICE_S = 0.3
SENTENCES = 40
"""Of one reply: 80 s, more than any measurement takes."""


class Reads:
    """A responder that says sentences of one length."""

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall]:
        """Sentences of which the clips cutter makes one clip each."""
        for k in range(SENTENCES):
            yield TextDelta(f"This is the sentence with number {k + 1} of an answer that goes on for long. ")


class Hums:
    """A voice: every clip is two seconds of noise with a phone each 100 ms and a word each 300 ms."""

    def __init__(self) -> None:
        self._pcm = os.urandom(PIECE * 2)

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        """Pieces of 100 ms."""
        for k in range(CLIP_S * 10):
            await asyncio.sleep(0.1 * VOICE_S)
            at = k * PIECE
            words = (Word("word", at, 3 * PIECE),) if k % 3 == 0 else ()
            yield Spoken(self._pcm, (Phone("a", at, PIECE),), words)


class Draws:
    """A face whose pictures have the sizes of H.264 at 3-6 kB and say when they were made."""

    def __init__(self) -> None:
        self._data = [os.urandom(size) for size in (5992, 3192, 4192, 3592, 4592)]

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]:
        """The wanted pictures, each when it would be drawn."""
        for k in range(span.skip, span.want_frames):
            await asyncio.sleep(FACE_S * FRAME / RATE)
            pts = span.pts + k * FRAME
            data = STAMP.pack(time.monotonic_ns()) + self._data[k % len(self._data)]
            yield FramePacket(pts, data, k == 0)
        yield FaceState("draws", span.pts + span.want_frames * FRAME, b"")


class Understands:
    """Recognition; nobody speaks here."""

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        """No words."""
        yield Transcript("", (), "en", final)


class Deaf:
    """A listener that hears nothing and costs nothing."""

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing:
        """No news."""
        return [], HearState(state.at + samples(pcm16k))


class Timed:
    """A listener that notes how old each block is when its answer is there; a stamp is not heard as sound."""

    def __init__(self, listener: SharedListener, note: Callable[[int], None]) -> None:
        self._listener = listener
        self._note = note

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing | Awaitable[Hearing]:
        """As the listener does."""
        (made,) = STAMP.unpack_from(pcm16k)
        if not made:
            return self._listener.hear(pcm16k, state)
        answer = self._listener.hear(bytes(STAMP.size) + pcm16k[STAMP.size :], state)
        if not isinstance(answer, tuple):
            return self._later(answer, made)
        self._noted(made)
        return answer

    async def _later(self, answer: Awaitable[Hearing], made: int) -> Hearing:
        told = await answer
        self._noted(made)
        return told

    def _noted(self, made: int) -> None:
        """Sound that was resampled on its way holds no stamp any more."""
        if 0 <= (took := time.monotonic_ns() - made) < 10**11:
            self._note(took)


async def serve(listener: str) -> None:
    """Serve until standard input ends."""
    took: list[int] = []
    heard = Timed(Deaf() if listener == "stub" else shared(SileroListener()), took.append)
    avatar = Avatar("stub", 384, 576, 384, 576)
    house = House(Stages(heard, Understands(), Reads(), Hums(), Draws(), avatar), Pace(), Driving())
    server = uvicorn.Server(server_config(build_gateway(house, idle_clip)))
    socket = shared_socket(Gateway(host="127.0.0.1", port=0))
    serving = asyncio.create_task(server.serve(sockets=[socket]))
    sys.stdout.write(f"{socket.getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving
    sys.stdout.write(json.dumps([nanoseconds / 1e6 for nanoseconds in took]))


def main() -> None:
    """Serve with the listener that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.bench.host", description=__doc__)
    parser.add_argument("listener", choices=["stub", "silero"])
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=event_loop()) as runner:
        runner.run(serve(chosen.listener))


if __name__ == "__main__":
    main()
