"""A text is cut only where it must be, at the best place that is near enough, and nothing of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.tts.xtts.text import LANGUAGES, pieces


def within(most: int):
    return lambda text: len(text) <= most


def test_what_fits_is_not_cut() -> None:
    text = "Hello. I am here, and I stay. Ask me!"
    assert list(pieces(text, within(len(text)))) == [text]
    assert list(pieces("  \n ", within(9))) == []


def test_a_cut_is_after_as_many_sentences_as_fit_else_after_a_comma_else_between_words() -> None:
    assert list(pieces("One two. Three four! Five six.", within(21))) == ["One two. Three four!", "Five six."]
    assert list(pieces("First, second, third and fourth", within(16))) == ["First, second,", "third and fourth"]
    assert list(pieces("seven words without any mark at all", within(14))) == [
        "seven words",
        "without any",
        "mark at all",
    ]
    assert list(pieces("你好。我在这里，你可以问我。", within(8))) == ["你好。", "我在这里，", "你可以问我。"]
    assert list(pieces("abcdefghij", within(4))) == ["abcd", "efgh", "ij"]


@given(st.text(alphabet="ab .,!?。，\n", max_size=80), st.integers(1, 30))
def test_whatever_the_text_its_pieces_fit_and_hold_all_of_it(text: str, most: int) -> None:
    found = list(pieces(text, within(most)))
    assert all(0 < len(piece) <= most for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_sign_that_does_not_fit_is_a_piece_all_the_same() -> None:
    assert list(pieces("ab", lambda _: False)) == ["a", "b"]


def test_languages_are_told_by_their_iso_code() -> None:
    assert (LANGUAGES["en"], LANGUAGES["es"], LANGUAGES["zh"]) == ("en", "es", "zh-cn")
    assert "ja" not in LANGUAGES and all(len(code) == 2 for code in LANGUAGES)
