"""Sums as people say them, and as the recogniser writes them."""

from __future__ import annotations

import pytest

from actors.llm.sums import answer


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ("What is twelve times seven?", "84"),
        ("What is 12 times 7?", "84"),
        ("what's 2 + 3 * 4", "14"),
        ("What is (2 + 3) * 4?", "20"),
        ("Fifteen percent of eighty, please.", "12"),
        ("What is 15% of 80?", "12"),
        ("ten minus twelve", "minus 2"),
        ("minus five plus three", "minus 2"),
        ("two hundred and five plus ninety-five", "300"),
        ("a hundred times a thousand", "100,000"),
        ("What is 1,200 divided by 7?", "about 171.43"),
        ("What is 5 million divided by 4?", "1,250,000"),
        ("nine point five times two", "19"),
        ("Can you multiply 3 by 4?", "12"),
        ("add three and four", "7"),
        ("subtract 3 from 10", "7"),
        ("the square root of 81", "9"),
        ("the square root of two", "about 1.41"),
        ("two to the power of ten", "1,024"),
        ("three squared plus four squared", "25"),
        ("half of fifty", "25"),
        ("100 / 8", "12.5"),
    ],
)
def test_a_sum_is_worked_out(said: str, result: str) -> None:
    assert answer(said) == f"That makes {result}."


def test_dividing_by_zero_is_answered_kindly() -> None:
    assert answer("What is seven divided by zero?") == "Nobody can divide by zero. Give me another number."


@pytest.mark.parametrize(
    "said", ["9 to the power of 9 to the power of 9", "10 to the power of 1000", "a billion times a billion"]
)
def test_what_is_too_large_to_say_is_not_worked_out(said: str) -> None:
    assert (answer(said) or "").startswith("That's too large")


@pytest.mark.parametrize(
    "said", ["", "How many times?", "one two three", "ten percent", "2 +", "I work 9-5", "(2 + 3", "__import__('os')"]
)
def test_what_is_no_sum_is_left_to_others(said: str) -> None:
    assert answer(said) is None
