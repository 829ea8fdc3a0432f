"""Pictures to H.264 or JPEG, packets to MP4, and MP4 back to pictures and sound.

It knows no face: any engine's BGR pictures go through here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from actors.files import whole
from streaming.media import FPS, FRAME, RATE, FramePacket
from streaming.stages import Codec

Pixels = NDArray[np.uint8]

JPEG_QUALITY = 75
SYNTHETIC = {"comment": "AI-generated", "description": "AI-generated: face and voice are synthetic"}
"""Tags that every clip carries."""

_TICKS = Fraction(1, RATE)
# OpenCV's BGR to I420 is BT.601 with studio range; the tags say exactly that, for players guess otherwise.
_X264 = "keyint=infinite:scenecut=0:bframes=0:repeat-headers=1:range=tv:colorprim=smpte170m:transfer=smpte170m:" \
    "colormatrix=smpte170m"  # fmt: skip


class VideoUnreadable(ValueError):
    """Packets or a file that cannot be read as video; the message says why."""


def even(size: int) -> int:
    """The coded size: the next even number."""
    return size + size % 2


def padded(picture: Pixels) -> Pixels:
    """The picture in its coded size: an odd last row or column is repeated."""
    height, width = picture.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


class H264Encoder:
    """One stream of H.264, Constrained Baseline, Annex B: a picture in, an access unit out at once."""

    def __init__(self, width: int, height: int, crf: int = 23) -> None:
        """``width`` and ``height`` of the pictures in pixels, odd or even; ``crf``: x264's, lower is finer."""
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = even(width), even(height)
        context.pix_fmt = "yuv420p"
        context.time_base = _TICKS
        context.framerate = Fraction(FPS)
        context.thread_count = 1
        context.options = {
            "preset": "superfast", "tune": "zerolatency", "crf": str(crf), "profile": "baseline", "x264-params": _X264,
        }  # fmt: skip
        self._context = context

    def encode(self, picture: Pixels, pts: int) -> tuple[bytes, bool]:
        """The access unit of a BGR picture, and whether decoding can begin there. The first is an IDR."""
        planes = np.asarray(cv2.cvtColor(padded(picture), cv2.COLOR_BGR2YUV_I420), np.uint8)
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = pts, _TICKS
        packets = self._context.encode(frame)
        return b"".join(bytes(p) for p in packets), any(p.is_keyframe for p in packets)


class JpegEncoder:
    """Pictures as JPEG, each for itself."""

    def encode(self, picture: Pixels, pts: int) -> tuple[bytes, bool]:
        """The JPEG of a BGR picture."""
        done, data = cv2.imencode(".jpg", padded(picture), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise ValueError(f"OpenCV could not encode a picture of shape {picture.shape} as JPEG")
        return data.tobytes(), True


def encoder(codec: Codec, width: int, height: int) -> H264Encoder | JpegEncoder:
    """A new encoder for pictures of this size."""
    return H264Encoder(width, height) if codec == "h264" else JpegEncoder()


# ---- clips -------------------------------------------------------------------------------------------------


def write_mp4(
    path: Path, packets: Sequence[FramePacket], pcm24k: bytes, metadata: Mapping[str, str] | None = None
) -> None:
    """Write packets and PCM16 sound at 24 kHz as an MP4; H.264 packets are not encoded again.

    The file appears whole or not at all. Raises VideoUnreadable on packets that do not begin with a key frame,
    OSError if the file cannot be written.
    """
    packets = as_h264(packets)
    if not packets or not packets[0].key:
        raise VideoUnreadable("a clip begins with a key frame; keep the reply's packets from its first on")
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"{path} is no ordinary file and was not replaced; name another")
    try:
        with whole(path) as part, part.open("wb") as file:
            _mux(file, packets, pcm24k, {**(metadata or {}), **SYNTHETIC})
            os.fchmod(file.fileno(), 0o644)  # whatever the umask: a film is there to be handed on
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        what = "the disk is full; free some space" if error.errno == errno.ENOSPC else str(error)
        raise OSError(error.errno, f"{path} was not written: {what}") from error


def _mux(file: IO[bytes], packets: Sequence[FramePacket], pcm24k: bytes, tags: Mapping[str, str]) -> None:
    with av.open(file, "w", format="mp4") as out, av.open(BytesIO(packets[0].data), format="h264") as first:
        video = out.add_stream_from_template(first.streams.video[0])
        video.time_base = _TICKS
        sound = out.add_stream("aac", rate=RATE, layout="mono") if pcm24k else None
        out.metadata.update(tags)
        out.start_encoding()
        for packet in packets:
            unit = av.Packet(packet.data)
            unit.stream, unit.time_base = video, _TICKS
            unit.pts = unit.dts = packet.pts
            unit.duration = FRAME
            unit.is_keyframe = packet.key
            out.mux(unit)
        if sound is not None:
            for frame in _sound_frames(pcm24k):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))


def _sound_frames(pcm24k: bytes) -> Iterator[Any]:
    samples = np.frombuffer(pcm24k, "<i2")
    for start in range(0, len(samples), RATE):
        piece = samples[start : start + RATE].astype(np.float32)[None] / 32768
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, _TICKS
        yield frame


def as_h264(packets: Sequence[FramePacket]) -> Sequence[FramePacket]:
    """The packets as H.264: JPEGs are encoded anew. Raises VideoUnreadable."""
    if not packets or not packets[0].data.startswith(b"\xff\xd8"):
        return packets
    made, coder = [], None
    for packet in packets:
        picture = cv2.imdecode(np.frombuffer(packet.data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise VideoUnreadable(f"the packet at pts {packet.pts} is not a JPEG that can be read")
        coder = coder or H264Encoder(picture.shape[1], picture.shape[0])
        data, key = coder.encode(np.asarray(picture, np.uint8), packet.pts)
        made.append(FramePacket(packet.pts, data, key, packet.check))
    return made


def read_video(path: Path) -> Iterator[tuple[int, Pixels]]:
    """Pictures of a clip: (pts in samples at 24 kHz, BGR). Raises VideoUnreadable."""
    with _opened(path) as clip:
        if not clip.streams.video:
            raise VideoUnreadable(f"{path} holds no video")
        for frame in clip.decode(video=0):
            if frame.pts is None or frame.time_base is None:
                raise VideoUnreadable(f"{path} has pictures without a time")
            yield round(frame.pts * frame.time_base * RATE), frame.to_ndarray(format="bgr24")


def read_audio(path: Path) -> NDArray[np.int16]:
    """Sound of a clip as mono at 24 kHz; empty if it has none. Raises VideoUnreadable."""
    with _opened(path) as clip:
        if not clip.streams.audio:
            return np.zeros(0, np.int16)
        change = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        pieces = [out.to_ndarray()[0] for frame in clip.decode(audio=0) for out in change.resample(frame)]
        pieces += [out.to_ndarray()[0] for out in change.resample(None)]
    return np.concatenate(pieces).astype(np.int16) if pieces else np.zeros(0, np.int16)


def _opened(path: Path) -> Any:
    try:
        return av.open(str(path))
    except FileNotFoundError:
        raise VideoUnreadable(f"{path} does not exist") from None
    except FFmpegError as error:
        raise VideoUnreadable(f"{path} cannot be read as video: {error}") from error
