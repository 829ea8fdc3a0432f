"""Where utterances are cut, and how a text that repeats itself is found out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from actors.asr.pieces import AFTER, BEFORE, LONGEST, Piece, pieces
from actors.asr.repeats import repeated, without_repeats

FRAME = 512
SECOND = 31
"""Frames of a second, nearly."""


def odds(*stretches: tuple[float, float]) -> np.ndarray:
    """(seconds, probability) one after the other."""
    return np.concatenate([np.full(int(seconds * SECOND), p, np.float32) for seconds, p in stretches])


def cut(track: np.ndarray) -> list[Piece]:
    return pieces(track, len(track) * FRAME)


def test_where_nobody_speaks_nothing_is_left() -> None:
    assert cut(odds((20, 0.1))) == [] and pieces(np.zeros(0, np.float32), 0) == []


def test_silence_around_speech_is_cut_off() -> None:
    track = odds((5, 0.02), (2, 0.9), (5, 0.02))
    first, last = 5 * SECOND * FRAME, 7 * SECOND * FRAME
    assert cut(track) == [Piece(first - BEFORE, last + AFTER)]


def test_speech_at_the_edges_stays_within_the_sound() -> None:
    track = odds((2, 0.9))
    assert cut(track) == [Piece(0, len(track) * FRAME)]


def test_long_speech_is_cut_at_its_pause() -> None:
    track = odds((12, 0.9), (0.5, 0.05), (12, 0.9))
    one, two = cut(track)
    assert 12 * SECOND * FRAME <= one.end <= 12.5 * SECOND * FRAME + FRAME
    assert two.end == len(track) * FRAME and two.start >= one.end - AFTER


def test_speech_without_a_pause_is_cut_all_the_same() -> None:
    track = odds((60, 0.9))
    parts = cut(track)
    assert all(part.end - part.start <= LONGEST for part in parts)
    assert parts[0].start == 0 and parts[-1].end == len(track) * FRAME
    assert all(a.end >= b.start for a, b in pairwise(parts)), "no voiced sample is lost"


def test_a_long_silence_in_the_middle_is_skipped() -> None:
    parts = cut(odds((2, 0.9), (60, 0.01), (2, 0.9)))
    assert len(parts) == 2 and sum(part.end - part.start for part in parts) < 7 * 16_000


@pytest.mark.parametrize(
    "text",
    [
        "Who are you? Who are you?",
        "Tell me about the face. Tell me about the",
        "Yes. Yes. Yes.",
        "wood cutters of the wood cutters of the",
        ". . . . .",
    ],
)
def test_a_repetition_is_noticed(text: str) -> None:
    assert repeated(text)


@pytest.mark.parametrize(
    "text", ["", "Bye bye.", "What is it and what is that?", "the one and the other one", "No, no."]
)
def test_speech_as_people_speak_is_not_taken_for_one(text: str) -> None:
    assert not repeated(text) and without_repeats(text) == text


def test_a_repetition_is_cut_where_it_begins() -> None:
    assert without_repeats("Tell me about the face. Tell me about the") == "Tell me about the face."
