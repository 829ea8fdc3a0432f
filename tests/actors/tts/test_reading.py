"""Signs know the written word they belong to, also where one word becomes several or none."""

from __future__ import annotations

from typing import Any

import pytest

from actors.tts.hibari import Hibari
from actors.tts.reading import LONGEST, Reading, read


@pytest.fixture
def reading(voice: Hibari) -> Any:
    return lambda text, mark="": read(text, mark, voice._reader, voice._normalize, voice._alphabet)


def by_word(found: Reading) -> dict[str, str]:
    return {
        word: "".join(sign for sign, owner in zip(found.signs, found.owners, strict=True) if owner == number)
        for number, word in enumerate(found.words)
    }


def test_each_word_owns_its_signs(reading: Any) -> None:
    (found,) = reading("Hello, you!")
    assert found.signs == "həlˈO, ju!"
    assert by_word(found) == {"Hello": "həlˈO,", "you": "ju!"}


def test_one_word_may_be_read_as_several_and_two_as_one(reading: Any) -> None:
    (found,) = reading("Pay $5.20 on Jan. 5th, “please”.")
    assert list(by_word(found)) == ["Pay", "$5.20", "on", "Jan", "5th", "please"]
    assert by_word(found)["$5.20"].replace("ˈ", "") == "fIv dɑləɹz ænd twɛnti sɛnts"
    assert by_word(found)["Jan"].startswith("ʤ") and by_word(found)["5th"].startswith("f")


def test_words_without_a_sound_own_nothing_and_are_not_told(reading: Any) -> None:
    (found,) = reading("Yes – 你好 – no")
    assert found.words == ("Yes", "no")


def test_a_mark_is_read_where_the_text_has_none(reading: Any) -> None:
    assert reading("go on", ",")[0].signs.endswith(",")
    assert reading("go on?", ",")[0].signs.endswith("?")


def test_nothing_to_say_gives_no_reading(reading: Any) -> None:
    assert reading("—") == []


def test_no_run_of_the_network_is_too_long_and_a_word_is_told_once(reading: Any) -> None:
    found = reading("1" * 150)
    assert len(found) > 1 and all(len(part.signs) <= LONGEST for part in found)
    assert [set(part.owners) - {-1} for part in found] == [{0}] + [set()] * (len(found) - 1)
