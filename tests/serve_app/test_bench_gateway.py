"""What the benchmarks of the gateway and of silence make of what they measured."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable
from dataclasses import replace

import numpy as np
import pytest

from serve_app.bench.gateway import PROMISES, Carried, Load, bars_of, cpu_seconds, row_of
from serve_app.bench.host import STAMP, Deaf, Draws, Hums, Timed
from serve_app.bench.silence import Noted, Silence, _Player, outcome, rows_of, voiced_from
from streaming.media import RATE, Flag, FramePacket, Kind, Unit, pack, samples
from streaming.stages import Avatar, FaceState, Hearing, HearState, Span, Voicing

WELL = Carried(Load("stub", 30), 90.0, [1.0] * 99 + [30.0], [2.0] * 100, pictures=25.0, sounds=10.0)

# ---- the gateway -------------------------------------------------------------------------------------------


def test_cpu_time_is_that_of_all_threads_and_a_name_may_hold_anything() -> None:
    hertz = os.sysconf("SC_CLK_TCK")
    stat = f"42 (a (strange) name) S {' '.join(['0'] * 10)} {3 * hertz} {hertz} 0 0"
    assert cpu_seconds(stat) == 4.0


def test_a_load_that_was_carried_whole_keeps_or_breaks_its_promise() -> None:
    rate, up, down = bars_of(PROMISES[0], WELL)
    assert (rate.measured, rate.most, rate.holds) == (90, 60, True)
    assert down.measured == 2 and down.holds
    assert up.holds  # one in a hundred is not the 99th percentile
    assert not bars_of(PROMISES[0], replace(WELL, up=[1.0] * 90 + [30.0] * 10))[1].holds
    assert not bars_of(PROMISES[0], replace(WELL, sessions_per_cpu_s=59.0))[0].holds


def test_a_starved_server_carries_nothing_however_cheap_it_looks() -> None:
    starved = replace(WELL, sessions_per_cpu_s=500.0, pictures=12.0)
    assert [bar.holds for bar in bars_of(PROMISES[0], starved)] == [False, False, False]
    assert row_of(starved)[2] == "not carried whole"
    assert row_of(WELL)[2:] == ("90", "25.0", "10.0", "1.0 / 1.3", "2.0 / 2.0", "0.0%")
    assert row_of(replace(WELL, up=[]))[5] == "-"


async def pictures(span: Span) -> list[FramePacket | FaceState]:
    return [item async for item in Draws().animate(span, Avatar("a", 2, 2, 2, 2), None)]


def test_the_stub_face_draws_what_is_wanted_and_says_when() -> None:
    span = Span("s", 1, 960, b"", 2, (), False, 0, "", "h264", 0, 0)
    since = time.monotonic_ns()
    first, second, end = asyncio.run(pictures(span))
    assert isinstance(first, FramePacket) and isinstance(second, FramePacket) and isinstance(end, FaceState)
    assert (first.pts, second.pts, end.pts) == (960, 1920, 2880)
    assert 3000 <= len(second.data) <= len(first.data) <= 6000
    assert since <= STAMP.unpack_from(first.data)[0] < STAMP.unpack_from(second.data)[0] <= time.monotonic_ns()


def test_the_stub_voice_speaks_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.bench.host.VOICE_S", 0.0)

    async def spoken() -> list[int]:
        return [samples(piece.pcm24k) async for piece in Hums().speak("Well?", "default", "en", 1)]

    assert asyncio.run(spoken()) == [RATE // 10] * 20


class Later(Deaf):
    """Answers later, with what it heard."""

    heard: bytes = b""

    async def hear(self, pcm16k: bytes, state: HearState) -> Hearing:  # type: ignore[override]
        self.heard = pcm16k
        return [Voicing(True, state.at)], HearState(state.at + samples(pcm16k))


async def hear(listener: Timed | Noted, pcm: bytes) -> Hearing:
    answer = listener.hear(pcm, HearState())
    return await answer if isinstance(answer, Awaitable) else answer


def test_only_sound_that_is_stamped_is_timed_and_the_stamp_is_not_heard() -> None:
    took, later = list[int](), Later()
    stamped = STAMP.pack(time.monotonic_ns()) + b"\1" * 632
    for listener in (Deaf(), later):
        timed = Timed(listener, took.append)
        assert asyncio.run(hear(timed, bytes(640)))[1].at == 320
        assert asyncio.run(hear(timed, stamped))[1].at == 320
        assert asyncio.run(hear(timed, b"\7" * 640))[1].at == 320  # resampled: no stamp any more
    assert len(took) == 2 and min(took) >= 0
    asyncio.run(hear(Timed(later, took.append), stamped))
    assert later.heard == bytes(8) + b"\1" * 632


# ---- silence -----------------------------------------------------------------------------------------------


def sound(turn: int) -> bytes:
    return pack(Unit(Kind.AUDIO, Flag.NONE, turn, 0, 0, 0, bytes(9600)))


def event(kind: str, **fields: str) -> str:
    return json.dumps({"type": kind, **fields})


def player(*messages: tuple[float, str | bytes]) -> _Player:
    made = _Player()
    for at, message in messages:
        made.take(message, at)
    return made


def test_our_own_client_is_silent_at_hold_and_knows_the_end_at_flush() -> None:
    told = player((1.0, sound(1)), (10.16, event("avatar.hold", turn="1")), (10.9, event("avatar.flush")))
    got = outcome(told, [10.15], 10.0, "own")
    assert [round(value or 0) for value in (got.silent, got.sent, got.stopped, got.cancelled)] == [160, 0, 10, 900]


def test_sound_after_the_decision_counts_until_the_reply_is_resumed_and_the_answer_does_not() -> None:
    told = player(
        (10.2, sound(1)),
        (10.21, event("avatar.hold")),
        (10.23, sound(1)),
        (10.6, event("avatar.resume")),
        (10.7, sound(1)),
        (10.8, sound(2)),
    )
    got = outcome(told, [9.0, 10.15], 10.0, "own")
    assert got.sent is not None and round(got.sent) == 80
    assert got.cancelled is None


def test_a_stock_client_stops_at_speech_started() -> None:
    delta = event("response.output_audio.delta", response_id="resp_1", delta="AAAA")
    told = player((1.0, delta), (10.5, event("input_audio_buffer.speech_started")), (11.0, delta.replace("_1", "_2")))
    got = outcome(told, [10.1], 10.0, "stock")
    assert [round(value or 0) for value in (got.silent, got.sent, got.stopped, got.cancelled)] == [500, 0, 400, 500]


def test_whoever_is_never_told_has_no_time() -> None:
    assert outcome(player(), [], 10.0, "own") == Silence(None, None, None, None)


def test_a_refusal_ends_the_measurement() -> None:
    with pytest.raises(RuntimeError, match="refuses the measurement"):
        player((1.0, event("error")))


def test_the_client_plays_once_100_ms_are_there_and_not_while_it_is_held() -> None:
    loud = pack(Unit(Kind.AUDIO, Flag.NONE, 1, 0, 0, 0, b"\1\0" * 1200))
    told = player((1.0, loud))
    assert not any(told.plays())
    told.take(loud, 1.1)
    assert any(told.plays()) and told.played == 960
    told.take(event("avatar.hold"), 1.2)
    assert not any(told.plays()) and told.played == 960
    told.take(event("avatar.resume"), 1.3)
    assert any(told.plays())


def test_the_first_voiced_sample_is_loud_and_no_hiss() -> None:
    hum = np.sin(2 * np.pi * 150 * np.arange(8000) / 16_000)
    noise = np.random.default_rng(1).normal(0, 1, 4800)
    hiss, room = 1500 * noise[:1600], 3 * noise
    speech = np.concatenate([50 * hum[:1600], room, hiss, 3000 * hum, room])
    assert voiced_from(speech) in (7840, 8000)


def test_the_listener_notes_when_it_decides() -> None:
    noted = Noted(Later())
    asyncio.run(hear(noted, bytes(640)))
    assert len(noted.decided) == 1
    quiet = Noted(Deaf())
    asyncio.run(hear(quiet, bytes(640)))
    assert quiet.decided == []


def test_a_row_says_how_often_it_came() -> None:
    rows = rows_of("own", [Silence(100, 0, 10, None), Silence(200, 0, 20, None)])
    assert rows[0] == ("own: first voiced sample to silence", "2 of 2", "150", "195", "200")
    assert rows[-1] == ("own: first voiced sample to the reply's end", "0 of 2", "-", "-", "-")
