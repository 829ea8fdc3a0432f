"""What a house carries: more with more of what it lacks, the same for the same seed, and told with its sources."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from serve_app import plan
from serve_app.errors import UserError
from serve_app.gateway.admission import Limits
from serve_app.settings import load
from serve_app.simulation import costs, fleet, talking
from serve_app.simulation.costs import Cost, House
from serve_app.simulation.fleet import Day, Wish
from serve_app.simulation.plot import Curve, svg
from serve_app.simulation.talking import Habits, Seen


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AVATAR_", "OPENAI_")):
            monkeypatch.delenv(name)


FREE = Cost(0, 0, "", "")
ROOMY = House(
    {"asr": FREE, "llm": FREE, "tts": FREE, "face": Cost(0, 0.25, "gpu", "", 0.2)},
    {"asr": 99, "llm": 99, "tts": 99, "face": 8},
    {"cpu": 99, "gpu": 1, "": 999},
)
"""Only the face costs anything: a GPU draws for four at once, were they never to pause."""


def carried(house: House, seed: int = 1) -> int:
    return max((seen.sessions for seen in talking.search(house, 64, seed) if seen.carried), default=0)


def test_alone_and_for_nothing_one_waits_for_the_end_of_the_turn_only() -> None:
    free = replace(ROOMY, costs=dict.fromkeys(ROOMY.costs, FREE))
    seen = talking.simulate(free, 1, 1)
    assert seen.lips == pytest.approx([talking.END_OF_TURN_S] * len(seen.lips))
    assert len(seen.lips) > 5 and seen.stalled == 0 and seen.busy["gpu"] == 0


def test_what_a_stage_takes_comes_on_top() -> None:
    slow = replace(ROOMY, costs={**ROOMY.costs, "llm": Cost(0.3, 0, "", "")})
    assert talking.simulate(slow, 1, 1).p95 == pytest.approx(talking.END_OF_TURN_S + 0.3 + 0.05)


def test_a_transcript_that_is_ready_before_the_turn_is_over_costs_nothing() -> None:
    early = replace(ROOMY, costs={**ROOMY.costs, "asr": Cost(0.25, 0, "", "")})
    late = replace(ROOMY, costs={**ROOMY.costs, "asr": Cost(0.5, 0, "", "")})
    assert talking.simulate(early, 1, 1).p95 == pytest.approx(0.55)
    assert talking.simulate(late, 1, 1).p95 == pytest.approx(0.8)


def test_partials_wait_for_one_another_and_are_in_the_way_of_the_final() -> None:
    """One of 1.2 s is under way for most of a question; the next begins 0.8 s of sound after it, or when it is back."""
    slow = replace(ROOMY, costs={**ROOMY.costs, "asr": Cost(1.2, 0, "", "")}, replicas={**ROOMY.replicas, "asr": 1})
    habits = Habits(asked=(2.0,), apart_s=0.0, warm_s=0.0)
    # Asked at 0.8 and at 2.0, which is the end: 0.8 + 1.2, and the final, which begins at 2.25, is there at 3.45.
    assert talking.simulate(slow, 1, 1, habits).lips[0] == pytest.approx(1.45 + 0.05)


def test_questions_that_are_known_are_asked_in_their_order() -> None:
    asked = Habits(asked=(1.0, 3.0), apart_s=0.0, rests=(1.0, 1.0), answers=(5.0, 5.0), seconds=30.0, warm_s=0.0)
    free = replace(ROOMY, costs=dict.fromkeys(ROOMY.costs, FREE))
    # 1 + 0.5 + 5 + 1 s, 3 + 0.5 + 5 + 1 s, and again: two of each begin to be answered within 30 s.
    assert len(talking.simulate(free, 1, 1, asked).lips) == 4


def test_the_same_seed_gives_the_same_answer_and_another_one_another() -> None:
    assert talking.simulate(ROOMY, 5, 1) == talking.simulate(ROOMY, 5, 1)
    assert talking.simulate(ROOMY, 5, 1).lips != talking.simulate(ROOMY, 5, 2).lips


def test_twice_the_gpus_or_half_the_cost_carry_about_twice_as_many() -> None:
    one = carried(ROOMY)
    two = carried(replace(ROOMY, devices={**ROOMY.devices, "gpu": 2}))
    cheap = carried(replace(ROOMY, costs={**ROOMY.costs, "face": Cost(0, 0.125, "gpu", "", 0.2)}))
    assert 4 <= one <= 8
    assert 1.7 * one <= two <= 2.8 * one and 1.7 * one <= cheap <= 2.8 * one


def test_a_replica_does_one_thing_at_a_time() -> None:
    assert carried(replace(ROOMY, replicas={**ROOMY.replicas, "face": 1}, devices={**ROOMY.devices, "gpu": 9})) == (
        carried(ROOMY)
    )


def test_a_face_slower_than_speech_carries_nobody() -> None:
    slow = replace(ROOMY, costs={**ROOMY.costs, "face": Cost(0, 1.23, "gpu", "", 0.2)})
    assert carried(slow) == 0
    assert talking.simulate(slow, 1, 1).stalled == pytest.approx(0.23, abs=0.05)


def test_without_a_face_the_voice_alone_is_waited_for() -> None:
    costs = {stage: cost for stage, cost in ROOMY.costs.items() if stage != "face"}
    assert talking.simulate(replace(ROOMY, costs=costs), 1, 1).p95 == pytest.approx(0.5)


def test_the_gateway_takes_its_part_of_every_core() -> None:
    idle = replace(ROOMY, costs=dict.fromkeys(ROOMY.costs, FREE), devices={**ROOMY.devices, "cpu": 1})
    assert talking.simulate(idle, 20, 1).busy["cpu"] == pytest.approx(20 / 41)


def test_the_search_tells_the_largest_that_holds_and_the_next() -> None:
    tried = talking.search(ROOMY, 64, 1)
    numbers, holds = [seen.sessions for seen in tried], [seen.carried for seen in tried]
    most = numbers[holds.index(False) - 1]
    assert most + 1 in numbers and holds == sorted(holds, reverse=True)
    assert [seen.sessions for seen in talking.search(ROOMY, 3, 1)] == [1, 2, 3]


def test_nobody_answered_is_nobody_carried() -> None:
    assert not Seen(1).carried


# ---- profiles ----------------------------------------------------------------------------------------------


def test_the_embedded_profile_is_predicted_as_it_was_measured_for_one() -> None:
    """docs/performance.md: last voiced sample to first moving lip, p50 577 ms, of which 20 ms are the lip's own."""
    assert talking.simulate(costs.house(load("cpu"), 2, {}), 1, 1).p95 == pytest.approx(0.56, abs=0.06)


