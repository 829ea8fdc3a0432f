"""Pictures become H.264 or JPEG, packets become clips, clips become pictures again."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import av
import numpy as np
import pytest

from actors.face.video import (
    SYNTHETIC,
    H264Encoder,
    JpegEncoder,
    VideoUnreadable,
    encoder,
    padded,
    read_audio,
    read_video,
    write_mp4,
)
from streaming.media import FRAME, FramePacket

WIDTH, HEIGHT = 64, 96


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A bright square that wanders over a slope."""
    made = np.full((height, width, 3), (90, 120, 150), np.uint8)
    made += np.linspace(0, 60, height).astype(np.uint8)[:, None, None]
    made[20:40, 5 + 2 * number : 25 + 2 * number] = (30, 40, 220)
    return made


def packets(count: int = 8, coder: H264Encoder | JpegEncoder | None = None) -> list[FramePacket]:
    coder = coder or H264Encoder(WIDTH, HEIGHT)
    return [FramePacket(k * FRAME, *coder.encode(picture(k), k * FRAME)) for k in range(count)]


def _units(sized: bytes) -> list[bytes]:
    """The parts of an access unit as MP4 keeps it: each after its length."""
    units = []
    while sized:
        length = int.from_bytes(sized[:4], "big")
        units.append(sized[4 : 4 + length])
        sized = sized[4 + length :]
    return units


def tone(count: int) -> bytes:
    return (8000 * np.sin(np.arange(count) * 0.05)).astype("<i2").tobytes()


def test_a_picture_in_is_an_access_unit_out_and_the_first_is_a_key_frame() -> None:
    sent = packets()
    assert [p.key for p in sent] == [True] + [False] * 7
    assert all(p.data.startswith(b"\0\0\0\1") for p in sent)
    assert sent[0].data[4:8] == bytes((0x67, 0x42, 0xC0, sent[0].data[7]))  # SPS, Constrained Baseline


def test_the_stream_says_which_colours_it_means(tmp_path: Path) -> None:
    write_mp4(tmp_path / "clip.mp4", packets(), b"")
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        context = clip.streams.video[0].codec_context
        assert (context.color_range, context.colorspace, context.color_primaries, context.color_trc) == (1, 6, 6, 6)


def test_odd_sizes_repeat_their_last_row_and_column() -> None:
    odd = picture(0, 63, 95)
    even = padded(odd)
    assert even.shape == (96, 64, 3)
    assert (even[95] == even[94]).all()
    assert (even[:, 63] == even[:, 62]).all()
    data, key = encoder("h264", 63, 95).encode(odd, 0)
    assert key and data


def test_a_clip_keeps_packets_sound_and_times(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, packets(), tone(8 * FRAME), {"title": "a word"})
    shown = list(read_video(clip))
    assert [pts for pts, _ in shown] == [k * FRAME for k in range(8)]
    for k, (_, pixels) in enumerate(shown):
        assert np.abs(pixels.astype(int) - picture(k)).mean() < 4
    heard = read_audio(clip)
    assert len(heard) >= 8 * FRAME
    asked = np.frombuffer(tone(8 * FRAME), "<i2").astype(float)
    assert np.corrcoef(heard[2000:6000], asked[2000:6000])[0, 1] > 0.99


def test_no_tag_of_a_callers_hides_that_a_clip_is_synthetic(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_mp4(clip, packets(), b"", {"comment": "filmed", "description": "a person"})
    with av.open(str(clip)) as opened:
        assert {name: opened.metadata[name] for name in SYNTHETIC} == SYNTHETIC


def test_every_mp4_is_written_in_one_place() -> None:
    rooms = [path for room in ("actors", "serve_app") for path in (Path(__file__).parents[3] / room).rglob("*.py")]
    muxing = re.compile(r'format="mp4"|VideoWriter|av\.open\([^)]*"w"')
    assert [path.name for path in rooms if muxing.search(path.read_text("utf-8"))] == ["video.py"]


def test_a_clip_is_not_encoded_again_and_says_that_it_is_synthetic(tmp_path: Path) -> None:
    clip, sent = tmp_path / "clip.mp4", packets()
    write_mp4(clip, sent, b"", {"title": "a word"})
    with av.open(str(clip)) as opened:
        kept = [_units(bytes(packet)) for packet in opened.demux(video=0) if packet.size]
        assert opened.metadata["comment"] == "AI-generated"
        assert "synthetic" in opened.metadata["description"]
        assert opened.metadata["title"] == "a word"
    assert kept == [[unit for unit in re.split(b"\0\0\0?\1", p.data) if unit] for p in sent]


def test_a_clip_of_jpegs_is_encoded(tmp_path: Path) -> None:
    write_mp4(tmp_path / "clip.mp4", packets(coder=JpegEncoder()), tone(8 * FRAME))
    assert len(list(read_video(tmp_path / "clip.mp4"))) == 8


@pytest.mark.parametrize("coder", [None, JpegEncoder()])
@pytest.mark.parametrize("missing", [{1, 3, 5, 7}, {0, 1, 2}, {4, 5, 6}])
def test_pictures_that_were_left_out_leave_the_one_before_on_the_screen(
    tmp_path: Path, missing: set[int], coder: JpegEncoder | None
) -> None:
    shown = [k for k in range(9) if k not in missing]
    path, made = tmp_path / "clip.mp4", coder or H264Encoder(WIDTH, HEIGHT)
    write_mp4(path, [FramePacket(k * FRAME, *made.encode(picture(k), k * FRAME)) for k in shown], tone(9 * FRAME))
    read = list(read_video(path))
    assert [pts for pts, _ in read] == [k * FRAME for k in shown]
    for k, (_, pixels) in zip(shown, read, strict=True):
        assert np.abs(pixels.astype(int) - picture(k)).mean() < 6
    assert len(read_audio(path)) >= 9 * FRAME


def test_a_clip_without_its_beginning_is_refused(tmp_path: Path) -> None:
    for wrong in ([], packets()[1:]):
        with pytest.raises(VideoUnreadable, match="begins with a key frame"):
            write_mp4(tmp_path / "clip.mp4", wrong, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind_and_keeps_the_old_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"the old one")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the disk is full; free some space"):
        write_mp4(clip, packets(), tone(FRAME))
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]
    assert clip.read_bytes() == b"the old one"


def test_a_clip_is_readable_to_others_however_closed_other_files_are(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_mp4(tmp_path / "clip.mp4", packets(), tone(FRAME))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "clip.mp4").stat().st_mode) == 0o644


def test_a_clip_replaces_no_folder_or_device(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no ordinary file"):
        write_mp4(tmp_path, packets(), b"")


@pytest.mark.parametrize(("content", "said"), [(None, "does not exist"), (b"words", "cannot be read as video")])
def test_what_is_no_clip_is_told_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "clip.mp4"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(VideoUnreadable, match=said):
        list(read_video(file))
    with pytest.raises(VideoUnreadable, match=said):
        read_audio(file)
