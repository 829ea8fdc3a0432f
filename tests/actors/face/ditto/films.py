"""A film without a camera: the built-in portrait that sways, with landmarks that sway along."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import cv2
import numpy as np

from actors.face.avatars import BUILT_IN, DEFAULT, FILM, MESH, Entry, describe
from actors.face.video import H264Encoder, write_mp4
from streaming.media import FRAME, FramePacket
from tests.actors.face.faces import found

FRAMES = 40


def sway(frame: int) -> tuple[float, float]:
    """How far the head of a frame is moved, in texture pixels."""
    return 24 * math.sin(frame / 9), 5 * math.sin(frame / 5)


def pictures(frames: int = FRAMES) -> list[np.ndarray]:
    still = found().pixels
    out = []
    for frame in range(frames):
        by = np.array([[1, 0, sway(frame)[0]], [0, 1, sway(frame)[1]]])
        out.append(cv2.warpAffine(still, by, still.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))
    return out


def meshes(frames: int = FRAMES) -> np.ndarray:
    return np.stack([found().points + np.array([*sway(frame), 0]) for frame in range(frames)])


def filmed(root: Path, frames: int = FRAMES, name: str = "film-1") -> Entry:
    """An avatar of the library with a film."""
    folder = shutil.copytree(BUILT_IN / DEFAULT, root / name)
    height, width = found().pixels.shape[:2]
    coder, packets = H264Encoder(width, height), []
    for number, picture in enumerate(pictures(frames)):
        packets.append(FramePacket(number * FRAME, *coder.encode(np.asarray(picture, np.uint8), number * FRAME)))
    write_mp4(folder / FILM, packets, b"")
    np.savez(folder / MESH, points=found().points, film=meshes(frames))
    return Entry(describe(folder), folder)