def test_stages_that_share_a_process_work_side_by_side_in_as_many_processes_as_there_are() -> None:
    house = costs.house(load("two-l4-one-process"), 8, {"face": 0.2})
    assert house.replicas == {"asr": 2, "llm": 1, "tts": 2, "face": 2}
    assert house.devices["gpu"] == 2
    assert (house.costs["face"].each, house.costs["face"].source) == (0.2, "as you say")


def test_a_model_behind_a_url_costs_no_core_of_ours() -> None:
    house = costs.house(load("cpu", llm={"base_url": "http://localhost/v1"}), 2, {})
    assert (house.costs["llm"].device, house.replicas["llm"]) == ("", 64)


def test_every_engine_of_our_tables_has_a_cost_and_the_l4_is_not_called_measured() -> None:
    assert costs.house(load("cpu"), 2, {}).costs.keys() == {"asr", "llm", "tts", "face"}
    sources = [cost.source for cost in costs.house(load("l4"), 8, {}).costs.values() if cost.device == "gpu"]
    assert len(sources) == 3 and all("not measured" in source for source in sources)


def asked(**others: Any) -> argparse.Namespace:
    given = {"profile": "cpu", "most": 256, "seed": 1, "cost": [], "costs": None, "cores": 2, "sessions": None}
    many = {"hours": 0.2, "stay": 60.0, "cold": 20.0, "spot": 0.0, "each": None, "price": None, "plot": None}
    return argparse.Namespace(**{**given, **many, **others})


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main(asked(most=2)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| sessions | lip p50 s | lip p95 s | stalled | cpu busy |"
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["1", "2"]
    assert lines[5] == "cpu (2 CPU) carries 2 or more sessions: lip p95 at most 1.5 s, stalled at most 1 %"
    assert lines[6] == "- asr: 0.055 s a call + 0.026 s a second of sound on cpu; tiny.en, docs/performance.md"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"most": 0}, "--most is 0; write 1 or more"),
        ({"cost": ["face"]}, "--cost face is no cost; write STAGE=SECONDS, face=0.4 for instance"),
        ({"cost": ["face=-1"]}, "--cost face=-1 is no cost"),
        ({"cost": ["hands=1"]}, "the profile cpu has no stage 'hands'; choose asr, llm, tts, face"),
        ({"sessions": 0}, "--sessions may be 1 to 100000, not 0"),
        ({"sessions": 9, "hours": 1000}, "--hours may be 0.1 to 24, not 1000"),
        ({"sessions": 9, "spot": 2}, "--spot may be 0 to 1, not 2"),
        ({"sessions": 9, "each": 0.0}, "--each is 0; write how many conversations a machine carries"),
    ],
)
def test_wrong_use_is_one_sentence(wish: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told.replace("?", r"\?")):
        plan.main(asked(**wish))


