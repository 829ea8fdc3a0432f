"""Stories of a load, second by second, and how many replicas are wanted at each point of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from serve_app.demand import FRESH_S, Board, shared
from serve_app.scaling import PEOPLE, RULES, TURNED_AWAY, Policy, Rule, Sample, grows_at, wanted

RULE = Rule("tts", each=10, wait_s=0.4, up_s=3, down_s=20, zero_s=30)
"""One replica is full at 8, and is enough for at most 6."""


def story(rule: Rule, *parts: tuple[int, dict[str, float]], least: int = 1, most: int = 4) -> list[tuple[float, int]]:
    """What happens when each part lasts so many seconds: (second, replicas) at the start and at every change.

    Replicas come at once, so that only the policy's own patience is seen.
    """
    samples: list[Sample] = []
    replicas, second = least, 0
    told: list[tuple[float, int]] = [(0, replicas)]
    for seconds, values in parts:
        for _ in range(seconds):
            samples.append(Sample(second, replicas, **values))
            now = wanted(samples, rule, least, most)
            if now != replicas:
                told.append((second, now))
            replicas = now
            second += 1
    return told


def test_a_quiet_service_stays_as_it_is() -> None:
    assert story(RULE, (100, {"load": 3})) == [(0, 1)]


def test_more_come_when_it_stays_busy_and_as_many_as_are_needed() -> None:
    assert story(RULE, (10, {"load": 3}), (10, {"load": 9})) == [(0, 1), (13, 2)]
    assert story(RULE, (10, {"load": 3}), (10, {"load": 25})) == [(0, 1), (13, 4)]


def test_a_burst_of_two_seconds_brings_nobody() -> None:
    assert story(RULE, (10, {"load": 3}), (2, {"load": 25}), (30, {"load": 3})) == [(0, 1)]


def test_never_more_than_the_most_and_never_fewer_than_the_least() -> None:
    assert story(RULE, (60, {"load": 500}), (60, {"load": 0}), most=3, least=2) == [(0, 2), (3, 3), (80, 2)]


def test_fewer_only_after_the_whole_patience_and_then_at_once_as_few_as_are_enough() -> None:
    assert story(RULE, (10, {"load": 25}), (30, {"load": 5})) == [(0, 1), (3, 4), (30, 1)]


def test_a_load_at_the_edge_does_not_make_it_swing() -> None:
    """9 needs two; 7 is too much for one to be given up, though one would carry it."""
    waves = [(5, {"load": 9.0}), (25, {"load": 7.0})] * 4
    assert story(RULE, *waves) == [(0, 1), (3, 2)]


def test_what_two_cannot_spare_is_no_reason_for_a_third() -> None:
    """13 keeps two below full, but above calm, after a time in which one was enough."""
    assert story(RULE, (5, {"load": 9}), (18, {"load": 1}), (20, {"load": 13})) == [(0, 1), (3, 2)]


def test_every_peak_in_between_begins_the_patience_anew() -> None:
    assert story(RULE, (5, {"load": 9}), (15, {"load": 1}), (1, {"load": 9}), (25, {"load": 1})) == [
        (0, 1),
        (3, 2),
        (41, 1),
    ]


def test_waits_before_a_stage_begins_bring_one_more_whatever_the_load_says() -> None:
    assert story(RULE, (5, {"load": 2, "wait_s": 0.2}), (6, {"load": 2, "wait_s": 0.9})) == [(0, 1), (8, 2)]


def test_a_face_with_too_little_slack_gets_one_more() -> None:
    face = replace(RULES["face"], each=4)
    assert story(face, (10, {"load": 2, "late_s": -0.6})) == [(0, 1)]
    assert story(face, (10, {"load": 2, "late_s": -0.05}))[:2] == [(0, 1), (3, 2)]


def test_nobody_for_long_and_the_last_one_goes_until_somebody_waits() -> None:
    told = story(RULE, (5, {"load": 3}), (40, {}), (5, {"queued": 1}), (5, {"load": 1}), least=0)
    assert told == [(0, 0), (0, 1), (35, 0), (45, 1)]


def test_one_stays_where_one_must() -> None:
    assert story(RULE, (5, {"load": 3}), (200, {}), least=1) == [(0, 1)]


def test_every_deployment_has_a_rule_of_its_name() -> None:
    assert {name: rule.name for name, rule in RULES.items()} == {
        name: name for name in ("asr", "llm", "tts", "face", "gpu", "gateway")
    }
    assert all(rule.calm < rule.full <= 1 for rule in RULES.values())


@pytest.mark.parametrize("each", [1, 2, 3, 7, 30])
def test_it_grows_at_the_load_that_it_says_and_not_before(each: int) -> None:
    rule = replace(RULE, each=each)
    for replicas in range(1, 9):
        load = grows_at(each, replicas)
        steady = [Sample(at, replicas, float(load)) for at in range(10)]
        assert wanted(steady, rule, 1, 99) > replicas
        assert wanted([replace(one, load=load - 1.0) for one in steady], rule, 1, 99) == replicas
        assert load <= each * replicas, "before the last place is taken, or with it"


def test_a_page_that_is_left_open_keeps_nothing_awake_but_what_is_awake_grows_with_it() -> None:
    told = story(RULE, (40, {"load": 9.0, "calls": 0.0}), (5, {"calls": 1.0, "load": 9.0}), least=0)
    assert told == [(0, 0), (40, 1), (41, 2)]
    assert story(RULE, (5, {"load": 3}), (60, {"load": 1.0, "calls": 0.0}), least=0)[1:] == [(0, 1), (35, 0)]


# ---- as Ray asks -------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """Ray's AutoscalingContext, as far as we read it."""

    current_time: float | None
    target_num_replicas: int
    aggregated_metrics: Mapping[str, Mapping[Any, float]] | None = None
    total_num_requests: float = 0.0
    capacity_adjusted_min_replicas: int = 0
    capacity_adjusted_max_replicas: int = 4


