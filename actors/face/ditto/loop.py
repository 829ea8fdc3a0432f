"""The idle loop as a clip: the pictures of nobody speaking, once round, for clients to play between replies."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from actors.face.ditto.avatar.paste import Pixels
from actors.face.ditto.ready import Ready
from actors.face.ditto.spec import Array
from actors.face.shelf import name_of
from actors.face.video import H264Encoder, write_mp4
from streaming.media import FRAME, FramePacket
from streaming.stages import Avatar

RECIPE = 1
"""Raised with every change that draws other pictures."""


def name(avatar: Avatar, face: Ready, weights: str) -> str:
    """The clip's name on its shelf: of everything that its pictures depend on."""
    numbers: list[Array] = [getattr(face.idle, part) for part in ("scale", "pitch", "yaw", "roll", "t", "exp", "kp")]
    portrait = face.shot(0).source.portrait
    told = str((RECIPE, avatar.width, avatar.height, avatar.idle_frames))
    return f"idle-{name_of(weights, told, portrait.tobytes(), *(part.tobytes() for part in numbers))}.mp4"


def clip(avatar: Avatar, draw: Callable[[int], Pixels]) -> Iterator[bytes]:
    """An MP4 without sound at the end, nothing with every frame before it. ``draw`` gives a frame of the loop, BGR.

    Raises OSError where no temporary file can be written.
    """
    coder, packets = H264Encoder(avatar.width, avatar.height), list[FramePacket]()
    for frame in range(avatar.idle_frames):
        data, key = coder.encode(draw(frame), frame * FRAME)
        packets.append(FramePacket(frame * FRAME, data, key))
        yield b""
    with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as folder:
        path = Path(folder) / "idle.mp4"
        write_mp4(path, packets, b"")
        yield path.read_bytes()
