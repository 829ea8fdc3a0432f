"""Reading a sound file as a question: PCM16 mono at 16 kHz, or one clear error; and writing WAV files.

WAV files are checked chunk by chunk, because a decoder plays a truncated one without a word; everything that
is not already what we want goes through PyAV and its resampler. This file knows nothing of conversations.
"""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from serve_app.errors import UserError
from streaming.media import MIC_RATE, SAMPLE_BYTES

LIMIT_S = 600
"""Longest question in seconds: what one turn may hold."""

SILENT_PEAK = 32
"""Loudest sample of a file that counts as silent: -60 dBFS of 32,768."""

FORMATS = "aac,ac3,aiff,amr,asf,au,avi,caf,flac,flv,matroska,mov,mp3,mp4,mpeg,mpegts,ogg,w64,wav,webm"
"""Containers that are read. Not every one that FFmpeg knows: a playlist would make it open other files."""

_UNKNOWN_SIZE = 0xFFFFFFFF  # what a program writes that could not know how long its stream would be
_PCM, _MONO, _BITS = 1, 1, 16  # a WAV file of these at the wanted rate is taken as it is


class AudioFileError(UserError):
    """A sound file that cannot be a question. The message names the file and says what to do."""


def read_question(path: Path, limit_s: float = LIMIT_S, rate: int = MIC_RATE) -> bytes:
    """Read a sound file, or the sound of a film, in one of ``FORMATS``; return PCM16 mono at ``rate`` in Hz.

    Raises AudioFileError if it is missing, no sound file, empty, truncated, silent, or longer than ``limit_s``.
    """
    _existing(path)
    try:
        pcm = _samples(path, int(limit_s * rate) * SAMPLE_BYTES, rate)
    except OSError as error:  # FFmpegError of a file system is one too
        raise AudioFileError(f"{path.name} cannot be read: {_reason(error)}") from error
    if pcm is None:
        raise AudioFileError(f"{path.name} is longer than {limit_s:g} s; cut it, or raise the question in parts")
    if not pcm:
        raise AudioFileError(f"{path.name} holds no sound at all (0 samples); record it again")
    if int(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)).max()) <= SILENT_PEAK:
        raise AudioFileError(f"{path.name} is silent (nothing above -60 dBFS); check the microphone")
    return pcm


def wav_of(pcm: bytes, rate: int) -> bytes:
    """PCM16 mono at ``rate`` in Hz as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(SAMPLE_BYTES)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()


def _existing(path: Path) -> None:
    if path.is_dir():
        raise AudioFileError(f"{path} is a folder; name a sound file in it")
    if not path.exists():
        raise AudioFileError(f"{path} does not exist; check the name")
    if not path.is_file():
        raise AudioFileError(f"{path} is not a regular file; name a sound file")
    if path.stat().st_size == 0:
        raise AudioFileError(f"{path.name} is empty (0 bytes); record it again")


def _samples(path: Path, most: int, rate: int) -> bytes | None:
    """All samples as PCM16 mono at ``rate``; None if they take more than ``most`` bytes."""
    with path.open("rb") as file:
        if file.read(4) == b"RIFF":
            form, start, size = _chunks(file, path)
            if form == (_PCM, _MONO, rate, _BITS):
                if size > most:
                    return None
                file.seek(start)
                return file.read(size - size % SAMPLE_BYTES)
    pcm = bytearray()
    for block in _decoded(path, rate):
        pcm += block
        if len(pcm) > most:
            return None
    return bytes(pcm)


def _chunks(file: BinaryIO, path: Path) -> tuple[tuple[int, int, int, int], int, int]:
    """Walk through a WAV file: (tag, channels, rate, bits), and where its samples start and how many bytes they are.

    Raises AudioFileError if it is no WAV file or holds less than its header promises.
    """
    end = path.stat().st_size
    if file.read(8)[4:] != b"WAVE":
        raise AudioFileError(f"{path.name} begins like a WAV file and is none; export it again")
    form: tuple[int, int, int, int] | None = None
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        start = file.tell()
        if name == b"data":
            if form is None:
                raise AudioFileError(f"{path.name} has no format chunk before its samples; export it again")
            if size == _UNKNOWN_SIZE:
                size = end - start
            if start + size > end:
                raise AudioFileError(
                    f"{path.name} is truncated: its header says {size} bytes of samples, {end - start} are there; "
                    "copy it again"
                )
            return form, start, size
        if name == b"fmt " and size >= 16:
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", file.read(16).ljust(16, b"\0"))
            form = (tag, channels, rate, bits)
        file.seek(start + size + size % 2)  # chunks begin at even places
    raise AudioFileError(f"{path.name} is truncated: it ends before its samples begin; copy it again")


def _decoded(path: Path, rate: int) -> Iterator[bytes]:
    """Decode with FFmpeg and convert to PCM16 mono at ``rate``, block by block."""
    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    try:
        with av.open(str(path), "r", options={"format_whitelist": FORMATS}) as container:
            if not container.streams.audio:
                raise AudioFileError(f"{path.name} holds no sound track; name a sound file")
            for frame in container.decode(container.streams.audio[0]):
                for block in resampler.resample(frame):
                    yield _bytes(block)
            for block in resampler.resample(None):
                yield _bytes(block)
    except FFmpegError as error:
        reason = _reason(error)
        raise AudioFileError(f"{path.name} is not a sound file that can be read ({reason}); use WAV") from error


def _bytes(block: av.AudioFrame) -> bytes:
    return bytes(block.planes[0])[: block.samples * SAMPLE_BYTES]  # planes are padded


def _reason(error: OSError | FFmpegError) -> str:
    return (error.strerror or type(error).__name__).lower()
