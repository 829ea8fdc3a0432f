"""Written things are read sensibly: the ones that hibari's own reader gets wrong."""

from __future__ import annotations

import pytest

from actors.tts.text import has_words, speakable, spoken_form


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("jane.doe@example.com", "jane dot doe at example dot com"),
        ("See https://www.example.com/docs/start?x=1#y.", "See example dot com slash docs slash start."),
        ("Node.js, notes.txt and .NET", "Node dot js, notes dot txt and dot NET"),
        ("version 0.2.1 on 3.11", "version 0 point 2 point 1 on 3.11"),
        ("localhost:8080", "localhost port 8080"),
        ("480 kbit/s or 2 MB/s", "480 kilobits per second or 2 megabytes per second"),
        ("0.5 s, 1 s, 2h, 10 µs, in the 1990s", "0.5 seconds, 1 second, 2 hours, 10 microseconds, in the 1990s"),
        ("384x576, 2x faster", "384 by 576, 2 times faster"),
        ("3 * 4 = 12, 10 / 2, 7 - 4 = 3", "3 times 4 = 12, 10 divided by 2, 7 minus 4 = 3"),
        ("2.5M users, 100k files, $5M", "2.5 million users, 100 thousand files, $5M"),
        ("Call 555-123-4567.", "Call 5 5 5, 1 2 3, 4 5 6 7."),
        ("1234567890123456", "1 2 3, 4 5 6, 7 8 9, 0 1 2, 3 4 5, 6"),
        ("24/7", "24 7"),
        ("a -> b, x ≤ 5, ≈ 3", "a to b, x at most 5, about 3"),
        ("# Title", "Title"),
        ("- an **item** with `code`", "an item with code"),
        ("[the docs](https://example.com) <b>now</b>", "the docs now"),
        ("C# and README", "C sharp and read me"),
    ],
)
def test_what_is_said(written: str, said: str) -> None:
    assert spoken_form(speakable(written)[0]) == said


@pytest.mark.parametrize(
    "written",
    ["It costs $5.20, or 20%.", "The GPU runs at 25 fps.", "On 3/4/2024 at 7:30 pm.", "Dr. Smith, 20 °C, 1/2"],
)
def test_what_the_reader_knows_is_left_to_it(written: str) -> None:
    assert spoken_form(speakable(written)[0]) == written


def test_what_cannot_be_said_is_told_apart() -> None:
    assert speakable("Hi 😀 你好!") == ("Hi     !", "😀你好")
    assert speakable("e\u0301te\u0301 １２ ٣ \u200bπ") == ("été 12 3  pi ", "")
    assert speakable("Привет, αβ") == ("      ,   ", "Приветαβ")


def test_words_need_a_letter_or_a_figure() -> None:
    assert has_words("a") and has_words("7") and not has_words("... —!") and not has_words("")
