"""Errors are counted in words, in characters where a language has no spaces, and where two recognisers agree."""

from __future__ import annotations

import sys

import pytest

from serve_app.errors import UserError
from serve_app.evaluating.words import Heard, check, compared, measure_of, rate, units, wrong_with_both


def test_case_punctuation_and_apostrophes_do_not_count() -> None:
    assert compared("Don't worry, Anna-Lena!", "dont worry anna lena", "en") == Heard(frozenset(), 0, 4)
    assert units("¿Qué TAL, señor?", "es") == ["qué", "tal", "señor"]


def test_words_left_out_taken_for_others_and_added_are_errors() -> None:
    heard = compared("the cat sat on the mat", "a cat on the mat today", "en")
    assert heard == Heard(frozenset({0, 2}), 1, 6)
    assert heard.errors == 3


def test_nothing_heard_is_every_word_wrong() -> None:
    assert compared("the cat", "", "en") == Heard(frozenset({0, 1}), 0, 2)


def test_mandarin_is_counted_in_characters() -> None:
    assert measure_of("zh") == "CER" and measure_of("en") == "WER"
    assert compared("你好，世界。", "你好 世纪", "zh") == Heard(frozenset({3}), 0, 4)


def test_long_cases_weigh_more_than_short_ones() -> None:
    one, other = Heard(frozenset({0}), 0, 1), Heard(frozenset(), 1, 9)
    assert rate([one, other]) == pytest.approx(20)


def test_only_what_both_mishear_is_the_voices() -> None:
    first, second = Heard(frozenset({0, 2}), 5, 8), Heard(frozenset({2, 3}), 0, 8)
    assert wrong_with_both([first], [second]) == pytest.approx(12.5)


def test_without_jiwer_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check()
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(UserError, match=r'run: pip install "realtime-avatar\[eval\]"$'):
        check()
