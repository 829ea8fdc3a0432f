"""Somebody's film to faces with their landmarks, frame by frame: asked of the worker that decodes pictures too.

The film travels as an open file, the frames come back as plain RGB, a line of JSON each, and are used as they come. The
same limits hold, memory, time and file writing; those of length and size are checked before anything is decoded.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actors.face import landmarks
from actors.face.landmarks import Found, LandmarksMissing, PictureRefused
from actors.face.video import H264Encoder, write_mp4
from streaming.media import FPS, FRAME, FramePacket

MOST_S = 10
MOST_SIDE = 1920
FRAMES = 125
"""Of a film that are used: five seconds, which to and fro fill the idle loop."""
LEAST = FPS
TIME_S = 60.0
FINE = 16
"""x264's crf of frames that are kept: they are drawn on, and coded once more."""


def is_film(data: bytes) -> bool:
    """Whether a file's first bytes are those of MP4, MOV or WebM."""
    return data[4:8] == b"ftyp" or data.startswith(b"\x1a\x45\xdf\xa3")


def find_faces(film: bytes, command: tuple[str, ...], time_s: float = TIME_S) -> Generator[Found]:
    """The one face of each frame, the first 125, 25 a second. ``command`` is ``landmarks.worker()``.

    All frames have the same size. Raises PictureRefused, or LandmarksMissing if the worker does not work.
    """
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as noise:
        file.write(film)
        file.flush()
        file.seek(0)
        asked = {"film": file.fileno(), "most_side": MOST_SIDE, "most_s": MOST_S, "frames": FRAMES}
        try:
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, pass_fds=(file.fileno(),),
                env=landmarks.bare(),
            )  # fmt: skip
        except OSError as error:
            raise LandmarksMissing(f"the part that finds faces does not start ({error})") from error
        alarm = threading.Timer(time_s, worker.kill)
        alarm.start()
        try:
            silent = True
            for face in _read(worker, json.dumps(asked).encode()):
                silent = False
                yield face
            if worker.wait() == 0 and silent:
                raise LandmarksMissing(f"the part that finds faces said nothing; make it again: {landmarks.SETUP}")
            if worker.returncode:
                if not alarm.is_alive():
                    raise PictureRefused("too_slow", f"this film was not read within {time_s:g} s; make it smaller")
                noise.seek(0)
                landmarks.died(worker.returncode, noise.read().decode(errors="replace").strip())
        finally:
            alarm.cancel()
            worker.kill()
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()


def _read(worker: subprocess.Popen[bytes], asked: bytes) -> Iterator[Found]:
    assert worker.stdin is not None and worker.stdout is not None
    with worker.stdin as stdin:
        stdin.write(asked + b"\n")
    for line in worker.stdout:
        try:
            yield landmarks.read(json.loads(line))
        except PictureRefused:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LandmarksMissing(f"the part that finds faces answered nonsense ({error!r})") from error


@dataclass(slots=True)
class Reel:
    """Frames that were fitted, coded as they come."""

    coder: H264Encoder
    packets: list[FramePacket]
    meshes: list[np.ndarray]

    @classmethod
    def of(cls, width: int, height: int) -> Reel:
        """For frames of this size."""
        return cls(H264Encoder(width, height, FINE), [], [])

    def add(self, pixels: np.ndarray, points: np.ndarray) -> None:
        """A frame, BGR, and its landmarks (478, 3)."""
        pts = len(self.packets) * FRAME
        data, key = self.coder.encode(np.asarray(pixels, np.uint8), pts)
        self.packets.append(FramePacket(pts, data, key))
        self.meshes.append(points)

    def write(self, path: Path) -> None:
        """Write the film. Raises PictureRefused if it is too short to be one, OSError."""
        if len(self.packets) < LEAST:
            raise PictureRefused("film_short", landmarks.SENTENCES["film_short"])
        write_mp4(path, self.packets, b"")
