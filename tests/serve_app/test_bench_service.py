"""The benchmarks of whole services, without one: what is predicted, how far off it is, and what counts as a leak."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from serve_app.bench import simulator
from serve_app.bench.endurance import Quiet, grown, result
from serve_app.bench.questions import Question
from serve_app.bench.simulator import Met, bars_of, off, predicted, row_of
from serve_app.gateway.admission import Limits
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.load import REST_S
from serve_app.loading.caller import Manner
from serve_app.loading.tally import Tally
from serve_app.settings import load
from serve_app.simulation.costs import house
from streaming.pace import Pace
from streaming.session import Driving, Stages
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe

QUESTIONS = [Question("a", b"", 32_000), Question("b", b"", 48_000)]


def test_a_prediction_is_off_by_its_distance_from_what_was_measured() -> None:
    assert off(0.9, 1.0) == pytest.approx(0.1) and off(1.2, 1.0) == pytest.approx(0.2)
    assert off(1.0, 0.0) == float("inf")
    p50, p95 = bars_of("7 sessions", Met(1.0, 2.0, 7), Met(1.1, 3.0, 7))
    assert p50.holds and not p95.holds
    assert row_of("it", 7, Met(1.0, 2.0, 7), Met(1.1, 3.0, 6)) == (
        "it", "7", "1000 / 1100", "10%", "2000 / 3000", "50%", "7 / 6",
    )  # fmt: skip


def test_what_stand_ins_take_is_waited_for_and_more_people_wait_longer() -> None:
    there = house(load(simulator.STAND_INS), 2, {})
    alone, many = (predicted(there, Manner(n, 30.0, rest_s=REST_S), QUESTIONS) for n in (1, 9))
    assert alone.p50 == pytest.approx(0.5 + 0.2 + 0.04 + 0.04, abs=0.03)
    assert many.p95 > alone.p95 and (alone.admitted, many.admitted) == (1, 9)
    door = predicted(there, simulator.DOOR, QUESTIONS, Limits(speaking=simulator.SPEAKING))
    assert simulator.SPEAKING <= door.admitted < simulator.DOOR.sessions


CALM = [Quiet(60.0 * k, 100 * 2**20, 12, 40, 6, 0) for k in range(12)]


def test_a_service_that_stays_as_it_is_keeps_nothing() -> None:
    told = result(CALM, Tally(asked=3))
    assert all(bar.holds for bar in told.bars) and len(told.rows) == 12
    assert told.rows[1] == ("1.0", "100.0", "6", "12", "40", "0")


def test_what_only_the_first_people_take_is_no_leak() -> None:
    warm = [replace(CALM[0], resident=50 * 2**20, tasks=1), *CALM[1:]]
    assert grown(warm, "resident") == 0 and all(bar.holds for bar in result(warm, Tally()).bars)


@pytest.mark.parametrize(("name", "step"), [("resident", 2**20), ("tasks", 1), ("threads", 1), ("files", 1)])
def test_what_grows_with_every_wave_is_a_leak(name: str, step: int) -> None:
    leaking = [replace(one, **{name: getattr(one, name) + k * step}) for k, one in enumerate(CALM)]
    assert [bar.holds for bar in result(leaking, Tally()).bars].count(False) == 1


def test_a_conversation_that_stays_and_a_failure_are_told() -> None:
    stays = [*CALM[:-1], replace(CALM[-1], sessions=1)]
    told = result(stays, Tally(failures=Counter({"hoarse": 2})))
    assert [bar.measured for bar in told.bars if not bar.holds] == [1, 2] and told.notes[-1] == "2 x hoarse"


def test_what_a_process_holds_is_told_only_where_it_is_asked_for() -> None:
    stages = Stages(Ears(), Scribe(), Echo(), Hum(), Mask(), AVATAR)
    for counts, status in ((False, 404), (True, 200)):
        house = House(stages, Pace(), Driving(), counts=counts)
        with TestClient(build_gateway(house, lambda avatar: None)) as client:
            answer = client.get("/debug/counts")
            assert answer.status_code == status
            if counts:
                told = answer.json()
                assert told["sessions"] == 0 and told["threads"] >= 1 and sum(told["tasks"].values()) >= 1