def test_an_engine_without_a_cost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_TTS__ENGINE", "choir")
    with pytest.raises(UserError, match="nobody has told what choir costs; choose an engine out of whisper"):
        plan.main(asked())


def test_costs_that_were_measured_elsewhere_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "l4.toml"
    file.write_text('[ditto]\neach = 0.5\nstep = 0.2\ndevice = "gpu"\nsource = "one L4, by hand"\n')
    read = costs.read(file)
    assert read["ditto"] == Cost(0.0, 0.5, "gpu", "one L4, by hand", 0.2)
    assert read["hibari"] == costs.COSTS["hibari"]
    for wrong in ("[ditto]\neach = -1\n", "[ditto]\npace = 1\n", 'ditto = "fast"\n', "[ditto]\neach = true-ish\n"):
        file.write_text(wrong)
        with pytest.raises(UserError, match=str(file)):
            costs.read(file)


# ---- stand-ins ---------------------------------------------------------------------------------------------


def test_a_stand_in_costs_what_it_is_told_to_take_and_no_core() -> None:
    house = costs.house(load("serve_app/bench/stand_ins.toml"), 2, {})
    assert house.costs["face"] == Cost(0.0, 0.2, "", "what the stand-in is told to take", 0.2)
    assert house.replicas == {"asr": 1, "llm": 64, "tts": 1, "face": 1} and not house.urgent_first


def test_people_come_one_by_one_and_those_who_find_it_full_go_again() -> None:
    one_by_one = Habits(apart_s=1.0, seconds=30.0, warm_s=0.0)
    assert talking.simulate(ROOMY, 5, 1, one_by_one).admitted == 5
    assert talking.simulate(ROOMY, 5, 1, one_by_one, Limits(sessions=2)).admitted == 2
    crowded = talking.simulate(ROOMY, 20, 1, one_by_one, Limits(speaking=2))
    assert 2 <= crowded.admitted < 20


# ---- fleets ------------------------------------------------------------------------------------------------

CALM = Wish(60, 0.5, stay_s=120.0, cold_s=30.0, each=2.0, limits=Limits(sessions=2))


