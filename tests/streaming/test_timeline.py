"""The reply's clock: where clips, sounds and words lie, and which text was heard."""

from __future__ import annotations

from streaming.stages import Phone, Word
from streaming.timeline import Timeline
from tests.streaming.stories import pcm


def two_clips() -> Timeline:
    timeline = Timeline()
    timeline.begin("Hello there.")
    timeline.add(
        pcm(1000),
        (Phone("h", 0, 400), Phone("o", 400, 600)),
        (Word("Hello", 0, 500), Word("there", 500, 500)),
    )
    timeline.end_clip()
    timeline.begin("How are you?")
    timeline.add(
        pcm(900, 2),
        (Phone("w", 0, 900),),
        (Word("How", 0, 300), Word("are", 300, 300), Word("you", 600, 300)),
    )
    return timeline


def test_positions_count_from_the_first_sample_of_the_reply() -> None:
    timeline = two_clips()
    assert timeline.total == 1900
    assert timeline.spoken_of_clip() == 900
    assert timeline.phones(0, 1900) == (Phone("h", 0, 400), Phone("o", 400, 600), Phone("w", 1000, 900))
    assert timeline.words(1000, 1600) == (Word("How", 1000, 300), Word("are", 1300, 300))


def test_phones_are_those_that_reach_into_the_stretch() -> None:
    timeline = two_clips()
    assert timeline.phones(400, 1000) == (Phone("o", 400, 600),)
    assert timeline.phones(399, 1001) == (Phone("h", 0, 400), Phone("o", 400, 600), Phone("w", 1000, 900))


def test_sound_is_cut_where_it_is_asked_to_be() -> None:
    timeline = two_clips()
    assert timeline.sound(999, 1001) == pcm(1) + pcm(1, 2)
    assert timeline.sound(1890, 5000) == pcm(10, 2)


def test_a_word_counts_as_heard_from_its_middle_on() -> None:
    timeline = two_clips()
    assert timeline.heard(0) == ""
    assert timeline.heard(249) == ""
    assert timeline.heard(250) == "Hello"
    assert timeline.heard(999) == "Hello there."
    assert timeline.heard(1000) == "Hello there."
    assert timeline.heard(1151) == "Hello there. How"
    assert timeline.heard(1900) == "Hello there. How are you?"


def test_a_clip_that_was_spoken_to_its_end_is_heard_whole_with_what_no_word_holds() -> None:
    timeline = Timeline()
    timeline.begin("3 + 4 = 7!")
    timeline.add(pcm(100), (), (Word("seven", 50, 50),))
    assert timeline.heard(100) == ""
    timeline.end_clip()
    assert timeline.heard(100) == "3 + 4 = 7!"


def test_without_word_times_the_text_is_cut_in_proportion_at_a_space() -> None:
    timeline = Timeline()
    timeline.begin("one two three four")
    timeline.add(pcm(1800), (), ())
    assert timeline.heard(900) == "one two"
    assert timeline.heard(1800) == "one two three four"
    assert timeline.heard(100) == ""
