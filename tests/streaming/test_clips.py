"""Text deltas become clips that a voice can speak."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming.clips import IDEOGRAPH, MOST, Clips, speakable


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
        ("我们可以，后来", ["我们可以，后来"]),
        ("我们可以说，后来", ["我们可以说，", "后来"]),
        ("他说 好.然后走", ["他说 好.", "然后走"]),
        ("你好,我可以回答你的问题,也可以.", ["你好,我可以回答你的问题,", "也可以."]),
        ("“你好。”他说。然后走了。", ["“你好。”", "他说。然后走了。"]),
        ("我" * 60, ["我" * 24, "我" * 30, "我" * 6]),
        ("- First point\n- Second point", ["First point", "Second point"]),
        ("**Sure.** I can do that.", ["Sure.", "I can do that."]),
        ("Sure! 😀 I can.", ["Sure!", "I can."]),
    ],
)
def test_where_clips_end(text: str, clips: list[str]) -> None:
    assert cut(text) == clips


@pytest.mark.parametrize(
    "text",
    [
        "It costs 3.14 or 1,000.50 now",
        "The U.S.A. is far from here",
        "She has a Ph.D. in physics",
        "Ask e.g. Prof. Li or J. R. Miller",
        "Please write to a.b@example.org today",
        "See https://example.org/a.b?c=d,e now",
        "It is 10:30 a.m. in EE.UU. today",
        "Look at No. 5 and fig. 2",
        "Wait . . . what was that?",
        "会议在今天下午12：30开始",
        "这个东西的价格是1，000元",
        "版本3.14发布",
        "La pág. 3 del núm. 7 dice",
    ],
)
def test_what_only_looks_like_an_end_is_none(text: str) -> None:
    assert cut(text) == [text]


def test_no_is_an_abbreviation_before_a_number_only() -> None:
    assert cut("No. I cannot.") == ["No.", "I cannot."]
    assert cut("No.   Never.") == ["No.", "Never."]
    assert cut("No. 5 is free.") == ["No. 5 is free."]
    assert cut("Es que no. Lo siento.") == ["Es que no.", "Lo siento."]


def test_a_link_stays_whole_and_only_its_text_is_said() -> None:
    link = "[the second page of this](http://x.y/z)"
    assert cut(f"If you want look at {link} for more.") == [
        "If you want look at the second page of this",
        "for more.",
    ]
    assert cut("看[你好。](http://x.y/z)吧。") == ["看你好。吧。"]
    assert cut("[not a link, and more]. Next.") == ["[not a link, and more].", "Next."]
    opened = cut("A bracket [ that stays open, far too long for a link " + "and on " * 10)
    assert len(opened[0]) < len("A bracket ") + 100, "after 80 characters it is no link any more"


def test_a_chinese_clip_is_as_long_to_hear_as_an_english_one() -> None:
    made = cut("好。" + "我们可以一直说下去，" * 40)
    assert [len(clip) for clip in made[:4]] == [2, 20, 40, 60]
    assert max(len(clip) for clip in cut("说" * 1000)) <= MOST / IDEOGRAPH


def test_no_word_is_torn_for_want_of_a_mark() -> None:
    words = ["seventh", "it", "wonderful", "a", "nine"] * 60
    made = cut("Listen. " + " ".join(words))
    assert " ".join(made[1:]).split() == words
    assert made[3] == made[3].strip() and 240 <= len(made[3]) <= MOST


def test_a_clip_that_grew_too_long_goes_back_to_its_last_clause() -> None:
    made = cut("Listen. This is a rather long clause of about fifty letters, " + "and then nothing but words " * 5)
    assert made[1] == "This is a rather long clause of about fifty letters,"
    made = cut("Yes. This clause has more letters than forty in it, and then " + "x" * 300)
    assert made[1:3] == ["This clause has more letters than forty in it,", "and then"]


def test_a_clip_does_not_go_back_to_a_clause_that_is_too_short() -> None:
    made = cut("Listen. Well, " + "word " * 60)
    assert len(made[1]) >= 120 and made[1].startswith("Well, word")


def test_a_clip_that_is_far_too_long_goes_back_to_its_last_space() -> None:
    made = cut("One two " + "x" * 500)
    assert made == ["One two", "x" * 300, "x" * 200]


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
    assert [len(clip) for clip in made[1:5]] == [124, 244, 299, 299]


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
        ("I ❤️ you", "I you"),
        ("press 1️⃣ now", "press 1 now"),
        ("co\u00adope\u200brate", "cooperate"),
        ("20 °C, 68℉", "20 °C, 68℉"),
        ('[a page](http://x.y "its title") and <https://x.y/z>', "a page and https://x.y/z"),
        ("[text] (not a link) ![a picture](x.png)", "[text] (not a link) a picture"),
        ("¿Qué? «Sí»", "¿Qué? «Sí»"),
        ("?!", ""),
    ],
)
def test_what_a_voice_cannot_say_is_left_out(text: str, said: str) -> None:
    assert speakable(text) == said


def test_a_hundred_thousand_characters_without_a_space_come_in_bounded_clips() -> None:
    made = cut("x" * 100_000, 1000)
    assert max(map(len, made)) <= MOST
    assert "".join(made) == "x" * 100_000


TEXTS = st.text(st.sampled_from("abcdefg hij  .,!?;:-\n'\"()1234567890áñ¿你好。，：[]*_"), max_size=400)

FRAGMENTS = st.sampled_from(
    "Sure. |Dr. Li |3.14 |1,000 |No. |5 |well... |**bold** |_soft_ |`code` |[a link, long](http://x.y/z) |😀|❤️ |"
    'a.b@c.org |https://x.y/z?q=1,2 |10:30 |12：30|你好，|世界。|我们可以|¿Qué? |¡Sí! |"Stop." |(yes), |— |U.S. |'
    "\n- item\n|\n# Title\n|and then |one more word |wonderful".split("|")
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(TEXTS, st.integers(1, 50))
@example("。0:", 3)
def test_nothing_is_lost_or_doubled_and_the_pieces_do_not_matter(text: str, size: int) -> None:
    made = cut(text, size)
    letters = [c for c in speakable(text) if c.isalnum()]
    assert [c for clip in made for c in clip if c.isalnum()] == letters
    assert made == cut(text, 1)
    assert all(len(clip) <= MOST and clip for clip in made)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(FRAGMENTS, max_size=60).map("".join), st.integers(1, 50))
def test_neither_is_what_language_models_write(text: str, size: int) -> None:
    made = cut(text, size)
    assert [c for clip in made for c in clip if c.isalnum()] == [c for c in speakable(text) if c.isalnum()]
    assert made == cut(text, 1) == cut(text, 1000)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 20).map(lambda length: "w" * length), min_size=1, max_size=200))
def test_words_stay_whole(words: list[str]) -> None:
    assert " ".join(cut(" ".join(words))).split() == words
