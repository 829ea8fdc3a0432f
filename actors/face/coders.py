"""From drawn pictures to packets. Encoders are kept between two spans of a reply: a cache that may be lost at any time.

A span that goes on where an encoder stopped continues its stream; any other begins with a key frame. This file draws
nothing.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from actors.face.video import H264Encoder, JpegEncoder, encoder
from actors.threads import stepping
from streaming.media import FRAME, FramePacket
from streaming.stages import Avatar, FaceState, Span

KEPT = 32

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame before encoding; ``pixels`` None for one that was moved but not drawn."""

    pts: int
    pixels: Pixels | None
    """BGR uint8 (height, width, 3)."""


Drawn = Iterator[Picture | FaceState]


class Coders:
    """The encoders of a replica by where they stopped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], H264Encoder | JpegEncoder] = OrderedDict()

    async def packets(
        self, span: Span, avatar: Avatar, draw: Callable[[], Drawn], executor: Executor
    ) -> AsyncIterator[FramePacket | FaceState]:
        """What ``draw()`` draws of a span as packets, but for the first ``span.skip``, then its state.

        Every step is made in ``executor``. Raises what drawing raises.
        """
        steps = stepping(lambda: self._encoded(span, avatar, draw()), executor)
        try:
            async for item in steps:
                if item is not None:
                    yield item
        finally:
            await steps.aclose()  # type: ignore[attr-defined]  # stepping is an async generator

    async def encoded(
        self, span: Span, avatar: Avatar, drawn: AsyncIterator[Callable[[], Picture] | FaceState], executor: Executor
    ) -> AsyncGenerator[FramePacket | FaceState]:
        """The same of pictures that come as they are drawn, each still to be put together.

        That and the encoding are one step in ``executor``, which may have several threads.
        """
        loop = asyncio.get_running_loop()
        coder = self.take(span, avatar, span.pts + span.skip * FRAME)
        async for item in drawn:
            if isinstance(item, FaceState):
                self.keep(span, avatar, item.pts, coder)
                yield item
            else:
                yield await loop.run_in_executor(executor, lambda make=item: _packet(coder, make()))

    def _encoded(self, span: Span, avatar: Avatar, drawn: Drawn) -> Iterator[FramePacket | FaceState | None]:
        """A step for every frame: None for one that is not sent."""
        sent_from = span.pts + span.skip * FRAME
        coder = self.take(span, avatar, sent_from)
        for item in drawn:
            if isinstance(item, FaceState):
                self.keep(span, avatar, item.pts, coder)
                yield item
            elif item.pixels is None or item.pts < sent_from:
                yield None
            else:
                yield _packet(coder, item)

    def take(self, span: Span, avatar: Avatar, pts: int) -> H264Encoder | JpegEncoder:
        """The one that stopped at ``pts`` of this reply; a new one if there is none, or if the span asks for one."""
        kept = self._kept.pop(_place(span, avatar, pts), None)
        if kept is None or span.fresh:
            return encoder(span.codec, avatar.width, avatar.height)
        return kept

    def keep(self, span: Span, avatar: Avatar, pts: int, coder: H264Encoder | JpegEncoder) -> None:
        """Keep one that stopped at ``pts``."""
        self._kept[_place(span, avatar, pts)] = coder
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def _packet(coder: H264Encoder | JpegEncoder, picture: Picture) -> FramePacket:
    """Of a picture that has pixels."""
    assert picture.pixels is not None
    data, key = coder.encode(picture.pixels, picture.pts)
    return FramePacket(picture.pts, data, key, zlib.crc32(picture.pixels.data))


def _place(span: Span, avatar: Avatar, pts: int) -> tuple[object, ...]:
    """What an encoder may be continued for."""
    return span.session, span.turn, pts, span.codec, avatar.id, avatar.width, avatar.height
