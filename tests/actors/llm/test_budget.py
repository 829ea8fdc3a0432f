"""What of a long conversation a model is given."""

from __future__ import annotations

import pytest

from actors.llm.asking import body
from actors.llm.budget import FRAME, cost, newest, tokens
from streaming.stages import BadInput, Said, StageError, Tool


def said(role: str, text: str, turn: int, **more: str) -> Said:
    return Said(role, text, turn, **more)  # type: ignore[arg-type]


TALK = [
    said("assistant", "Welcome.", 0),
    said("user", "Look up", 1),
    said("call", '{"at":"sky"}', 1, id="a", call_id="c1", function="look"),
    said("tool", "blue", 1, id="r", call_id="c1"),
    said("assistant", "It is blue.", 1),
    said("system", "The person is a child.", 1, id="s"),
    said("user", "Why", 2),
    said("assistant", "Air scatters it.", 2),
    said("user", "Thanks", 3),
]


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("Hello there", 3), ("día", 1), ("mañana", 2), ("你好", 2), ("3:30", 4), ("привет", 3), ("😀", 1)],
)
def test_tokens_are_estimated_by_the_kind_of_letter(text: str, count: int) -> None:
    assert tokens(text) == count


def test_all_of_it_fits() -> None:
    assert newest(TALK, 1_000) == TALK


def test_the_oldest_turns_go_first_and_whole_and_what_the_system_said_stays() -> None:
    """A call is dropped with what it gave back; no turn is torn."""
    whole = sum(map(cost, TALK))
    assert newest(TALK, whole - 1) == TALK[1:]
    assert newest(TALK, whole - cost(TALK[0]) - 1) == TALK[5:]
    least = cost(TALK[5]) + cost(TALK[8])
    assert newest(TALK, least) == [TALK[5], TALK[8]]
    with pytest.raises(BadInput, match=r"what was said last has about \d+ tokens and \d+ fit; say it in fewer words"):
        newest(TALK, least - 1)


def test_for_every_budget_calls_keep_their_results_and_the_last_turn_is_there() -> None:
    for most in range(cost(TALK[5]) + cost(TALK[8]), sum(map(cost, TALK)) + 1):
        kept = newest(TALK, most)
        assert sum(map(cost, kept)) <= most
        assert (TALK[2] in kept) == (TALK[3] in kept)
        assert kept[-1] == TALK[-1] and TALK[5] in kept


def asked(history: tuple[Said, ...], most: int, instructions: str = "", tools: tuple[Tool, ...] = ()) -> list[str]:
    given = body(history, instructions, tools, most=most, knowledge_most=1_000, spoken=False)
    return [message["content"] for message in given["messages"]]


def test_instructions_and_knowledge_are_kept_when_turns_go() -> None:
    shop = '[[topic]]\nask = ["when do you open"]\nsay = "At nine."'
    history = (said("knowledge", shop, 0), *(said("user", f"word {'x' * 40}", n) for n in range(100)))
    told = asked(history, 200, "Be brief.")
    assert told[0].startswith("Be brief.\n\nThis is what you know.") and "At nine." in told[0]
    assert 1 < len(told) < 15
    assert sum(tokens(text) + FRAME for text in told) <= 200


def test_no_room_for_a_conversation_is_the_personas_fault() -> None:
    with pytest.raises(StageError, match="leave no room for a conversation in 20 tokens; shorten them") as raised:
        asked((said("user", "Hi", 1),), 20, "word " * 50)
    assert not isinstance(raised.value, BadInput)
    tool = Tool("look", "Look somewhere, " * 20, {"type": "object"})
    with pytest.raises(StageError, match="leave no room"):
        asked((said("user", "Hi", 1),), 60, tools=(tool,))
