"""A simulated loudspeaker hears a reply as a person would: units and times in, a playhead out."""

from __future__ import annotations

from collections.abc import Iterable

from serve_app.playing import Playhead
from serve_app.units import Cut, End, Flush, Hold, Kept, Notice, Picture, Resume, Sound, State, Told
from streaming.media import FRAME, RATE

TENTH = RATE // 10


def sound(k: int, turn: int = 1) -> Sound:
    """The k-th tenth of a second of a reply."""
    return Sound(turn, k * TENTH, bytes(2 * TENTH))


def pictures(until: int, turn: int = 1) -> list[Picture]:
    """All pictures up to a sample."""
    return [Picture(turn, pts, b"", pts == 0) for pts in range(0, until, FRAME)]


def playing(*units: Told | Iterable[Told], pictures: bool = True) -> Playhead:
    """A playhead that was given these units at time 0, in turn 1."""
    playhead = Playhead(0.0, pictures=pictures)
    playhead.take(State("thinking", 1), 0.0)
    for unit in units:
        for one in [unit] if not isinstance(unit, Iterable) else unit:
            playhead.take(one, 0.0)
    return playhead


def test_it_begins_with_a_tenth_of_a_second_of_sound_and_its_pictures() -> None:
    playhead = playing(sound(0), sound(1))
    assert playhead.at(1.0) == (1, 0), "no picture yet"
    for picture in pictures(2 * TENTH)[:3]:
        playhead.take(picture, 1.0)
    assert playhead.at(2.0) == (1, 2880), "three pictures and what lies under them"


def test_it_plays_in_real_time_and_never_past_the_newest_picture() -> None:
    playhead = playing([sound(k) for k in range(10)], pictures(TENTH * 3))
    assert playhead.at(0.05) == (1, RATE // 20)
    assert playhead.at(9.0) == (1, 8 * FRAME)


def test_a_picture_that_stays_holds_nothing_up() -> None:
    playhead = playing([sound(k) for k in range(10)], Kept(2, RATE), pictures(TENTH * 3)[::2], Kept(1, 8 * TENTH))
    assert playhead.at(9.0) == (1, 8 * TENTH)


def test_after_a_gap_it_waits_for_twice_as_much() -> None:
    playhead = playing(sound(0), pictures=False)
    assert playhead.at(1.0) == (1, TENTH)
    playhead.take(sound(1), 1.0)
    assert playhead.at(2.0) == (1, TENTH)
    playhead.take(sound(2), 2.0)
    assert playhead.at(2.1) == (1, 2 * TENTH)


def test_the_end_is_said_once_and_then_the_idle_loop_goes_on() -> None:
    playhead = playing(sound(0), pictures(TENTH), End(1, TENTH, 50))
    assert playhead.ends_in(0.05) == 0.05
    assert not playhead.over
    assert playhead.at(0.2) == (1, TENTH)
    assert playhead.at(0.2) == (0, 50 * FRAME)
    assert playhead.at(1.2) == (0, 50 * FRAME + RATE)
    assert playhead.at(9.2) == (0, 9 * RATE - 200 * FRAME)
    assert playhead.ends_in(9.2) is None


def test_a_short_reply_is_played_as_soon_as_it_is_whole() -> None:
    playhead = playing(Sound(1, 0, bytes(200)), pictures(FRAME))
    assert playhead.at(1.0) == (1, 0)
    playhead.take(End(1, 100, 0), 1.0)
    assert playhead.at(2.0) == (1, 100)


def test_held_it_stands_still() -> None:
    playhead = playing([sound(k) for k in range(10)], pictures=False)
    playhead.take(Hold(1), 0.25)
    assert playhead.at(5.0) == (1, RATE // 4)
    playhead.take(Resume(1), 5.0)
    assert playhead.at(5.25) == (1, RATE // 2)


def test_without_pictures_the_sound_goes_on() -> None:
    playhead = playing(sound(0), sound(1), Notice(1, "voice", "the face is away"))
    assert playhead.at(0.1) == (1, TENTH)


def test_an_interrupted_reply_is_over() -> None:
    for over in (Flush(1), Cut(1, 100, "")):
        playhead = playing(sound(0), pictures(TENTH))
        playhead.take(over, 0.05)
        assert playhead.at(0.05)[0] == 0


def test_what_belongs_to_another_reply_changes_nothing() -> None:
    playhead = playing(sound(0, turn=2), pictures(TENTH, turn=2), End(2, 5, 0), Hold(2), Flush(2))
    assert playhead.at(1.0) == (1, 0)
