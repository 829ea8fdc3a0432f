"""How far ahead a reply is, by what was sent and what its client reports."""

from __future__ import annotations

import pytest

from streaming.leads import Leads
from streaming.media import FRAME, RATE, FramePacket

SECOND = RATE
Recorded = list[tuple[str, float]]


@pytest.fixture
def recorded() -> Recorded:
    return []


@pytest.fixture
def leads(recorded: Recorded) -> Leads:
    return Leads(lambda name, value, labels: recorded.append((name.removeprefix("avatar_"), round(value, 3))), turn=3)


def pictures(first: int, count: int = 1) -> list[FramePacket]:
    return [FramePacket((first + number) * FRAME, b"picture", False) for number in range(count)]


def test_the_first_picture_is_due_when_it_comes_for_the_client_waits_for_it(leads: Leads, recorded: Recorded) -> None:
    leads.sound(1000, SECOND)
    leads.pictures(1400, pictures(0, 5))
    assert recorded == [("deadline_slack_seconds", 0.0)]


def test_a_picture_that_comes_before_any_sound_has_no_deadline(leads: Leads, recorded: Recorded) -> None:
    leads.pictures(1000, pictures(0))
    assert recorded == []


def test_pictures_are_late_when_their_time_is_over_as_they_are_sent(leads: Leads, recorded: Recorded) -> None:
    leads.sound(0, 2 * SECOND)
    leads.pictures(0, pictures(0))
    leads.pictures(1000, pictures(20, 10))
    assert recorded[1:] == [("deadline_slack_seconds", -0.2), ("frames_late_total", 5)]


def test_a_report_says_how_much_the_client_holds_and_whether_it_sees_what_it_hears(
    leads: Leads, recorded: Recorded
) -> None:
    leads.sound(0, SECOND)
    leads.pictures(0, pictures(0, 5))
    leads.played(400, 3, SECOND * 4 // 10)
    assert recorded[1:] == [("playout_buffer_seconds", 0.6), ("av_skew_seconds", 0.2)]


def test_sound_is_not_ahead_of_a_picture_that_is_meant_to_stay(leads: Leads, recorded: Recorded) -> None:
    leads.sound(0, SECOND)
    leads.kept(FRAME)
    leads.pictures(0, pictures(0, 5))
    leads.kept(10 * FRAME)
    leads.kept(3 * FRAME)
    leads.played(400, 3, SECOND * 4 // 10)
    leads.played(500, 3, SECOND * 5 // 10)
    assert [value for name, value in recorded if name == "av_skew_seconds"] == [0.0, 0.1]


def test_from_the_report_on_the_client_plays_but_never_what_it_does_not_have(leads: Leads, recorded: Recorded) -> None:
    leads.sound(0, SECOND)
    leads.played(900, 3, SECOND // 2)
    leads.pictures(1000, pictures(15))
    leads.pictures(9000, pictures(25))
    assert recorded[1:] == [("deadline_slack_seconds", 0.0), ("deadline_slack_seconds", 0.0)]


def test_nothing_is_heard_in_a_pause(leads: Leads, recorded: Recorded) -> None:
    leads.pause(0, paused=True)
    leads.pause(0, paused=False)
    leads.sound(0, SECOND)
    leads.pause(200, paused=True)
    leads.played(300, 3, SECOND // 5)
    leads.pause(5000, paused=False)
    leads.pictures(5100, pictures(10))
    assert recorded[-1] == ("deadline_slack_seconds", 0.1)


def test_a_buffer_that_empties_at_the_end_is_no_news(leads: Leads, recorded: Recorded) -> None:
    leads.sound(0, SECOND)
    leads.complete()
    leads.played(900, 3, SECOND)
    assert recorded == []


@pytest.mark.parametrize("turn", [0, 2])
def test_reports_of_the_idle_loop_and_of_older_replies_say_nothing(leads: Leads, recorded: Recorded, turn: int) -> None:
    leads.sound(0, SECOND)
    leads.played(100, turn, 50)
    assert recorded == []