def test_a_fleet_grows_with_the_people_and_the_same_seed_gives_the_same_day() -> None:
    day = fleet.simulate(CALM, [[0.7], [0.9]], [0.0, 0.0], 1)
    assert day == fleet.simulate(CALM, [[0.7], [0.9]], [0.0, 0.0], 1)
    assert day.lips.count(0.7) + day.lips.count(0.9) == len(day.lips)
    machines = [one.machines for one in day.moments]
    assert machines[len(machines) // 2] > 1.5 * machines[0] and day.most < 120
    assert day.gone < 0.02 * day.came and day.height <= 2 * day.most
    assert day.admitted + day.gone <= day.came and day.spoken_s > 0 and day.lost == 0


class Flood(fleet.Fleet):
    """Nearly nobody; then three times what one machine carries, for two hours; then nearly nobody again."""

    BEGIN, END = 1200.0, 8400.0

    def _rate(self) -> float:
        among = self.BEGIN <= self._now < self.END
        return (self._wish.sessions if among else self._wish.sessions / 30) / self._wish.stay_s


def flood(carries: int, cold_s: float, seed: int) -> Day:
    wish = Wish(3 * carries, 3.0, cold_s=cold_s, each=carries, limits=Limits(sessions=carries))
    return Flood(wish, [[0.7]], [0.0], seed).run()


def turned_away(day: Day, begin: float, end: float) -> tuple[int, int, int]:
    """Knocks in vain, people who gave up, and people who came, between two moments."""
    among = [one for one in day.moments if begin <= one.at_s <= end]
    first, last = among[0], among[-1]
    return last.refused - first.refused, last.gone - first.gone, last.came - first.came


@pytest.mark.parametrize(("carries", "cold_s"), [(2, 180.0), (8, 180.0)])
def test_three_times_what_one_machine_carries_finds_room_and_is_followed_down_again(
    carries: int, cold_s: float
) -> None:
    """Over five such days: what is needed is there soon, next to nobody leaves unheard, and nothing swings."""
    knocks = gone = came = 0
    for seed in range(1, 6):
        day = flood(carries, cold_s, seed)
        machines = {one.at_s: one.machines for one in day.moments}
        assert max(machines[at] for at in machines if at < Flood.BEGIN) <= 3
        there = [at for at, count in machines.items() if count >= 3]
        assert there and there[0] <= Flood.BEGIN + 10 * 60, "three machines at least, within ten minutes"
        sums = turned_away(day, Flood.BEGIN + 30 * 60, Flood.END)
        knocks, gone, came = knocks + sums[0], gone + sums[1], came + sums[2]
        assert list(machines.values())[-1] <= 2, "and as few again, within half an hour"
        counts = list(machines.values())
        ups_and_downs = sum(a != b for a, b in pairwise(counts))
        assert ups_and_downs < len(counts) / 6, "a machine that comes stays ten minutes"
    assert gone < 0.02 * came, f"{gone} of {came} gave up"
    assert knocks < 0.02 * (knocks + came), f"{knocks} knocks in vain, {came} people"


def test_a_policy_that_counts_more_than_a_machine_lets_in_grows_only_by_those_it_turned_away() -> None:
    day = fleet.simulate(replace(CALM, each=4.0), [[0.7], [0.9]], [0.0, 0.0], 1)
    fit = fleet.simulate(CALM, [[0.7], [0.9]], [0.0, 0.0], 1)
    assert day.refused > 3 * fit.refused and day.gone > fit.gone + 0.01 * day.came
    told = plan.of_day("l4", replace(CALM, each=4.0), day, 0.71)
    assert told[-1].startswith("many give up: the policy counts 4 conversations a machine, and more come while one")
    assert any(line.startswith("| cost, of it a minute of speech |") for line in told)


def test_a_machine_that_is_lost_is_replaced_and_its_people_go_on_elsewhere() -> None:
    day = fleet.simulate(replace(CALM, spot=0.9), [[0.7], [0.9]], [0.0, 0.0], 1)
    assert day.lost > 5 and day.moved > 0
    assert day.moments[len(day.moments) // 2].machines > 10


def test_a_slow_start_of_machines_turns_more_people_away() -> None:
    gone = [fleet.simulate(replace(CALM, cold_s=cold), [[0.7]], [0.0], 1).gone for cold in (5.0, 600.0)]
    assert gone[0] < gone[1]


def test_a_machine_that_stalls_lets_nobody_in_by_the_gateways_own_rule() -> None:
    free = replace(CALM, limits=Limits())
    calm = fleet.simulate(free, [[0.7]], [0.0], 1)
    late = fleet.simulate(free, [[0.7]], [0.3], 1)
    assert calm.refused == 0 < late.refused


def test_the_command_tells_a_fleet_and_draws_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    drawn = tmp_path / "fleet.svg"
    chosen = asked(profile="l4", cores=8, cost=["face=0.4", "tts=0.2"], sessions=20, each=0.8, price=1.0, plot=drawn)
    assert plan.main(chosen) == 0
    told = capsys.readouterr().out
    assert "at most 20 sessions of 60 s; a machine takes 2 sessions, any speaking" in told
    assert "| machines, mean and most |" in told and "as you say" in told
    assert ElementTree.parse(drawn).getroot().tag.endswith("svg")


def test_a_picture_has_a_strip_for_every_curve_and_refuses_what_it_cannot_draw() -> None:
    drawn = svg("<a day>", [0, 1, 2], [Curve("x", [0, 5, 10]), Curve("y", [0, 0, 0])])
    assert drawn.count("<polyline") == 2 and "&lt;a day&gt;" in drawn
    assert 'points="70.0,150.0 405.0,90.0 740.0,30.0"' in drawn
    with pytest.raises(ValueError, match="two values at least"):
        svg("", [0], [Curve("x", [0])])


def test_nobody_came_is_no_day() -> None:
    assert plan.of_day("l4", CALM, Day(), None)[5] == "| told to come later, of all who asked | 0.0% |"
