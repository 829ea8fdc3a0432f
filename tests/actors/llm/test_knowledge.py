"""What a persona knows comes with the call: the guide looks it up, a language model reads it, whole or not at all."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from actors.llm.chat import Chat
from actors.llm.guide import Guide
from actors.llm.knowledge import PROSE_MOST, Knowledge, known
from actors.llm.manner import PROMPTS
from streaming.stages import Said, StageError
from tests.actors.llm.server import DONE, Server, chunk, reply

SHOP = """
me = "I am the shop."
unknown = "We do not sell that."

[[topic]]
ask = ["when do you open", "what are your hours"]
say = ["At nine.", "At nine, as I said."]
more = "And at ten on Sundays."
"""
PERSONAS = sorted((Path(__file__).parents[3] / "serve_app" / "personas" / "knowledge").glob("*.toml"))


@pytest.fixture(scope="module")
def guide() -> Guide:
    return Guide(now=lambda: datetime(2026, 11, 24, 15, 4))


def talk(guide: Guide, knowledge: str, *said: str) -> str:
    history = [Said("knowledge", knowledge, 0)] if knowledge else []
    return guide.answer((*history, *(Said("user", text, turn) for turn, text in enumerate(said, 1))))


def test_one_guide_serves_every_persona_and_remembers_none(guide: Guide) -> None:
    assert talk(guide, SHOP, "When do you open?") == "At nine."
    assert talk(guide, "", "When do you open?").startswith("I don't know.")
    assert talk(guide, SHOP, "When do you open?", "What are your hours?") == "At nine, as I said."
    assert talk(guide, SHOP, "When do you open?", "Tell me more.") == "And at ten on Sundays."
    assert talk(guide, SHOP, "Who painted the Mona Lisa?") == "We do not sell that."
    assert talk(guide, SHOP, "My name is Robert, what is yours?") == "Nice to meet you, Robert. I am the shop."
    assert talk(guide, SHOP, "What time is it?") == "It is 3:04 PM by my clock."


def test_a_text_is_read_once_as_long_as_it_is_in_use() -> None:
    assert known(SHOP) is known(SHOP)


def test_a_call_with_a_text_that_is_no_knowledge_is_refused(guide: Guide) -> None:
    with pytest.raises(StageError, match="cannot read what this persona knows: it is not TOML"):
        talk(guide, "[[topic", "Hello")


# ---- the personas that ship --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PERSONAS, ids=lambda path: path.stem)
def test_every_question_of_a_persona_finds_its_own_answer_and_can_be_spoken(path: Path) -> None:
    lore = Knowledge(path.read_text("utf-8"))
    assert [ask for topic in lore.topics for ask in topic.ask if lore.find(ask) is not topic] == []
    answers = [text for topic in lore.topics for text in (*topic.say, topic.more) if text]
    for answer in (*answers, *lore.unknown, lore.me):
        assert answer.isascii() and not re.search(r"[*_#`<>|{}\[\]/\\]|https?:", answer), answer
        assert answer[-1] in ".!?"
    for topic in lore.topics:
        assert len(re.split(r"(?<=[.!?:])\s", topic.say[0])[0].split()) <= 8, "the voice starts early"
    assert len(lore.prose()) < PROSE_MOST // 2


@pytest.mark.parametrize(
    ("name", "said", "begins"),
    [
        ("museum", "Hi, where should we begin?", "With the bellows."),
        ("museum", "Who invented the phonograph, please?", "It kept a voice."),
        ("museum", "What is the capital of France?", "I don't know that."),
        ("tutor", "Could you give me an exercise?", "Here is one."),
        ("tutor", "What's the difference between borrow and lend?", "Think of the direction."),
        ("tutor", "Who built the pyramids?", "I don't know that."),
    ],
)
def test_a_persona_answers_as_itself(name: str, said: str, begins: str, guide: Guide) -> None:
    text = next(path for path in PERSONAS if path.stem == name).read_text("utf-8")
    assert talk(guide, text, said).startswith(begins)


# ---- a language model --------------------------------------------------------------------------------------


async def test_a_language_model_reads_all_of_it_behind_its_instructions() -> None:
    server = Server(parts=(chunk("Ok.", finish="stop"), DONE))
    await reply(server, (Said("knowledge", SHOP, 0), Said("user", "Hello", 1)), instructions="Be brief.")
    assert server.asked[0]["messages"] == [
        {
            "role": "system",
            "content": f"{PROMPTS['en']}\n\nBe brief.\n\n"
            "This is what you know. Answer from it where a question touches it, in your own words:\n"
            "- when do you open? At nine. At nine, as I said. And at ten on Sundays.",
        },
        {"role": "user", "content": "Hello"},
    ]


@pytest.mark.parametrize(
    ("knowledge", "sentence"),
    [
        (SHOP, "what this persona knows has 71 characters, 40 are given to the model; shorten it, or raise"),
        ("[[topic", "what this persona knows cannot be read: it is not TOML"),
    ],
)
async def test_what_does_not_fit_or_is_none_is_refused_aloud(knowledge: str, sentence: str) -> None:
    chat = Chat("http://127.0.0.1:1/v1", knowledge_most=40)
    with pytest.raises(StageError, match=sentence):
        await anext(chat.reply((Said("knowledge", knowledge, 0), Said("user", "Hello", 1)), "", ()))
