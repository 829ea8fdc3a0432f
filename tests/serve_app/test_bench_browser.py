"""What a probe noted: skew by the numbers that pictures and samples carry, and what an interruption leaves."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from serve_app.bench.browser import silence_after, skew_of, stale_after, stops_of
from serve_app.bench.hindrance import hindered
from serve_app.bench.numbered import BITS, CELL, CHECK_BITS, CYCLE, Counter, Strip, check, code, numbers, strip
from streaming.media import FRAME, RATE, FramePacket
from streaming.stages import Avatar, FaceState, Span, Spoken

QUANTUM = 128


def played(first: int, quanta: int, at: float = 1.0) -> np.ndarray:
    """So many quanta of numbered sound from this number on, leaving from this moment on."""
    samples = numbers(first, quanta * QUANTUM).reshape(-1, QUANTUM)
    times = at + np.arange(quanta) * QUANTUM / RATE
    return np.column_stack([times, samples[:, 0], samples[:, -1]]).astype(float)


def test_a_picture_is_as_late_as_it_comes_after_the_sample_that_it_names() -> None:
    heard = played(0, 100)
    assert skew_of(961, 1 + 960 / RATE + 0.015, heard) == pytest.approx(15)
    assert skew_of(961, 1 + 960 / RATE - 0.1, heard) == pytest.approx(-100)


def test_numbers_begin_anew_and_skew_does_not_notice() -> None:
    heard = played(CYCLE - 300, 100)
    assert skew_of(101, 1 + 400 / RATE + 0.02, heard) == pytest.approx(20)


def test_a_picture_whose_sound_was_not_heard_has_no_skew() -> None:
    assert skew_of(20_000, 1.1, played(0, 100)) is None


def test_silence_begins_after_the_last_sample_and_short_pauses_are_none() -> None:
    loud, quiet = played(0, 30), np.column_stack([1 + np.arange(30, 90) * QUANTUM / RATE, *np.zeros((2, 60))])
    heard = np.concatenate([loud, quiet])
    heard[10:14, 1:] = 0
    assert silence_after({"at": 1.0}, heard) == pytest.approx(30 * QUANTUM / RATE * 1000)
    assert silence_after({"at": 1.3}, heard) == 0
    assert silence_after({"at": 1.0}, loud) == float("inf")


def test_a_hold_that_went_on_is_no_stop() -> None:
    hold, resume, flush = (
        {"type": f"avatar.{kind}", "turn": 3, "ms": k} for k, kind in enumerate(("hold", "resume", "flush"))
    )
    assert stops_of([hold, resume]) == []
    assert stops_of([hold, flush]) == [(hold, flush)]
    assert stops_of([hold, resume, flush]) == [(flush, flush)]


def test_only_another_picture_of_the_flushed_reply_is_stale() -> None:
    flush = {"turn": 33, "ms": 100.0}
    seen = [
        {"turn": 1, "sound": 1, "ms": 90.0},
        {"turn": 1, "sound": 1, "ms": 110.0},
        {"turn": 2, "sound": 5, "ms": 150.0},
    ]
    assert stale_after(flush, seen) == 0
    assert stale_after(flush, [*seen, {"turn": 1, "sound": 961, "ms": 120.0}]) == 1


def test_a_strip_holds_its_number_in_pairs_of_light_and_dark() -> None:
    picture = strip(code(12_345, 33), 384)
    light = picture[0, CELL // 2 :: CELL, 0] > 128
    bits = light.reshape(BITS, 2)
    assert (bits[:, 0] != bits[:, 1]).all()
    value = int("".join("01"[int(bit)] for bit in bits[:, 0]), 2)
    assert value >> CHECK_BITS == 12_345 << 5 | 1
    assert check(value >> CHECK_BITS) == value % 16


def test_the_face_shows_the_number_of_the_sound_that_it_is_given() -> None:
    async def made() -> tuple[list[Spoken], list[FramePacket | FaceState]]:
        spoken = [piece async for piece in Counter().speak("one two", "", "en", 0)]
        pcm = b"".join(piece.pcm24k for piece in spoken)
        span = Span("s", 1, 0, pcm, 3, (), False, 0, "", "h264", 0, 0)
        return spoken, [item async for item in Strip().animate(span, Avatar("a", 384, 64, 384, 64), None)]

    spoken, drawn = asyncio.run(made())
    assert [word.text for piece in spoken for word in piece.words] == ["one", "two"]
    assert [(item.pts, item.key) for item in drawn if isinstance(item, FramePacket)] == [
        (0, True), (FRAME, False), (2 * FRAME, False),
    ]  # fmt: skip
    assert isinstance(drawn[-1], FaceState) and drawn[-1].pts == 3 * FRAME


def test_a_deaf_line_swallows_what_comes_and_a_new_one_is_good() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def story() -> list[bytes]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with hindered(server.sockets[0].getsockname()[1]) as network:
            port = int(network.url.rpartition(":")[2])
            old_in, old_out = await asyncio.open_connection("127.0.0.1", port)
            old_out.write(b"a")
            heard = [await old_in.read(1)]
            network.deafen()
            old_out.write(b"b")
            new_in, new_out = await asyncio.open_connection("127.0.0.1", port)
            new_out.write(b"c")
            heard.append(await new_in.read(1))
            heard.append(old_in._buffer[:])  # type: ignore[attr-defined]  # nothing waits to be read
            for out in (old_out, new_out):
                out.close()
        server.close()
        return heard

    assert asyncio.run(story()) == [b"a", b"c", b""]
