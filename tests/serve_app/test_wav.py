"""A sound file becomes a question, or one sentence that says why not."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from serve_app.wav import AudioFileError, read_question

RATE = 16_000


def tone(seconds: float, rate: int, level: float = 0.5) -> np.ndarray:
    """A 440 Hz sine, floats in -1..1."""
    return level * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


def written(path: Path, pcm: bytes, *, rate: int = RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm)
    return path


def pcm16(sound: np.ndarray) -> bytes:
    return (sound * 32767).astype("<i2").tobytes()


def pitch(pcm: bytes) -> float:
    """The loudest frequency in Hz."""
    sound = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * RATE / len(sound))


def test_what_is_already_right_is_taken_as_it_is(tmp_path: Path) -> None:
    pcm = pcm16(tone(0.5, RATE))
    assert read_question(written(tmp_path / "q.wav", pcm)) == pcm


def eight_bit(path: Path) -> Path:
    return written(path, (128 + 127 * tone(0.5, RATE)).astype(np.uint8).tobytes(), width=1)


def stereo(path: Path) -> Path:
    left = tone(0.5, RATE)
    return written(path, pcm16(np.stack([left, left], axis=1)), channels=2)


def cd_rate(path: Path) -> Path:
    return written(path, pcm16(tone(0.5, 44_100)), rate=44_100)


def telephone(path: Path) -> Path:
    return written(path, pcm16(tone(0.5, 8_000)), rate=8_000)


def twenty_four_bit(path: Path) -> Path:
    whole = (tone(0.5, RATE) * (2**23 - 1)).astype("<i4")
    return written(path, b"".join(struct.pack("<i", v)[:3] for v in whole.tolist()), width=3)


def floats(path: Path) -> Path:
    data = tone(0.5, RATE).astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, RATE, 4 * RATE, 4, 32)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)
    return path


def flac(path: Path) -> Path:
    path = path.with_suffix(".flac")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.frombuffer(pcm16(tone(0.5, RATE)), "<i2")[None], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


@pytest.mark.parametrize("make", [eight_bit, stereo, cd_rate, telephone, twenty_four_bit, floats, flac])
def test_every_usual_format_becomes_the_same_tone(make, tmp_path: Path) -> None:
    pcm = read_question(make(tmp_path / "q.wav"))
    assert abs(len(pcm) // 2 - RATE // 2) <= 16, "half a second stays half a second"
    assert pitch(pcm) == pytest.approx(440, abs=2)
    assert np.abs(np.frombuffer(pcm, "<i2")).max() == pytest.approx(0.5 * 32767, rel=0.05)


def test_a_stream_that_did_not_know_its_length_is_read_to_the_end(tmp_path: Path) -> None:
    pcm = pcm16(tone(0.5, RATE))
    whole = bytearray(written(tmp_path / "q.wav", pcm).read_bytes())
    whole[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "q.wav").write_bytes(whole)
    assert read_question(tmp_path / "q.wav") == pcm


def test_a_list_chunk_before_the_samples_is_passed_over(tmp_path: Path) -> None:
    pcm = pcm16(tone(0.5, RATE))
    whole = written(tmp_path / "q.wav", pcm).read_bytes()
    extra = struct.pack("<4sI", b"LIST", 5) + b"INFO!" + b"\0"
    (tmp_path / "q.wav").write_bytes(whole[:36] + extra + whole[36:])
    assert read_question(tmp_path / "q.wav") == pcm


def missing(path: Path) -> Path:
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def no_samples(path: Path) -> Path:
    return written(path, b"")


def no_samples_at_44100(path: Path) -> Path:
    return written(path, b"", rate=44_100)


def text(path: Path) -> Path:
    path.write_text("I am not a sound. " * 50)
    return path


def picture(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 64  # type: ignore[attr-defined]
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="bgr24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:  # type: ignore[attr-defined]
            container.mux(packet)
    return path


def playlist(path: Path) -> Path:
    """Names another file of this machine, which would be heard instead."""
    other = flac(path.with_suffix(".other"))
    listed = path.with_name("q.wav.ffconcat")
    listed.write_text(f"ffconcat version 1.0\nfile {other.name}\n")
    return listed


def truncated(path: Path) -> Path:
    path.write_bytes(written(path, pcm16(tone(1, RATE))).read_bytes()[:20_000])
    return path


def header_only(path: Path) -> Path:
    path.write_bytes(written(path, pcm16(tone(1, RATE))).read_bytes()[:20])
    return path


def riff_of_another_kind(path: Path) -> Path:
    path.write_bytes(b"RIFF\x10\0\0\0AVI LIST")
    return path


def without_format(path: Path) -> Path:
    path.write_bytes(b"RIFF\x10\0\0\0WAVEdata\4\0\0\0\1\0\1\0")
    return path


def silent(path: Path) -> Path:
    return written(path, pcm16(tone(1, RATE, level=0.0009)))


def silent_stereo(path: Path) -> Path:
    return written(path, bytes(4 * RATE), channels=2)


def ten_minutes(path: Path) -> Path:
    return written(path, b"\0\x20" * (RATE * 600 + 1))


def ten_minutes_at_8000(path: Path) -> Path:
    return written(path, b"\0\x20" * (8_000 * 601), rate=8_000)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (missing, "does not exist"),
        (folder, "is a folder"),
        (empty, "is empty"),
        (no_samples, "no sound at all"),
        (no_samples_at_44100, "no sound at all"),
        (text, "not a sound file"),
        (picture, "no sound track"),
        (playlist, "not a sound file"),
        (truncated, "header says 32000 bytes of samples, 19956 are there"),
        (header_only, "ends before its samples begin"),
        (riff_of_another_kind, "begins like a WAV file and is none"),
        (without_format, "no format chunk"),
        (silent, "is silent"),
        (silent_stereo, "is silent"),
        (ten_minutes, "longer than 600 s"),
        (ten_minutes_at_8000, "longer than 600 s"),
    ],
)
def test_what_cannot_be_a_question_is_said_in_one_line(make, said: str, tmp_path: Path, capfd) -> None:
    with pytest.raises(AudioFileError, match=said) as caught:
        read_question(make(tmp_path / "q.wav"))
    assert "\n" not in str(caught.value)
    assert "q.wav" in str(caught.value)
    assert capfd.readouterr() == ("", ""), "libraries keep their remarks to themselves"


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "q.wav", pcm16(tone(0.1, RATE)))

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(AudioFileError, match="cannot be read: permission denied"):
        read_question(path)
