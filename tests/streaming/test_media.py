"""Samples, frames, and the 16 bytes before each binary message."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.media import (
    FPS,
    FRAME,
    HEADER_BYTES,
    RATE,
    Flag,
    Kind,
    Unit,
    WireError,
    frames_for,
    pack,
    samples,
    unpack,
)


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


@settings(max_examples=60, derandomize=True, deadline=None)
@given(*[st.integers(-(2**40), 2**40)] * 4)
def test_counters_wrap(turn: int, seq: int, pts: int, sender_ms: int) -> None:
    back = unpack(pack(Unit(Kind.AUDIO, Flag.NONE, turn, seq, pts, sender_ms)))
    assert (back.turn, back.seq, back.pts, back.sender_ms) == (
        turn % 2**16,
        seq % 2**32,
        pts % 2**32,
        sender_ms % 2**32,
    )


def test_flags_that_nobody_defined_are_passed_over() -> None:
    """A newer client may set more of them; what we know of the message still holds."""
    message = bytearray(pack(Unit(Kind.VIDEO, Flag.KEY, 1, 2, 3, 4)))
    message[1] |= 0xF8
    assert unpack(bytes(message)).flags == Flag.KEY


@pytest.mark.parametrize("whole", [bytearray, memoryview])
def test_a_message_may_come_in_any_buffer_and_its_payload_is_bytes(whole: Callable[[bytes], bytes]) -> None:
    unit = Unit(Kind.MICROPHONE, Flag.NONE, 1, 2, 3, 4, b"sound")
    back = unpack(whole(pack(unit)))
    assert back == unit
    assert type(back.payload) is bytes, "what is passed on must not change with the socket's buffer"


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.binary(max_size=40))
def test_whatever_comes_in_is_a_unit_or_one_error(message: bytes) -> None:
    known = len(message) >= HEADER_BYTES and message[0] in list(Kind)
    if known:
        assert pack(unpack(message))[2:] == message[2:]
    else:
        with pytest.raises(WireError):
            unpack(message)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"", "16 header bytes; this one has 0"),
        (b"\x01" * 15, "16 header bytes; this one has 15"),
        (bytes(16), "unknown kind 0; known are 1, 2, 3 and 16"),
        (b"\xff" * 16, "unknown kind 255"),
    ],
)
def test_what_is_no_unit_is_refused(message: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        unpack(message)


def test_half_a_sample_is_refused() -> None:
    assert samples(b"\0\0\0\0") == 2
    assert samples(b"") == 0
    with pytest.raises(ValueError, match="not in 1 bytes; buffer the odd byte"):
        samples(b"\0")


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (1, 1), (960, 1), (961, 2), (24_000, 25)])
def test_frames_cover_the_sound(count: int, frames: int) -> None:
    assert frames_for(count) == frames


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 2**31))
def test_a_frame_more_would_be_empty_and_a_frame_less_too_few(count: int) -> None:
    frames = frames_for(count)
    assert (frames - 1) * FRAME < count <= frames * FRAME


def test_the_clock_divides_evenly() -> None:
    assert FRAME * FPS == RATE
    assert FRAME == 960
