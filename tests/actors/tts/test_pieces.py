"""A clip's text is cut at natural boundaries, small first, and never loses a word."""

from __future__ import annotations

import random

from actors.tts.pieces import FIRST, LATER, Piece, pieces


def test_short_sentences_stay_whole() -> None:
    assert list(pieces("Sure. I can do that, of course!")) == [
        Piece("Sure.", 300),
        Piece("I can do that, of course!", 300),
    ]


def test_titles_initials_numbers_and_small_letters_end_no_sentence() -> None:
    text = 'Dr. Smith met J. K. Rowling at 5 p.m. on Friday. "Really?" she said.'
    assert [piece.text for piece in pieces(text)] == [text[:48], text[49:]]
    assert [piece.text for piece in pieces("1. Open the lid.\n2. Wait.")] == ["1. Open the lid.", "2. Wait."]


def test_a_long_sentence_is_cut_at_marks_small_first() -> None:
    text = (
        "The voice works sentence by sentence, and the lips follow the durations that the network predicts, which is "
        "why they never drift apart."
    )
    first, *later = pieces(text)
    assert first == Piece("The voice works sentence by sentence,", 140)
    assert len(first.text) <= FIRST
    assert [piece.pause_ms for piece in later] == [140, 300]


def test_a_long_sentence_without_marks_is_cut_before_a_joining_word() -> None:
    text = "I would like to tell you " + "how we walked along the river and then up the hill " * 4
    parts = list(pieces(text))
    assert all(len(piece.text) <= LATER for piece in parts)
    assert parts[0].mark == "," and parts[1].text.split()[0] in ("and", "then")


def test_a_line_without_a_mark_is_read_as_a_sentence() -> None:
    assert list(pieces("Apples\nPears")) == [Piece("Apples", 220, mark="."), Piece("Pears", 60)]


def test_pauses_follow_the_mark() -> None:
    assert [next(pieces(f"Go{mark}")).pause_ms for mark in (".", "?!", ",", ":", "", "!”")] == [
        300,
        300,
        140,
        220,
        60,
        300,
    ]


def test_no_character_is_lost_and_no_piece_is_long() -> None:
    rng = random.Random(1)
    for _ in range(300):
        text = "".join(rng.choice("ab .,;:!?—()\n\"'x ") for _ in range(rng.randint(1, 600)))
        parts = [piece.text for piece in pieces(text)]
        assert "".join("".join(parts).split()) == "".join(text.split())
        assert all(0 < len(part) <= LATER + 2 for part in parts)