@dataclass
class Service:
    policy: Policy
    replicas: int = 1
    told: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def second(self, at: float, metrics: Mapping[str, Mapping[Any, float]] | None, waiting: float = 0) -> None:
        for tenth in range(10):
            count, state = self.policy(Asked(at + tenth / 10, self.replicas, metrics, waiting))
            assert state == {}
            if count != self.replicas:
                self.told.append((at, count))
            self.replicas = count


def test_loads_of_all_replicas_are_added_and_the_worst_wait_counts() -> None:
    service = Service(Policy("tts", each=10))
    for at in range(10):
        service.second(at, {"load": {"a": 5.0, "b": 4.0}, "wait_s": {"a": 0.0, "b": 0.1}})
    assert service.told == [(3, 2)]
    waiting = Service(Policy("asr", each=10))
    for at in range(10):
        waiting.second(at, {"load": {"a": 1.0}, "wait_s": {"a": 0.5}, "late_s": {"a": -3600.0}})
    assert waiting.told[0] == (3, 2)


def test_a_stage_of_known_room_grows_with_the_people_and_with_those_who_were_turned_away() -> None:
    board = Board()
    doors = Service(Policy("gateway", each=30, board=board))
    face = Service(Policy("face", each=2, conversations=True, board=board))
    for at in range(20):
        away = 4.0 if at >= 10 else 0.0
        doors.second(at, {"load": {"x": 9.0}, PEOPLE: {"x": 1.0, "y": 0.0}, TURNED_AWAY: {"x": away, "y": 0.0}})
        face.second(at, {"load": {"a": 1.0}, "late_s": {"a": -3600.0}})
    assert face.told == [(12, 4)] and doors.told == []
    assert Service(Policy("face", each=2, board=board)).policy(Asked(20, 1, {"load": {"a": 1.0}}))[0] == 1


def test_what_a_gateway_said_long_ago_is_not_counted() -> None:
    board = Board()
    board.write(5.0, 100.0)
    assert (board.read(100.0 + FRESH_S), board.read(101.0 + FRESH_S)) == (5.0, 0.0)


def test_policies_of_one_process_share_the_board_that_lies_outside_their_module() -> None:
    """Ray sends the module of a policy by value, once for each deployment: tests/system/test_growing.py."""
    assert shared.__module__ != Policy.__module__
    doors, face = Service(Policy("gateway", each=30)), Service(Policy("face", each=2, conversations=True))
    for at in range(5):
        doors.second(at, {"load": {"x": 9.0}, PEOPLE: {"x": 5.0}})
        face.second(at, {"load": {"a": 1.0}})
    assert face.replicas == 4
    shared().write(0.0, 0.0)


def test_numbers_that_nobody_reported_change_nothing() -> None:
    service = Service(Policy("tts", each=10), replicas=3)
    for at in range(2000):
        service.second(at, {} if at % 2 else None)
    assert service.told == []


def test_a_service_of_no_replicas_wakes_for_a_call_that_waits_at_its_caller() -> None:
    service = Service(Policy("tts", each=10), replicas=0)
    service.second(0, None)
    service.second(1, None, waiting=1)
    assert service.told == [(1, 1)]


def test_old_samples_are_forgotten() -> None:
    policy = Policy("gateway", each=30)
    for at in range(0, 4000, 2):
        policy(Asked(at, 1, {"load": {"a": 3.0}}))
    assert len(policy._kept) < 500


def test_a_clock_that_is_put_back_holds_growth_up_for_seconds_and_not_for_an_hour() -> None:
    service = Service(Policy("tts", each=10))
    for at in range(4000, 4010):
        service.second(at, {"load": {"a": 1.0}})
    for at in range(400, 410):
        service.second(at, {"load": {"a": 9.0}})
    assert service.told == [(403, 2)]


def test_a_clock_that_is_put_forward_or_a_controller_that_slept_gives_nobody_up() -> None:
    service = Service(Policy("tts", each=10), replicas=3)
    for at in range(100):
        service.second(at, {"load": {"a": 16.0}})
    service.second(9000, {"load": {"a": 0.0}})
    assert service.told == [], "one quiet second is no hour of them"


def test_what_a_gateway_said_by_a_clock_that_was_put_back_is_not_counted() -> None:
    board = Board()
    board.write(5.0, 4000.0)
    assert board.read(400.0) == 0.0


def test_an_unknown_deployment_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        Policy("choir", each=1)
