"""Encoders kept between two spans of a reply: a cache that may be lost at any time.

A span that goes on where an encoder stopped continues its stream; any other begins with a key frame.
"""

from __future__ import annotations

from collections import OrderedDict

from actors.face.video import H264Encoder, JpegEncoder, encoder
from streaming.stages import Avatar, Span

KEPT = 32


class Coders:
    """The encoders of a replica by where they stopped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], H264Encoder | JpegEncoder] = OrderedDict()

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


def _place(span: Span, avatar: Avatar, pts: int) -> tuple[object, ...]:
    """What an encoder may be continued for."""
    return span.session, span.turn, pts, span.codec, avatar.id, avatar.width, avatar.height
