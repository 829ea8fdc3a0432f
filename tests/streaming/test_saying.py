"""What is shown while somebody speaks: agreed words stay as they are, and the rest is told apart as a guess."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streaming.saying import Saying


def shown(*texts: str) -> list[tuple[str, str]]:
    """What was agreed and guessed after each transcript."""
    saying = Saying()
    told: list[tuple[str, str]] = []
    for text in texts:
        saying.took(text)
        told.append((saying.agreed, saying.guess))
    return told


def test_what_two_transcripts_begin_with_alike_is_agreed() -> None:
    assert shown("How do", "How do the lip", "How do the lips follow") == [
        ("", "How do"),
        ("How do", " the lip"),
        ("How do the", " lips follow"),
    ]


def test_marks_and_capitals_are_no_disagreement_and_stay_as_they_were_agreed() -> None:
    assert shown("Well.", "well, then", "Well then what") == [
        ("", "Well."),
        ("well,", " then"),
        ("well, then", " what"),
    ]


def test_a_transcript_that_contradicts_what_is_agreed_takes_nothing_back() -> None:
    assert shown("I see", "I see the", "Icy the road", "I see the road is") == [
        ("", "I see"),
        ("I see", " the"),
        ("I see", ""),
        ("I see", " the road is"),
    ]


def test_what_was_transcribed_at_a_pause_is_agreed_at_once() -> None:
    saying = Saying()
    saying.took("What is this?", sure=True)
    assert (saying.agreed, saying.guess) == ("What is this?", "")
    saying.took("What is this thing", sure=True)
    assert (saying.agreed, saying.guess) == ("What is this? thing", "")


def test_chinese_is_agreed_on_character_by_character() -> None:
    assert shown("你好今", "你好今天天气", "你好今天怎么样") == [
        ("", "你好今"),
        ("你好今", "天天气"),
        ("你好今天", "怎么样"),
    ]


def test_a_transcript_without_words_changes_nothing() -> None:
    assert shown("so", "so it", " ") == [("", "so"), ("so", " it"), ("so", " it")]


@given(st.lists(st.tuples(st.text(alphabet="ab .,天", max_size=12), st.booleans()), max_size=8))
def test_what_is_agreed_never_flickers(texts: list[tuple[str, bool]]) -> None:
    saying, agreed = Saying(), [""]
    for text, sure in texts:
        saying.took(text, sure=sure)
        agreed.append(saying.agreed)
    assert all(later.startswith(earlier) for earlier, later in pairwise(agreed))
