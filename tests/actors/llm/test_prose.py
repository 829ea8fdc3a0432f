"""What a model writes, and what of it is said: the same for any pieces in which the text comes."""

from __future__ import annotations

import random

import pytest

from actors.llm.prose import LONGEST, Prose

TEXTS = {
    "Plain words, 3 < 5, 2 * 3 = 6 and 4*5; a_b stays.": "Plain words, 3 < 5, 2 * 3 = 6 and 4*5; a_b stays.",
    "This is **bold**, *soft*, ***both***, `code`, __old__, _thin_ and ~~gone~~.": (
        "This is bold, soft, both, code, old, thin and gone."
    ),
    "# A title\n\nWords.\n## Another\n": "A title\n\nWords.\nAnother\n",
    "- one\n- two\n  * three\n+ four\n> five\n• six\n1. seven": "one\ntwo\nthree\nfour\nfive\nsix\n1. seven",
    "Before\n\n---\n\nAfter": "Before\n\n\n\nAfter",
    "See [the docs](https://example.org/a_b) or ![a cat](cat.png).": "See the docs or a cat.",
    "A [note] stays, and so does one (in brackets).": "A [note] stays, and so does one (in brackets).",
    "Go to https://www.example.org/a/b?c=d#e. Or www.test.com/x, now.": "Go to example.org. Or test.com, now.",
    "Look (https://example.org/a) or <https://example.org/b>!": "Look (example.org) or example.org!",
    "看 https://example.org/甲，好吗？": "看 example.org，好吗？",
    "Hello 😀 there 👍🏽! ❤️": "Hello there ! ",
    "Run this:\n```python\nprint('*hi*')\n```\nThen wait.": "Run this:\n\nThen wait.",
    "~~~\nx\n~~~\nDone.": "\nDone.",
    "```\nnever closed": "",
    "<think>\nThe person says hello.\n</think>\n\nHello!": "Hello!",
    "<think></think>Hi.": "Hi.",
    "Well <think>hm</think> yes.": "Well yes.",
    "stray </think>\nwords": "stray \nwords",
    "| City | Heat |\n|---|:-:|\n| Rome | 30 |\nHot.": "City, Heat.\n\nRome, 30.\nHot.",
    "Line<br>break and <b>this</b>.": "Linebreak and this.",
    '{"a": "*b*", "c": "https://d.e"}': '{"a": "*b*", "c": "https://d.e"}',
    "¿Qué tal? **Bien**, a las 3:30.": "¿Qué tal? Bien, a las 3:30.",
    "你好，**世界**！": "你好，世界！",
    "who, what, http and www": "who, what, http and www",
    "Wow! [": "Wow! [",
    "If a<b and b > c, so be it. <": "If a c, so be it. <",
    "[![logo](a.png)](https://x.org) and [a](b)[c](d)": "[logo](x.org) and ac",
    "": "",
}


def said(*pieces: str) -> str:
    prose = Prose()
    return "".join([*(prose.add(piece) for piece in pieces), prose.end()])


@pytest.mark.parametrize(("text", "expected"), TEXTS.items())
def test_only_what_can_be_said_is_left(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_the_pieces_do_not_matter(text: str) -> None:
    whole, dice = said(text), random.Random(text)
    assert said(*text) == whole
    for at in range(len(text)):
        assert said(text[:at], text[at:]) == whole, (text[:at], text[at:])
    for _ in range(20):
        cuts = sorted(dice.sample(range(len(text) + 1), min(4, len(text))))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert said(*parts) == whole, parts


def test_plain_words_are_given_out_at_once() -> None:
    prose = Prose()
    assert [prose.add(piece) for piece in ("Hello", " there", ".", " I am")] == ["Hello", " there", ".", " I am"]


def test_a_mark_waits_for_what_makes_it_one() -> None:
    prose = Prose()
    assert [prose.add(piece) for piece in ("5 ", "*", " 3 is", " **", "15**", "!")] == [
        "5 ",
        "",
        "* 3 is",
        " ",
        "15",
        "",
    ]
    assert prose.end() == "!"


def test_what_is_never_closed_stops_waiting() -> None:
    prose = Prose()
    begun = "[" + "a" * LONGEST
    assert prose.add(begun) == begun


def test_it_is_silent_while_it_leaves_something_out() -> None:
    prose = Prose()
    heard = [(prose.add(piece), prose.silent) for piece in ("Look:\n", "```py\n", "x = 1\n", "```\n", "So.")]
    assert heard == [("Look:\n", False), ("", True), ("", True), ("\n", False), ("So.", False)]
