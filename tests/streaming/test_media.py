"""Samples, frames, and the 16 bytes before each binary message."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.media import HEADER_BYTES, Flag, Kind, Unit, WireError, frames_for, pack, samples, unpack


def test_the_header_is_sixteen_bytes_little_endian() -> None:
    unit = Unit(Kind.VIDEO, Flag.KEY | Flag.LAST, 7, 8, 960, 10, b"picture")
    assert pack(unit) == b"\x01\x03\x07\x00\x08\x00\x00\x00\xc0\x03\x00\x00\x0a\x00\x00\x00picture"
    assert HEADER_BYTES == 16


U32 = st.integers(0, 2**32 - 1)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.sampled_from(Kind), st.integers(0, 7), st.integers(0, 65535), U32, U32, U32, st.binary(max_size=64))
def test_what_is_packed_is_unpacked(
    kind: Kind, flags: int, turn: int, seq: int, pts: int, sender_ms: int, payload: bytes
) -> None:
    unit = Unit(kind, Flag(flags), turn, seq, pts, sender_ms, payload)
    assert unpack(pack(unit)) == unit


def test_counters_wrap() -> None:
    assert unpack(pack(Unit(Kind.AUDIO, Flag.NONE, 65_537, 2**32, 2**32 + 5, -1))).pts == 5


@pytest.mark.parametrize(("message", "says"), [(b"", "16 header bytes"), (bytes(16), "unknown kind 0")])
def test_what_is_no_unit_is_refused(message: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        unpack(message)


def test_half_a_sample_is_refused() -> None:
    assert samples(b"\0\0\0\0") == 2
    with pytest.raises(ValueError, match="whole samples"):
        samples(b"\0")


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1, 1), (960, 1), (961, 2), (24_000, 25)])
def test_frames_cover_the_sound(count: int, frames: int) -> None:
    assert frames_for(count) == frames
