"""A load on the real gateway with stub stages: who was answered, who was not, and what must not be loaded."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from serve_app.bench.questions import Question
from serve_app.bench.service import turn
from serve_app.errors import UserError
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door
from serve_app.gateway.house import House
from serve_app.load import Manner, Tally, checked, here, load
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Avatar, FaceState, Span, Spoken, StageError
from tests.serve_app.gateway.live import serving
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

QUESTION = Question("hi", b"\1\0" * 3200, 3200)
HURRY = Manner(3, 0.2, speed=20, apart_s=0, patience_s=5)
"""A fifth of a second of questions at twenty times the pace of speech."""


def gateway(door: Door | None = None, **others: Any) -> Any:
    given = {"voice": Hum(), "face": Mask(), **others}
    stages = Stages(Ears(), Scribe(), Echo(), given["voice"], given["face"], AVATAR)
    house = House(stages, Pace(end_of_turn=3200), Driving())
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


def test_the_table_tells_the_waits_and_the_failures() -> None:
    tally = Tally([0.5, 0.7], [0.6, 0.9], 2, Counter({"went away": 2, "hoarse": 1}))
    assert tally.text().splitlines() == [
        "| ms after the last voiced sample | answers | p50 | p95 | max |",
        "|---|---|---|---|---|",
        "| first audio | 2 | 600 | 690 | 700 |",
        "| first frame | 2 | 750 | 885 | 900 |",
        "",
        "2 answers were heard to the end, 3 failures",
        "- 2 x went away",
        "- 1 x hoarse",
    ]
    assert "| first audio | 0 | - | - | - |" in Tally().text()


def wished(**others: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{"url": "ws://localhost:8080/v1/realtime", "sessions": 4, "seconds": 30.0, "yes": False, **others}
    )


def test_a_load_is_bounded_and_stays_at_home_unless_told() -> None:
    assert checked(wished()) == Manner(4, 30.0)
    assert checked(wished(url="ws://example.org/v1/realtime", yes=True)) == Manner(4, 30.0)
    for others, sentence in (
        ({"url": "ws://example.org/v1/realtime"}, "is not on this machine; add --yes"),
        ({"sessions": 0}, "--sessions may be 1 to 1000"),
        ({"sessions": 2000}, "--sessions may be 1 to 1000"),
        ({"seconds": 1e9}, "--seconds may be 1 to 3600"),
        ({"sessions": 400}, "give --seconds 100"),
    ):
        with pytest.raises(UserError, match=sentence):
            checked(wished(**others))


def test_this_machine_is_known_by_its_own_names() -> None:
    names = ("localhost:8080", "127.0.0.1", "[::1]:80", "example.org", "10.0.0.1", "")
    assert [here(f"ws://{name}/v1/realtime") for name in names] == [True, True, True, False, False, False]
