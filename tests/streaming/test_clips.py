"""Text deltas become clips that a voice can speak."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.clips import MOST, Clips, speakable


def cut(text: str, size: int = 3) -> list[str]:
    """The clips of a text that comes in pieces of ``size`` characters."""
    clips = Clips()
    made = [clip for k in range(0, len(text), size) for clip in clips.add(text[k : k + size])]
    return made + clips.end()


@pytest.mark.parametrize(
    ("text", "clips"),
    [
        ("Sure. I can do that.", ["Sure.", "I can do that."]),
        ("", []),
        ("   \n ", []),
        ("😀 🎉", []),
        ("No punctuation at all", ["No punctuation at all"]),
        (
            "As far as I know, it works well.",
            ["As far as I know,", "it works well."],
        ),
        (
            "This sentence simply goes on and on without any pause in it",
            ["This sentence simply goes on and on without", "any pause in it"],
        ),
        ("Yes, of course.", ["Yes, of course."]),
        ("Dr. Smith paid $3.14 today. Good.", ["Dr. Smith paid $3.14 today.", "Good."]),
        ("It is 10:30 a.m. now. Really.", ["It is 10:30 a.m. now.", "Really."]),
        ("J. R. Miller came.", ["J. R. Miller came."]),
        ("1. First thing. Next.", ["1. First thing.", "Next."]),
        ("Well... I see. Good.", ["Well...", "I see. Good."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("Line one\nLine two", ["Line one", "Line two"]),
        ("你好，世界。我可以回答你的问题。", ["你好，世界。", "我可以回答你的问题。"]),
        ("¿Qué tal? ¡Muy bien!", ["¿Qué tal?", "¡Muy bien!"]),
        ("我是一个会说话的头像，可以回答", ["我是一个会说话的头像，", "可以回答"]),
    ],
)
def test_where_clips_end(text: str, clips: list[str]) -> None:
    assert cut(text) == clips


def test_later_clips_are_longer() -> None:
    sentence = "This is one of many sentences of the same length. "
    lengths = [len(clip) for clip in cut("Yes. " + "Short one. " * 12 + sentence * 4)]
    assert lengths[0] == 4
    assert min(lengths[1:-1]) >= 40


def test_a_long_sentence_is_cut_at_clauses_then_between_words() -> None:
    clauses = "and then one more thing happened to all of them, "
    made = cut("Listen. " + clauses * 8)
    assert all(clip.endswith(",") for clip in made[1:])
    made = cut("Listen. " + "word " * 200)
    assert [len(clip) for clip in made[1:4]] == [124, 244, 299]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**Bold** and `code`", "Bold and code"),
        ("# Title", "Title"),
        ("- item", "item"),
        ("a [link](http://x.y/z) here", "a link here"),
        ("snake_case stays, _emphasis_ goes", "snake_case stays, emphasis goes"),
        ("5 * 3", "5 3"),
        ("fine 😀!", "fine !"),
        ("?!", ""),
    ],
)
def test_what_a_voice_cannot_say_is_left_out(text: str, said: str) -> None:
    assert speakable(text) == said


def test_a_hundred_thousand_characters_without_a_space_come_in_bounded_clips() -> None:
    made = cut("x" * 100_000, 1000)
    assert max(map(len, made)) <= MOST
    assert "".join(made) == "x" * 100_000


TEXTS = st.text(st.sampled_from("abcdefg hij  .,!?;:-\n'\"()1234567890áñ¿你好。，"), max_size=400)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(TEXTS, st.integers(1, 50))
def test_nothing_is_lost_or_doubled_and_the_pieces_do_not_matter(text: str, size: int) -> None:
    made = cut(text, size)
    letters = [c for c in text if c.isalnum()]
    assert [c for clip in made for c in clip if c.isalnum()] == letters
    assert made == cut(text, 1)
    assert all(len(clip) <= MOST and clip for clip in made)
