"""A load on the real gateway with stub stages: who was answered, who was not, and what must not be loaded."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serve_app.bench.questions import Question
from serve_app.bench.service import turn
from serve_app.errors import UserError
from serve_app.gateway.admission import Admission, Limits
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door
from serve_app.gateway.house import House
from serve_app.gateway.server import port_of_ours
from serve_app.groups import Gateway
from serve_app.instruments import Instruments
from serve_app.load import REST_S, checked, cost, here, write
from serve_app.loading.caller import Manner
from serve_app.loading.crowd import crowd, load, workers_for
from serve_app.loading.meter import Meter, family, looked, served_by
from serve_app.loading.tally import Tally, together
from serve_app.ports import free_port
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Avatar, FaceState, Span, Spoken, StageError
from tests.serve_app.gateway.live import serving
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

QUESTION = Question("hi", b"\1\0" * 3200, 3200)
HURRY = Manner(3, 0.2, speed=20, apart_s=0, patience_s=5)
"""A fifth of a second of questions at twenty times the pace of speech."""


def gateway(door: Door | None = None, limits: Limits | None = None, **others: Any) -> Any:
    given = {"voice": Hum(), "face": Mask(), **others}
    stages = Stages(Ears(), Scribe(), Echo(), given["voice"], given["face"], AVATAR)
    house = House(stages, Pace(end_of_turn=3200), Driving(), Admission(Instruments(), limits or Limits(late=1)))
    return build_gateway(house, lambda avatar: None, door or Door(messages=math.inf))


async def loaded(application: Any, manner: Manner = HURRY) -> Tally:
    async with serving(application) as url:
        return await load(f"{url}/v1/realtime", None, [QUESTION], manner)


async def test_every_session_is_answered_and_its_waits_are_told() -> None:
    tally = await loaded(gateway())
    assert tally.failures == Counter() and tally.answered >= 3
    assert len(tally.audio_s) == len(tally.frame_s) == tally.answered
    assert all(0 < audio < 5 for audio in tally.audio_s)


async def test_what_fails_is_counted_by_its_sentence() -> None:
    class Hoarse(Hum):
        async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
            for _ in range(1):
                raise StageError("hoarse; rest")
            yield Spoken(b"")

    tally = await loaded(gateway(voice=Hoarse()))
    assert set(tally.failures) == {"hoarse; rest"}
    assert tally.failures.total() >= 3 and not tally.answered and not tally.audio_s


async def test_an_answer_without_pictures_is_an_answer_and_a_failure() -> None:
    class Blind(Mask):
        async def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[Any]:
            for _ in range(1):
                raise StageError("no paint")
            yield None

    tally = await loaded(gateway(face=Blind()))
    assert set(tally.failures) == {"no paint"}
    assert len(tally.audio_s) == tally.answered > 0 and not tally.frame_s


async def test_a_service_that_sends_sessions_away_is_told_with_its_code() -> None:
    tally = await loaded(gateway(Door(messages=5)))
    (reason,) = tally.failures
    assert tally.failures[reason] == 3 and "close code 4029: more than 5 messages a second" in reason


async def test_nobody_there_is_one_reason() -> None:
    tally = await load("ws://127.0.0.1:1/v1/realtime", None, [QUESTION], HURRY)
    (reason,) = tally.failures
    assert tally.failures[reason] == 3 and "cannot be reached" in reason and not tally.answered


async def test_an_answer_that_never_begins_ends_the_wait() -> None:
    class Deaf(Ears):
        def hear(self, pcm16k: bytes, state: Any) -> Any:
            return [], state

    stages = Stages(Deaf(), Scribe(), Echo(), Hum(), Mask(), AVATAR)
    application = build_gateway(House(stages, Pace(), Driving()), lambda avatar: None, Door(messages=math.inf))
    tally = await loaded(application, Manner(1, 0.1, speed=20, patience_s=0.05))
    assert set(tally.failures) == {"no answer began within 0.05 s"} and not tally.audio_s


async def test_the_benchmark_of_the_service_hears_its_answer_out() -> None:
    async with serving(gateway()) as url:
        await turn(f"{url}/v1/realtime", QUESTION.pcm16k)


async def test_whoever_interrupts_hears_silence_and_is_answered_in_the_end() -> None:
    loud = Question("stop", b"\1\0" * 6400, 6400, voiced_from=0)
    rude = Manner(2, 0.6, speed=4, apart_s=0, patience_s=60, pattern="barge", barge_s=(0.05, 0.1))
    async with serving(gateway(voice=Long())) as url:
        tally = await load(f"{url}/v1/realtime", None, [loud], rude)
    assert tally.failures == Counter()
    assert len(tally.silence_s) >= 2 and min(tally.silence_s) >= 0
    assert tally.asked > len(tally.silence_s)


class Long(Hum):
    """Four seconds, so that there is something to interrupt."""

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        for _ in range(8):
            async for piece in super().speak(text, voice, language, seed):
                yield Spoken(piece.pcm24k)


async def test_whoever_is_idle_asks_nothing_and_is_no_failure() -> None:
    tally = await loaded(gateway(), Manner(2, 0.3, apart_s=0, pattern="idle"))
    assert (tally.admitted, tally.asked, tally.answered) == (2, 0, 0) and tally.failures == Counter()


async def test_those_who_find_it_full_are_refused_and_no_failure() -> None:
    async with serving(gateway(limits=Limits(sessions=1, late=1))) as url:
        tally = await load(f"{url}/v1/realtime", None, [QUESTION], Manner(3, 0.5, speed=20, apart_s=0.1))
    assert (tally.admitted, tally.refused) == (1, 2) and tally.failures == Counter()


async def test_worker_processes_see_together_what_one_would_see_alone() -> None:
    many = Manner(13, 0.1, apart_s=0, patience_s=20)
    assert workers_for(12) == 1 < workers_for(13)
    async with serving(gateway()) as url:
        tally = await crowd(f"{url}/v1/realtime", None, [QUESTION], many)
    assert tally.failures == Counter() and tally.admitted == 13 and tally.answered >= 13


# ---- what is told ------------------------------------------------------------------------------------------


def test_the_table_tells_the_waits_and_the_failures() -> None:
    tally = Tally([0.5, 0.7], [0.6, 0.9], 2, Counter({"went away": 2, "hoarse": 1}), asked=3, admitted=2, refused=1)
    tally.pictures, tally.late, tally.heard_s = 200, 1, 90.0
    assert tally.text().splitlines() == [
        "| ms | times | p50 | p95 | p99 | max |",
        "|---|---|---|---|---|---|",
        "| end of speech to first audio | 2 | 600 | 690 | 698 | 700 |",
        "| end of speech to first frame | 2 | 750 | 885 | 897 | 900 |",
        "| interruption to silence | 0 | - | - | - | - |",
        "",
        "2 sessions were let in, 1 told to come later",
        "3 questions were asked, 2 answers heard to the end, 3 failures",
        "1 of 200 pictures came late (0.50%); 1.5 minutes of speech",
        "- 2 x went away",
        "- 1 x hoarse",
    ]
    assert "end of speech to first audio | 0 | - | - | - | - |" in Tally().text()


def test_tallies_add_up_and_are_told_as_json(tmp_path: Path) -> None:
    one = Tally([0.5], [0.6], 1, Counter({"x": 1}), [0.1], 1, 1, 0, 10, 1, 4.0)
    whole = together([one, one, Tally()])
    assert whole == Tally([0.5] * 2, [0.6] * 2, 2, Counter({"x": 2}), [0.1] * 2, 2, 2, 0, 20, 2, 8.0)
    write(tmp_path / "report.json", whole.told())
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["waits_ms"]["interruption to silence"] == {
        "times": 2, "p50": 100.0, "p95": 100.0, "p99": 100.0, "max": 100.0,
    }  # fmt: skip
    assert (told["late"], told["heard_s"], told["failures"]) == (2, 8.0, {"x": 2})


def test_a_minute_of_speech_costs_what_the_machine_cost_while_it_was_made() -> None:
    assert cost(Tally(heard_s=120.0), 3600, 0.8) == pytest.approx(0.4)
    assert cost(Tally(), 3600, 0.8) is None and cost(Tally(heard_s=1.0), 3600, None) is None


# ---- what the service takes --------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this machine has no /proc")
def test_a_service_is_found_by_its_lock_and_measured_with_its_children() -> None:
    listening = Gateway(host="127.0.0.1", port=free_port())
    with port_of_ours(listening):
        assert served_by(f"ws://127.0.0.1:{listening.port}/v1/realtime") == os.getpid()
    assert served_by("ws://127.0.0.1:1/v1/realtime") is None
    busy = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ninput()"
    child = subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE)
    try:
        meter = Meter(os.getpid())
        meter.look()
        assert child.pid in family(os.getpid())
        until = time.monotonic() + 20
        while (now := looked(child.pid)) and now.cpu_s < 0.3 and time.monotonic() < until:
            time.sleep(0.05)
        meter.look()
        used = {one.name: one for one in meter.used()}
        assert used["service"].memory_mb > 20 and sum(one.cores for one in used.values()) > 0
    finally:
        child.communicate(b"\n")
    assert looked(child.pid) is None


# ---- what is asked for -------------------------------------------------------------------------------------


def wished(**others: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{
            **{"url": "ws://localhost:8080/v1/realtime", "sessions": 4, "seconds": 30.0, "yes": False},
            **{"pattern": "talk", "price": None, **others},
        }
    )


def test_a_load_is_bounded_and_stays_at_home_unless_told() -> None:
    assert checked(wished()) == Manner(4, 30.0, rest_s=REST_S)
    assert checked(wished(url="ws://example.org/v1/realtime", yes=True, pattern="barge")).pattern == "barge"
    for others, sentence in (
        ({"url": "ws://example.org/v1/realtime"}, "is not on this machine; add --yes"),
        ({"sessions": 0}, "--sessions may be 1 to 1000"),
        ({"sessions": 2000}, "--sessions may be 1 to 1000"),
        ({"seconds": 1e9}, "--seconds may be 1 to 3600"),
        ({"sessions": 400}, "give --seconds 100"),
        ({"price": -1.0}, "--price is -1; write what an hour of all the machines costs"),
    ):
        with pytest.raises(UserError, match=sentence):
            checked(wished(**others))


def test_this_machine_is_known_by_its_own_names() -> None:
    names = ("localhost:8080", "127.0.0.1", "[::1]:80", "example.org", "10.0.0.1", "")
    assert [here(f"ws://{name}/v1/realtime") for name in names] == [True, True, True, False, False, False]
