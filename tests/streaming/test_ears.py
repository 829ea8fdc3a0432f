"""What is asked of recognition while somebody speaks, and when a turn is over."""

from __future__ import annotations

import pytest

from streaming.commands import Transcribe
from streaming.ears import Ears, Understood, says_something
from streaming.media import samples
from streaming.pace import Pace
from tests.streaming.stories import MS, pcm

PACE = Pace()


def listen(ears: Ears, start_ms: int, stop_ms: int, quiet_ms: int = 0) -> list[Transcribe]:
    """20 ms blocks from ``start_ms`` to ``stop_ms``; what was asked for."""
    orders: list[Transcribe] = []
    for at in range(start_ms, stop_ms, 20):
        orders += ears.heard(pcm(20 * MS), at * MS, quiet_ms * MS)
    return orders


def speaking_since(ms: int) -> Ears:
    ears = Ears(PACE)
    listen(ears, 0, ms + 100)
    ears.started(ms * MS)
    return ears


def test_partials_come_every_800_ms_and_only_one_is_in_flight() -> None:
    ears = speaking_since(1000)
    first = listen(ears, 1100, 3000)
    assert [(order.until // MS, order.final) for order in first] == [(1500, False)]
    ears.took("hello", first[0].until)
    assert [order.until // MS for order in listen(ears, 3000, 3400)] == [3020]


def test_the_utterance_begins_a_little_before_the_first_voiced_sample() -> None:
    ears = speaking_since(1000)
    (order,) = listen(ears, 1100, 1600)
    assert len(order.audio) // 2 == order.until - 700 * MS


def test_no_partial_begins_in_a_pause() -> None:
    ears = speaking_since(1000)
    assert listen(ears, 1100, 2400, quiet_ms=100) == []


def test_a_pause_asks_for_the_final_at_once_and_the_limit_accepts_it() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    (final,) = ears.paused(1200 * MS)
    assert final.final and final.until == 1400 * MS
    assert ears.took("What time is it?", final.until)
    assert ears.turn_over() is None
    listen(ears, 1400, 1700)
    assert ears.turn_over() == Understood("What time is it?", final.until)


def test_a_partial_that_covers_every_voiced_sample_is_the_final() -> None:
    ears = speaking_since(1000)
    (partial,) = listen(ears, 1100, 1520)
    assert ears.paused(1490 * MS) == []
    ears.took("hello", partial.until)
    listen(ears, 1520, 2000)
    assert ears.turn_over() == Understood("hello", partial.until)


def test_a_known_partial_that_covers_the_pause_needs_no_final() -> None:
    ears = speaking_since(1000)
    (partial,) = listen(ears, 1100, 1520)
    ears.took("hello", partial.until)
    assert ears.paused(1450 * MS) == []


def test_speech_that_goes_on_makes_the_final_a_partial() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    (final,) = ears.paused(1200 * MS)
    ears.took("I would like", final.until)
    ears.started(1500 * MS)
    listen(ears, 1400, 2400)
    assert ears.turn_over() is None
    assert [order.final for order in ears.paused(2200 * MS)] == [True]


def test_a_pause_seen_twice_asks_once() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    assert len(ears.paused(1200 * MS)) == 1
    assert ears.paused(1200 * MS) == []


@pytest.mark.parametrize(("complete", "limit_ms"), [(True, 300), (False, 2000)])
def test_a_judge_shortens_or_lengthens_the_wait(complete: bool, limit_ms: int) -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    (final,) = ears.paused(1200 * MS)
    ears.judged(complete, 1200 * MS)
    ears.judged(not complete, 1100 * MS)  # about an older pause: says nothing
    ears.took("yes", final.until)
    listen(ears, 1400, 1200 + limit_ms - 20)
    assert (ears.turn_over() is None) == (not complete or limit_ms > 200)
    listen(ears, 1200 + limit_ms - 20, 1200 + limit_ms + 20)
    assert ears.turn_over() is not None


def test_a_pause_is_judged_once_by_the_last_eight_seconds() -> None:
    ears = Ears(PACE.with_eagerness())
    listen(ears, 0, 1000)
    ears.started(1000 * MS)
    listen(ears, 1000, 10_400)
    assert ears.ask_judge() == [], "nobody paused yet"
    ears.paused(10_200 * MS)
    (order,) = ears.ask_judge()
    assert (order.at, len(order.audio), order.complete_from) == (10_200 * MS, 8000 * MS * 2, 0.5)
    assert ears.ask_judge() == []
    ears.paused(10_300 * MS)
    assert [order.at for order in ears.ask_judge()] == [10_300 * MS], "another pause is another question"


def test_nothing_is_judged_that_the_pace_or_a_button_decides() -> None:
    plain = speaking_since(1000)
    plain.paused(1200 * MS)
    assert plain.ask_judge() == []
    pressed = Ears(PACE.with_eagerness())
    pressed.press(0)
    listen(pressed, 0, 600)
    pressed.paused(500 * MS)
    assert pressed.ask_judge() == []
    pressed.release()
    assert pressed.ask_judge() == []


def test_a_judgement_that_comes_before_the_text_still_lengthens_the_wait() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    (final,) = ears.paused(1200 * MS)
    ears.tick(0)
    ears.tick(600)
    ears.judged(False, 1200 * MS)
    ears.took("I would like", final.until)
    assert ears.turn_over() is None
    ears.tick(2000)
    assert ears.turn_over() is not None


def test_a_new_pause_begins_with_the_plain_limit_again() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    (final,) = ears.paused(1200 * MS)
    ears.judged(False, 1200 * MS)
    ears.took("yes", final.until)
    ears.paused(1300 * MS)
    listen(ears, 1400, 1820)
    assert ears.turn_over() is not None


def test_push_to_talk_waits_for_the_release_however_long_the_pause() -> None:
    ears = Ears(PACE)
    listen(ears, 0, 1000)
    ears.press(1000 * MS)
    listen(ears, 1000, 1300)
    ears.started(1100 * MS)
    (final,) = ears.paused(1200 * MS)
    ears.took("well", final.until)
    listen(ears, 1300, 4000)
    ears.tick(0)
    ears.tick(5000)
    assert ears.turn_over() is None
    assert ears.release() == []
    assert ears.turn_over() == Understood("well", final.until)


def test_a_release_in_mid_word_asks_for_everything() -> None:
    ears = Ears(PACE)
    ears.press(0)
    listen(ears, 0, 600)
    (final,) = ears.release()
    assert (final.final, final.until, len(final.audio)) == (True, 600 * MS, 600 * MS * 2)
    assert ears.release() == []


def test_speech_after_the_release_begins_the_next_utterance() -> None:
    ears = Ears(PACE)
    ears.press(0)
    listen(ears, 0, 600)
    (final,) = ears.release()
    listen(ears, 600, 900)
    ears.started(700 * MS)
    ears.took("one", final.until)
    assert ears.turn_over() is not None
    ears.discard()
    assert ears.open
    listen(ears, 900, 1200)
    (second,) = ears.paused(1000 * MS)
    assert len(second.audio) // 2 == 500 * MS


def test_a_blip_after_the_release_begins_nothing() -> None:
    ears = Ears(PACE)
    ears.press(0)
    listen(ears, 0, 600)
    ears.release()
    ears.started(650 * MS)
    assert ears.paused(700 * MS) == []
    ears.discard()
    assert not ears.open


def test_a_turn_is_closed_after_a_minute_and_the_rest_is_the_next_turn() -> None:
    ears = Ears(PACE)
    ears.started(0)
    orders: list[Transcribe] = []
    for at in range(0, 61_000, 500):
        orders += ears.heard(pcm(500 * MS), at * MS, 0)
    finals = [order for order in orders if order.final]
    assert [order.until // MS for order in finals] == [60_000]
    ears.took("a long story", finals[0].until)
    assert ears.turn_over() is not None
    ears.discard()
    assert ears.open


def test_a_minute_that_ends_in_a_pause_leaves_nothing_over() -> None:
    ears = Ears(PACE)
    ears.press(0)
    ears.heard(pcm(59_000 * MS), 0, 0)
    ears.paused(58_000 * MS)
    ears.heard(pcm(2_000 * MS), 59_000 * MS, 0)
    ears.discard()
    assert not ears.open


def test_a_silent_microphone_that_sends_nothing_ends_the_turn_by_the_clock() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    ears.tick(10)
    (final,) = ears.paused(1200 * MS)
    ears.took("hello", final.until)
    ears.tick(1_000)
    ears.tick(1_499)
    assert ears.turn_over() is None
    ears.tick(1_500)
    assert ears.turn_over() is not None


def test_what_was_lost_is_asked_for_once_more() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    (final,) = ears.paused(1200 * MS)
    assert ears.failed(lost=True) == [final]
    assert ears.failed(lost=True) is None, "once; nobody will understand it"


def test_what_broke_is_not_asked_for_once_more() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1400)
    ears.paused(1200 * MS)
    assert ears.failed(lost=False) is None


@pytest.mark.parametrize("lost", [True, False])
def test_a_partial_that_failed_costs_nothing_while_somebody_speaks_on(lost: bool) -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1520)
    assert ears.failed(lost=lost) == []
    assert ears.open
    (final,) = ears.paused(1490 * MS)
    assert final.final and samples(final.audio) == final.until - ears.begun, "all that was said"


def test_a_lost_partial_is_asked_for_again_if_the_turn_waits_for_it() -> None:
    ears = speaking_since(1000)
    listen(ears, 1100, 1520)
    ears.paused(1490 * MS)
    again = ears.failed(lost=True)
    assert again and again[0].final


def test_a_button_that_is_pressed_before_any_sound_came_begins_with_the_first() -> None:
    """The microphone's samples are counted on over a cut, and a conversation that is taken up knows none of them."""
    ears = Ears(PACE)
    ears.press(0)
    first = 600 * 1000 * MS
    listen(ears, 600_000, 600_400)
    (final,) = ears.release()
    assert (ears.begun, final.until, samples(final.audio)) == (first, first + 400 * MS, 400 * MS)


def test_a_transcript_of_an_utterance_that_is_over_is_refused() -> None:
    ears = Ears(PACE)
    assert not ears.took("late", 100)
    ears.started(0)
    listen(ears, 0, 400)
    assert ears.took("one", 300 * MS)
    assert not ears.took("older", 200 * MS)


def test_gaps_are_filled_with_silence_and_repeats_are_dropped() -> None:
    ears = Ears(PACE)
    ears.press(0)
    ears.heard(pcm(100), 0, 0)
    ears.heard(pcm(100, 2), 150, 0)
    ears.heard(pcm(100, 3), 200, 0)
    (final,) = ears.release()
    assert final.audio == pcm(100) + pcm(50, 0) + pcm(100, 2) + pcm(50, 3)


def test_nothing_is_kept_but_the_last_moments_while_nobody_speaks() -> None:
    ears = Ears(PACE)
    listen(ears, 0, 60_000)
    ears.started(59_900 * MS)
    (final,) = ears.paused(59_950 * MS)
    assert len(final.audio) // 2 == 400 * MS


def test_a_pause_or_a_release_of_nothing_asks_nothing() -> None:
    ears = Ears(PACE)
    assert ears.paused(100) == []
    assert ears.release() == []
    assert ears.turn_over() is None


def test_while_a_reply_is_held_the_first_words_are_wanted_sooner() -> None:
    ears = Ears(PACE)
    listen(ears, 0, 1100)
    ears.first = 600 * MS
    ears.started(1000 * MS)
    (order,) = listen(ears, 1100, 1700)
    assert order.until == 1300 * MS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", False),
        ("mhm", False),
        ("Uh-huh.", False),
        ("Yeah, okay!", False),
        ("[coughs] (sighs)", False),
        ("*clears throat*", False),
        ("...", False),
        ("No, wait.", True),
        ("Stop", True),
        ("okay but why", True),
        ("等等", True),
    ],
)
def test_words_that_mean_to_interrupt(text: str, words: bool) -> None:
    assert says_something(text) is words
