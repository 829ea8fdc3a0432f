"""What a house carries: more with more of what it lacks, the same for the same seed, and told with its sources."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from serve_app import plan
from serve_app.errors import UserError
from serve_app.plan import Cost, House, Seen
from serve_app.settings import load


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
    return max((seen.sessions for seen in plan.search(house, 64, seed) if seen.carried), default=0)


def test_alone_and_for_nothing_one_waits_for_the_end_of_the_turn_only() -> None:
    free = replace(ROOMY, costs=dict.fromkeys(ROOMY.costs, FREE))
    seen = plan.simulate(free, 1, 1)
    assert seen.lips == pytest.approx([plan.END_OF_TURN_S] * len(seen.lips))
    assert len(seen.lips) > 5 and seen.stalled == 0 and seen.busy["gpu"] == 0


def test_what_a_stage_takes_comes_on_top() -> None:
    slow = replace(ROOMY, costs={**ROOMY.costs, "llm": Cost(0.3, 0, "", "")})
    assert plan.simulate(slow, 1, 1).p95 == pytest.approx(plan.END_OF_TURN_S + 0.3 + 0.05)


def test_a_transcript_that_is_ready_before_the_turn_is_over_costs_nothing() -> None:
    early = replace(ROOMY, costs={**ROOMY.costs, "asr": Cost(0.25, 0, "", "")})
    late = replace(ROOMY, costs={**ROOMY.costs, "asr": Cost(0.5, 0, "", "")})
    assert plan.simulate(early, 1, 1).p95 == pytest.approx(0.55)
    assert plan.simulate(late, 1, 1).p95 == pytest.approx(0.75)


def test_the_same_seed_gives_the_same_answer_and_another_one_another() -> None:
    assert plan.simulate(ROOMY, 5, 1) == plan.simulate(ROOMY, 5, 1)
    assert plan.simulate(ROOMY, 5, 1).lips != plan.simulate(ROOMY, 5, 2).lips


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
    assert plan.simulate(slow, 1, 1).stalled == pytest.approx(0.23, abs=0.05)


def test_without_a_face_the_voice_alone_is_waited_for() -> None:
    costs = {stage: cost for stage, cost in ROOMY.costs.items() if stage != "face"}
    assert plan.simulate(replace(ROOMY, costs=costs), 1, 1).p95 == pytest.approx(0.5)


def test_the_gateway_takes_its_part_of_every_core() -> None:
    idle = replace(ROOMY, costs=dict.fromkeys(ROOMY.costs, FREE), devices={**ROOMY.devices, "cpu": 1})
    assert plan.simulate(idle, 20, 1).busy["cpu"] == pytest.approx(20 / 41)


def test_the_search_tells_the_largest_that_holds_and_the_next() -> None:
    tried = plan.search(ROOMY, 64, 1)
    numbers, holds = [seen.sessions for seen in tried], [seen.carried for seen in tried]
    most = numbers[holds.index(False) - 1]
    assert most + 1 in numbers and holds == sorted(holds, reverse=True)
    assert [seen.sessions for seen in plan.search(ROOMY, 3, 1)] == [1, 2, 3]


def test_nobody_answered_is_nobody_carried() -> None:
    assert not Seen(1).carried


# ---- profiles ----------------------------------------------------------------------------------------------


def test_the_embedded_profile_is_predicted_as_it_was_measured_for_one() -> None:
    """docs/performance.md: last voiced sample to first moving lip, p50 577 ms, of which 20 ms are the lip's own."""
    assert plan.simulate(plan.house(load("cpu"), 2, {}), 1, 1).p95 == pytest.approx(0.56, abs=0.06)


def test_stages_that_share_a_process_work_side_by_side_in_as_many_processes_as_there_are() -> None:
    house = plan.house(load("two-l4-one-process"), 8, {"face": 0.2})
    assert house.replicas == {"asr": 2, "llm": 1, "tts": 2, "face": 2}
    assert house.devices["gpu"] == 2
    assert (house.costs["face"].each, house.costs["face"].source) == (0.2, "as you say")


def test_a_model_behind_a_url_costs_no_core_of_ours() -> None:
    house = plan.house(load("cpu", llm={"base_url": "http://localhost/v1"}), 2, {})
    assert (house.costs["llm"].device, house.replicas["llm"]) == ("", 64)


def test_every_engine_of_our_tables_has_a_cost_and_the_l4_is_not_called_measured() -> None:
    assert plan.house(load("cpu"), 2, {}).costs.keys() == {"asr", "llm", "tts", "face"}
    sources = [cost.source for cost in plan.house(load("l4"), 8, {}).costs.values() if cost.device == "gpu"]
    assert len(sources) == 3 and all("not measured" in source for source in sources)


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan.main("cpu", 2, 1, [], 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| sessions | lip p50 s | lip p95 s | stalled | cpu busy |"
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["1", "2"]
    assert lines[5] == "cpu (2 CPU) carries 2 or more sessions: lip p95 at most 1.5 s, stalled at most 1 %"
    assert lines[6] == "- asr: 0.055 s a call + 0.026 s a second of sound on cpu; tiny.en, docs/performance.md"


@pytest.mark.parametrize(
    ("most", "cost", "told"),
    [
        (0, "", "--sessions is 0; write 1 or more"),
        (1, "face", "--cost face is no cost; write STAGE=SECONDS, face=0.4 for instance"),
        (1, "face=-1", "--cost face=-1 is no cost"),
        (1, "hands=1", "the profile cpu has no stage 'hands'; choose asr, llm, tts, face"),
    ],
)
def test_wrong_use_is_one_sentence(most: int, cost: str, told: str) -> None:
    with pytest.raises(UserError, match=told.replace("?", r"\?")):
        plan.main("cpu", most, 1, [cost] if cost else [], 2)


def test_an_engine_without_a_cost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATAR_TTS__ENGINE", "choir")
    with pytest.raises(UserError, match="nobody has told what choir costs; choose an engine out of whisper"):
        plan.main("cpu", 1, 1, [], 2)
