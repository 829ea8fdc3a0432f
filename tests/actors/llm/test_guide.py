"""Conversations with the guide: what it knows, what it works out, and what it admits not to know."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from actors.llm.guide import KNOWLEDGE, Guide
from streaming.stages import Said, StageError, TextDelta


@pytest.fixture(scope="module")
def guide() -> Guide:
    return Guide(now=lambda: datetime(2026, 11, 24, 15, 4))


def talk(guide: Guide, *said: str) -> str:
    """The last answer in a conversation of these questions."""
    history: tuple[Said, ...] = ()
    reply = ""
    for turn, text in enumerate(said, 1):
        history += (Said("user", text, turn),)
        reply = guide.answer(history)
        history += (Said("assistant", reply, turn),)
    return reply


# Paraphrases, none of them a line of the knowledge file, some as a small recogniser spells them.
KNOWN = {
    "Good morning, how are you today?": "Quite well.",
    "Hi there!": "Hello!",
    "Thanks, that was very helpful.": "You're welcome.",
    "Okay, bye bye.": "Goodbye!",
    "So who exactly are you?": "I'm the guide.",
    "Is there a real person behind this?": "No, I'm a program.",
    "What can I ask you about?": "Quite a few things.",
    "Could you explain to me how all of this works?": "In five steps.",
    "What's your latency?": "About a second.",
    "How long do you need to answer?": "About a second.",
    "How does the lip sink work?": "By the voice's own timing.",
    "How are the lips synchronised with the voice?": "By the voice's own timing.",
    "Who is the woman in the picture?": "It's one picture.",
    "What text to speech do you use?": "It's called Hibari.",
    "Which speech recognition is this?": "With Whisper.",
    "Do I need an Nvidia graphics card?": "No graphics card needed.",
    "Can this run on my laptop?": "No graphics card needed.",
    "Are you recording me?": "Normally not.",
    "How can I use a real language model?": "Yes, you can.",
    "Can I connect Chat GPT?": "Yes, you can.",
    "Is it really open source?": "It's open source.",
    "What license does it have?": "It's open source.",
    "Do you speak Spanish?": "Only English, for now.",
    "Why did you choose Ray?": "Ray is the stage manager.",
    "What does race serve do here?": "Ray is the stage manager.",
    "What happens when I cough?": "I just go on.",
    "How do you know when I'm finished?": "I wait for a pause.",
    "What's the frame rate?": "Twenty-five a second.",
    "Will it rain tomorrow?": "I can't look outside.",
    "Hello! Can you clone my voice?": "Not in this setup.",
}

UNKNOWN = (
    "Who won the world cup in 1998?",
    "What is the capital of France?",
    "How tall is Mount Everest?",
    "Can you write a poem about autumn?",
    "Tell me about Napoleon.",
    "How many planets are there?",
    "Who wrote Hamlet?",
    "How fast is a cheetah?",
    "How big is the sun?",
    "How old is the universe?",
    "What is your favourite colour?",
    "Can you open the window?",
    "How does a microwave oven work?",
    "Why is the sky blue?",
    "Where can I buy a bicycle?",
)


@pytest.mark.parametrize(("said", "begins"), KNOWN.items())
def test_what_it_knows_is_found_in_other_words(guide: Guide, said: str, begins: str) -> None:
    assert talk(guide, said).startswith(begins)


@pytest.mark.parametrize("said", UNKNOWN)
def test_what_it_does_not_know_it_says(guide: Guide, said: str) -> None:
    reply = talk(guide, said)
    assert reply.startswith("I don't know.") and "language model" in reply


def test_the_second_time_it_does_not_know_it_says_so_in_short(guide: Guide) -> None:
    assert talk(guide, "Who wrote Hamlet?", "And who wrote Faust?").startswith("I don't know that either.")


async def test_it_streams_word_by_word(guide: Guide) -> None:
    history = (Said("user", "What is twelve times seven?", 1),)
    assert [d async for d in guide.reply(history, "", ())] == [TextDelta(w) for w in ("That ", "makes ", "84.")]


def test_every_answer_begins_with_a_short_sentence_and_can_be_spoken(guide: Guide) -> None:
    answers = [answer for topic in guide.own.topics for answer in (*topic.say, topic.more) if answer]
    for answer in (topic.say[0] for topic in guide.own.topics):
        assert len(re.split(r"(?<=[.!?:])\s", answer)[0].split()) <= 7, answer
    for answer in answers:
        assert answer.isascii() and not re.search(r"[*_#`<>|{}\[\]/\\]|https?:", answer), answer
        assert answer[-1] in ".!?"


def test_every_line_of_the_file_finds_its_own_topic(guide: Guide) -> None:
    lost = [ask for topic in guide.own.topics for ask in topic.ask if guide.own.find(ask) is not topic]
    assert lost == []


def test_the_clock(guide: Guide) -> None:
    assert talk(guide, "What time is it?") == "It is 3:04 PM by my clock."
    assert talk(guide, "Could you tell me the time, please?") == "It is 3:04 PM by my clock."
    assert talk(guide, "What's the date today?") == "Today is Tuesday, November 24, 2026."


def test_a_name_is_remembered(guide: Guide) -> None:
    assert talk(guide, "What is my name?") == "You haven't told me. What is your name?"
    assert talk(guide, "My name is Robert, what is yours?").startswith("Nice to meet you, Robert. I am the guide")
    assert talk(guide, "Hi, I'm Anna.", "How does this work?", "Do you know my name?") == "You are Anna."
    assert not talk(guide, "I'm fine.").startswith("Nice to meet you")


def test_what_was_said_can_be_asked_again(guide: Guide) -> None:
    assert talk(guide, "Who are you?", "Can you repeat that?") == talk(guide, "Who are you?")
    assert talk(guide, "What is 2 plus 2?", "Sorry, what did you say?") == "That makes 4."
    assert talk(guide, "Who are you?", "What did I just say?") == "You said: Who are you?"
    assert talk(guide, "Say that again.").startswith("I haven't said anything yet.")


def test_more_about_the_same(guide: Guide) -> None:
    assert talk(guide, "How fast are you?", "Tell me more.").startswith("It is won by starting early.")
    assert talk(guide, "Can you see me?", "Tell me more about that.").startswith("That's all I know")


def test_asked_again_it_says_it_in_another_way(guide: Guide) -> None:
    first, second = talk(guide, "Tell me a joke."), talk(guide, "Tell me a joke.", "Tell me a joke.")
    assert first != second and second.startswith("One more.")


@pytest.mark.parametrize(
    "said", ["¿Cómo estás? ¿Qué hora es?", "你好，你是谁？", "Wer bist du und was kannst du?", "Où est la gare ?"]
)
def test_another_language_is_declined_in_english(guide: Guide, said: str) -> None:
    assert talk(guide, said) == "I only speak English. Please ask me again in English."


@pytest.mark.parametrize("said", ["", "...", "🙂", "?" * 1_000])
def test_nothing_is_answered_as_nothing(guide: Guide, said: str) -> None:
    assert talk(guide, said) == "I heard nothing. Please say it again."


def test_a_very_long_text_is_no_question(guide: Guide) -> None:
    assert talk(guide, "banana " * 20_000).startswith("That was too long for me.")
    assert talk(guide, "banana " * 20_000, "Who are you?").startswith("I'm the guide.")


def test_a_conversation_without_a_question_begins_with_a_greeting(guide: Guide) -> None:
    assert guide.answer(()).startswith("Hello!")


def test_another_knowledge_file_gives_other_answers(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text('[[topic]]\nask = ["when do you open"]\nsay = "At nine."\n', "utf-8")
    guide = Guide(path)
    assert talk(guide, "When do you open?") == "At nine."
    assert talk(guide, "Who are you?").startswith("I don't know.")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read"),
        (b"topic = [", "cannot read"),
        (b"\xff\xfe", "cannot read"),
        (b"[[topic]]\nask = 'one'\nsay = 'two'", "needs .*topic"),
        (b"[[topic]]\nask = ['one']", "needs .*topic"),
        (b"", "needs .*topic"),
        (b"title = 'nothing'", "no key 'title'; there are topic, same, me and unknown"),
        (b"unknown = []\n[[topic]]\nask = ['one']\nsay = 'two'", "needs .*topic"),
    ],
)
def test_a_file_that_it_cannot_use_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StageError, match=reason):
        Guide(path)


def test_the_file_that_ships_is_the_default() -> None:
    assert KNOWLEDGE.is_file()


def test_a_silence_after_a_reply_is_filled(guide: Guide) -> None:
    history = (Said("user", "Hi", 1), Said("assistant", "Hello.", 1), Said("user", "", 2))
    assert guide.answer(history) == "Are you still there? Ask me anything you like."
