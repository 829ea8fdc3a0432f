"""The order of a face's work, told as stories: who goes first, who goes along, what is left out, who is let in."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest

from actors.face.scheduler import AMPLE_MS, HELD, Batch, FaceBusy, Scheduler
from actors.face.scheduling.costs import Costs
from actors.face.scheduling.ladder import CALM, DOWN_MS, FULL, STILL_MS, UP_MS, Demand, Ladder, use
from actors.face.scheduling.work import Step, Work

FLAT = Costs.of({"hear": {1: 2, 8: 4}, "move": {1: 10, 8: 20}, "draw": {1: 10, 8: 45}})
"""A picture alone takes 10 ms, each more 5; eight windows take twice as long as one."""


def work(
    session: str, due: float, frames: int = 5, *, ready: bool = True, last: bool = False, group: int = 10
) -> Work:  # fmt: skip
    """A span of ``frames``; ``ready``: its motion is finished, only pictures are left. Else two windows of five."""
    if ready:
        return Work(session, due, (), tuple(range(frames)), finished=frames, last=last)
    steps = (Step(1, 0), Step(2, min(5, frames)), Step(3, frames))
    return Work(session, due, steps, tuple(range(frames)), last=last, group=group, scale=group / 10)


def told(batch: Batch | None) -> tuple[str, list[tuple[int, int]]] | None:
    """The kind of a batch and who is in it: (line, number)."""
    return None if batch is None else (batch.kind, [(task.line, task.number) for task in batch.tasks])


def step(scheduler: Scheduler, now: float) -> float:
    """Do the next batch in the time that it costs; when it ends."""
    batch = scheduler.pick(now)
    assert batch is not None
    now += scheduler.costs.ms(batch.kind, len(batch.tasks), batch.tasks[0].scale)
    scheduler.done(batch, now)
    return now


# ---- costs -------------------------------------------------------------------------------------------------


def test_a_batch_costs_what_was_measured_and_in_between_what_lies_between() -> None:
    assert [FLAT.ms("draw", size) for size in (1, 2, 4, 8, 16)] == [10, 15, 25, 45, 90]
    assert FLAT.ms("move", 1, 0.5) == 5
    assert FLAT.most("draw") == 8


def test_noise_does_not_make_a_larger_batch_cheaper() -> None:
    costs = Costs.of({"hear": {1: 2}, "move": {1: 9, 2: 7, 4: 12}, "draw": {1: 10}})
    assert costs.curves["move"] == ((1, 9), (2, 9), (4, 12))
    with pytest.raises(ValueError, match="measure 'draw' for a batch of one; measured are \\[2\\]"):
        Costs.of({"hear": {1: 2}, "move": {1: 9}, "draw": {2: 10}})


def test_costs_follow_what_batches_really_take_but_no_hiccup() -> None:
    costs = FLAT
    for _ in range(60):
        costs = costs.seen("draw", 1, 1.0, 20)
    assert costs.ms("draw", 1) == pytest.approx(20, rel=0.01) and costs.ms("move", 1) == pytest.approx(20, rel=0.01)
    assert FLAT.seen("draw", 1, 1.0, 1e6).factor == 8


# ---- who goes first ----------------------------------------------------------------------------------------


def test_the_picture_that_is_heard_first_is_drawn_first_whoever_came_first() -> None:
    scheduler = Scheduler(FLAT)
    later, sooner = scheduler.open(work("a", 500), 0), scheduler.open(work("b", 10), 0)
    batch = scheduler.pick(0)
    assert batch is not None and batch.tasks[0].line == sooner and later < sooner


def test_what_a_picture_needs_is_urgent_by_so_much_more() -> None:
    """A's first picture is heard after b's, but two chunks and two windows have to be made for it before."""
    scheduler = Scheduler(FLAT)
    a, b = scheduler.open(work("a", 60, ready=False), 0), scheduler.open(work("b", 55, 1), 0)
    now, order = 0.0, list[tuple[str, int]]()
    while batch := scheduler.pick(now):
        order += [(task.kind, task.line) for task in batch.tasks]
        now = step(scheduler, now)
        if ("draw", a) in order:
            break
    assert order[:5] == [("hear", a), ("hear", a), ("hear", a), ("move", a), ("move", a)]
    assert ("draw", b) in order[5:7]
    assert scheduler.counts.late == 0


def test_chunks_come_before_their_window_and_windows_before_their_pictures() -> None:
    scheduler = Scheduler(FLAT)
    scheduler.open(work("a", 1000, 10, ready=False), 0)
    kinds, now = list[str](), 0.0
    while batch := scheduler.pick(now):
        kinds.append(batch.kind)
        now = step(scheduler, now)
    assert kinds[:3] == ["hear", "move", "move"] and kinds[-1] == "draw"
    assert scheduler.over(1) and scheduler.counts.tasks == {"hear": 3, "move": 3, "draw": 10}


# ---- batches -----------------------------------------------------------------------------------------------


def test_pictures_of_all_sessions_share_a_batch_as_large_as_their_deadlines_allow() -> None:
    scheduler = Scheduler(FLAT)
    for name in "abc":
        scheduler.open(work(name, 30, 1), 0)
    assert told(scheduler.pick(0)) == ("draw", [(1, 0), (2, 0), (3, 0)]), "20 ms for all three: in time"
    assert told(scheduler.pick(16)) is not None
    tight = Scheduler(FLAT)
    for name, due in (("a", 14.0), ("b", 500.0)):
        tight.open(work(name, due, 1), 0)
    assert told(tight.pick(0)) == ("draw", [(1, 0)]), "the second one would make the first late"


def test_windows_of_other_steps_are_another_batch() -> None:
    scheduler = Scheduler(FLAT)
    for name, group in (("a", 10), ("b", 10), ("c", 5)):
        number = scheduler.open(work(name, 1000, ready=False, group=group), 0)
        assert number
    now = step(scheduler, 0)
    first, second = scheduler.pick(now), None
    assert first is not None and first.kind == "move"
    now = step(scheduler, now)
    second = scheduler.pick(now)
    groups = [{task.group for task in batch.tasks} for batch in (first, second) if batch]
    assert all(len(group) == 1 for group in groups)


def test_a_batch_does_not_hold_the_device_for_longer_than_a_new_reply_can_wait() -> None:
    slow = Costs.of({"hear": {1: 1}, "move": {1: 1}, "draw": {1: 24, 8: 192 * 0.9}})
    scheduler = Scheduler(slow)
    scheduler.open(work("a", 5000, 16), 0)
    batch = scheduler.pick(0)
    assert batch is not None and len(batch.tasks) == 3 and slow.ms("draw", 3) < 80 < slow.ms("draw", 4)


def test_those_who_are_late_already_go_along_when_that_saves_more_time_than_it_costs() -> None:
    """Eight windows take twice as long as one: four new replies at once are all helped by going together."""
    scheduler = Scheduler(FLAT)
    for name in "abcd":
        scheduler.open(work(name, 0, ready=False), 0)
    batch = scheduler.pick(0)
    assert told(batch) == ("hear", [(1, 0), (2, 0), (3, 0), (4, 0)])
    now = step(scheduler, 0)
    assert told(scheduler.pick(now)) == ("move", [(1, 0), (2, 0), (3, 0), (4, 0)])


# ---- what is left out --------------------------------------------------------------------------------------


def test_a_picture_that_would_be_late_is_not_drawn_but_the_first_and_the_last_are() -> None:
    scheduler = Scheduler(FLAT)
    number = scheduler.open(work("a", 0, 6), 0)
    assert told(scheduler.pick(0)) == ("draw", [(number, 0)])
    step(scheduler, 0)
    assert told(scheduler.pick(155)) == ("draw", [(number, 4), (number, 5)]), "1, 2 and 3 were heard by now"
    assert scheduler.skipped(number) == (1, 2, 3)
    assert told(scheduler.pick(10_000)) == ("draw", [(number, 5)])
    scheduler.done(scheduler.pick(10_000) or pytest.fail("nothing to do"), 10_010)
    assert scheduler.over(number) and scheduler.skipped(number) == (1, 2, 3, 4)
    assert (scheduler.counts.drawn, scheduler.counts.skipped, scheduler.counts.late) == (2, 4, 1)


def test_whoever_waited_for_the_first_picture_hears_the_rest_later_by_that() -> None:
    scheduler = Scheduler(FLAT)
    number = scheduler.open(work("a", 0, 4), 0)
    batch = scheduler.pick(0)
    assert batch is not None
    scheduler.done(batch, 300)
    assert told(scheduler.pick(300)) == ("draw", [(number, 1), (number, 2), (number, 3)])
    assert scheduler.skipped(number) == ()


def test_with_time_enough_nothing_is_left_out_however_slow() -> None:
    """As in a replay: slack is ample, and a file's pictures are nobody's overload."""
    slow = Costs.of({"hear": {1: 100}, "move": {1: 500}, "draw": {1: 2000}})
    scheduler = Scheduler(slow)
    number, now = scheduler.open(work("film", 3_600_000, 25, ready=False), 0), 0.0
    while scheduler.pick(now):
        now = step(scheduler, now)
        scheduler.took(number, now)
    assert scheduler.skipped(number) == () and scheduler.counts.drawn == 25
    assert scheduler.standing(now, number).rung == "" and scheduler.standing(now).sessions == 0


def test_a_film_waits_for_those_who_listen_but_not_for_ever() -> None:
    scheduler = Scheduler(FLAT)
    film, live = scheduler.open(work("film", 3_600_000, 10), 0), scheduler.open(work("a", 100, 20), 0)
    first = scheduler.pick(0)
    assert first is not None and first.tasks[0].line == live
    scheduler.open(work("b", 5000, 20), 4990)
    assert any(task.line == film for task in (scheduler.pick(4990) or first).tasks)


# ---- a consumer that stalls --------------------------------------------------------------------------------


def test_a_session_that_takes_nothing_is_bounded_and_holds_up_nobody() -> None:
    scheduler = Scheduler(FLAT)
    stalled, other = scheduler.open(work("stalled", 0, 40), 0), scheduler.open(work("other", 0, 10), 0)
    now = 0.0
    while scheduler.pick(now):
        batch = scheduler.pick(now)
        assert batch is not None
        now = step(scheduler, now)
        for task in batch.tasks:
            if task.line == other:
                scheduler.took(other, now)
    assert scheduler.over(other) and scheduler.skipped(other) == () and not scheduler.over(stalled)
    assert scheduler.counts.drawn == HELD + 10
    scheduler.took(stalled, now)
    assert scheduler.pick(now) is None, "it goes on when half is taken: a batch shall fill up"
    for _ in range(HELD // 2 - 1):
        scheduler.took(stalled, now)
    assert scheduler.pick(now) is not None


def test_what_a_stalled_session_misses_is_no_overload() -> None:
    scheduler = Scheduler(FLAT)
    stalled = scheduler.open(work("stalled", 0, 40), 0)
    now = 0.0
    while scheduler.pick(now):
        now = step(scheduler, now)
    for _ in range(HELD):
        scheduler.took(stalled, 30_000)
    assert told(scheduler.pick(30_000)) == ("draw", [(stalled, 39)])
    assert len(scheduler.skipped(stalled)) == 40 - HELD - 1
    assert scheduler.standing(31_000).rung == ""


def test_a_session_that_stalled_for_long_does_not_keep_others_out() -> None:
    slow = Costs.of({"hear": {1: 2}, "move": {1: 10}, "draw": {1: 60}})
    scheduler = Scheduler(slow)
    scheduler.open(work("a", 0, 40), 0)
    with pytest.raises(FaceBusy):
        scheduler.open(work("b", 100), 100)
    scheduler.open(work("b", 2100), 2100)


def test_a_cancelled_span_is_forgotten_at_once() -> None:
    scheduler = Scheduler(FLAT)
    cancelled, other = scheduler.open(work("a", 10), 0), scheduler.open(work("b", 20), 0)
    batch = scheduler.pick(0)
    scheduler.close(cancelled, 5)
    scheduler.close(cancelled, 5)
    assert batch is not None
    scheduler.done(batch, 10)
    after = scheduler.pick(10)
    assert after is not None and {task.line for task in after.tasks} == {other}


# ---- who is let in -----------------------------------------------------------------------------------------


def test_as_many_sessions_speak_as_can_be_drawn_at_half_the_rate() -> None:
    """At 30 ms a picture half the rate of two is 75 % of the device; the windows of a third do not fit beside it."""
    costs = Costs.of({"hear": {1: 2}, "move": {1: 10}, "draw": {1: 30}})
    half = Demand().on("rate")
    assert use(costs, half, 2) < FULL < use(costs, half, 3)
    scheduler = Scheduler(costs)
    first = scheduler.open(work("a", 0, 5, last=True), 0)
    scheduler.open(work("b", 0, 25), 0)
    with pytest.raises(
        FaceBusy, match=r"2 speaking sessions .* try again in 0\.2 s, or start another replica"
    ) as told_:
        scheduler.open(work("c", 0), 0)
    assert told_.value.retry_s == pytest.approx(0.2), "a's reply is over then"
    scheduler.open(work("b", 1000, 25), 0)
    scheduler.open(work("film", AMPLE_MS + 1), 0)
    while not scheduler.over(first):
        step(scheduler, 0)
    scheduler.close(first, 400)
    scheduler.open(work("c", 400), 400)
    assert scheduler.counts.refused == 1


def test_one_session_is_let_in_however_slow_the_device_is() -> None:
    slow = Costs.of({"hear": {1: 100}, "move": {1: 500}, "draw": {1: 2000}})
    assert Scheduler(slow).open(work("a", 0), 0) == 1


def test_a_refusal_travels_between_processes_with_its_time() -> None:
    busy = pickle.loads(pickle.dumps(FaceBusy("no room", 1.5)))
    assert (str(busy), busy.retry_s) == ("no room", 1.5)


# ---- the ladder --------------------------------------------------------------------------------------------


def test_each_rung_gives_up_more() -> None:
    needs = [use(FLAT, Demand().on(rung), 4) for rung in ("", "steps", "rate", "still")]
    assert all(more > less for more, less in pairwise(needs))
    assert use(FLAT, Demand(), 0) == 0


def test_the_ladder_is_climbed_rung_by_rung_and_comes_down_later() -> None:
    ladder = Ladder()
    full, calm = [2.0, 1.5, 0.9, 0.2], [0.5, 0.4, 0.3, 0.1]
    assert [ladder.at(at, full) for at in (0, UP_MS - 1, UP_MS)] == ["", "", "steps"]
    assert [ladder.at(UP_MS + at, full) for at in (1, UP_MS, UP_MS + 1)] == ["steps", "steps", "rate"]
    assert ladder.at(5000, full) == "rate", "here there is enough, and below there would not be"
    assert [ladder.at(6000 + at, calm) for at in (0, DOWN_MS - 1, DOWN_MS)] == ["rate", "rate", "steps"]
    assert [ladder.at(9001 + at, calm) for at in (0, DOWN_MS)] == ["steps", ""]


def test_a_still_picture_is_asked_for_only_when_the_rungs_before_had_their_time() -> None:
    ladder, much = Ladder(), [2.0] * 4
    rungs = [ladder.at(at, much) for at in (0, UP_MS, UP_MS + 1, 2 * UP_MS + 1, 700, 699 + STILL_MS, 700 + STILL_MS)]
    assert rungs == ["", "steps", "steps", "rate", "rate", "rate", "still"]
    assert ladder.exhausted and ladder.at(60_000, much) == "still"


def test_between_calm_and_full_the_rung_stays() -> None:
    ladder = Ladder()
    between = [(CALM + FULL) / 2] * 4
    assert {ladder.at(at, [2.0, *between[1:]]) for at in (0.0, UP_MS)} == {"", "steps"}
    assert {ladder.at(at, between) for at in range(1000, 60_000, 500)} == {"steps"}


def test_pictures_that_come_late_climb_too_whatever_was_reckoned() -> None:
    ladder, idle = Ladder(), [0.1] * 4
    for at in range(0, 1000, 40):
        ladder.saw(at, late=at % 200 == 0)
        ladder.at(at, idle)
    assert ladder.rung == "steps"
    assert ladder.late(5000) == 0


def test_a_few_late_pictures_of_many_or_of_few_are_no_overload() -> None:
    ladder = Ladder()
    for at in range(3):
        ladder.saw(at, late=True)
    assert [ladder.at(at, [0.1] * 4) for at in (10.0, 900.0)] == ["", ""]


def test_under_pressure_batches_are_full_and_what_that_makes_late_is_not_drawn() -> None:
    """Three times what pictures one by one could be: it draws as many as it can, instead of each just too late."""
    scheduler, now = Scheduler(Costs.of({"hear": {1: 1}, "move": {1: 1}, "draw": {1: 20, 8: 80}})), 0.0
    for name in ("a", "b", "c", "d", "e", "f"):
        scheduler._seen[name] = 0.0  # all were let in when there was room
        scheduler.open(work(name, 0, 25), 0)
    sizes = list[int]()
    while batch := scheduler.pick(now):
        sizes.append(len(batch.tasks))
        now = step(scheduler, now)
        for task in batch.tasks:
            scheduler.took(task.line, now)
    assert sizes[:6] == [7, 3, 4, 4, 8, 8], "batches grow once pictures were skipped"
    counts = scheduler.counts
    assert (counts.drawn, counts.skipped, counts.late) == (96, 54, 12)


def test_the_standing_tells_what_one_of_many_sessions_gets() -> None:
    scheduler = Scheduler(FLAT)
    assert scheduler.standing(0).frame_ms == 10
    for name in "ab":
        scheduler.open(work(name, 0), 0)
    standing = scheduler.standing(0)
    assert (standing.chunk_ms, standing.window_ms, standing.frame_ms, standing.sessions) == (
        pytest.approx(2 + 2 / 7), pytest.approx(10 + 10 / 7), 15, 2,
    )  # fmt: skip
