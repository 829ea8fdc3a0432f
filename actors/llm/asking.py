"""A conversation as the body of a chat completion: messages, functions, and what of it fits.

All that goes before the conversation is one system message, for chat templates of small models allow no second one.
This file knows no server; what each kind of server wants besides is told in servers.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from actors.llm.budget import FRAME, joined, newest, tokens
from actors.llm.knowledge import KnowledgeWrong, known
from actors.llm.manner import manner
from streaming.stages import History, Said, StageError, Tool

_SILENCE = "The person has said nothing for a while. Say something short that helps the conversation on."
_KNOWS = "This is what you know. Answer from it where a question touches it, in your own words:"


def body(
    history: History, instructions: str, tools: Sequence[Tool], *, most: int, knowledge_most: int, spoken: bool
) -> dict[str, Any]:
    """Messages and functions of one request, of about ``most`` tokens at most.

    ``spoken`` asks for words that a voice can say. Raises StageError if a persona's words and functions alone are too
    many or cannot be read, BadInput if what was said last is.
    """
    declared = [_declared(tool) for tool in tools]
    head = _head(history, instructions, knowledge_most, spoken=spoken)
    left = most - tokens(head) - FRAME - (tokens(json.dumps(declared)) if declared else 0)
    if left <= 0:
        raise StageError(
            f"instructions, knowledge and functions leave no room for a conversation in {most:,} tokens;"
            " shorten them, or raise llm.context if the model can read more"
        )
    said = [item for item in joined(history) if item.text.strip() and item.role != "knowledge"]
    messages = [{"role": "system", "content": head}] if head else []
    messages += [_message(item) for item in newest(said, left)]
    if history and history[-1].role == "user" and not history[-1].text.strip():
        messages.append({"role": "system", "content": _SILENCE})
    asked: dict[str, Any] = {"messages": messages}
    if declared:
        asked["tools"] = declared
    if choice := _choice(tools):
        asked["tool_choice"] = choice
    return asked


def _head(history: History, instructions: str, knowledge_most: int, *, spoken: bool) -> str:
    """What the model is told before the conversation; what a persona knows is in it whole."""
    knows = [_informed(item.text, knowledge_most) for item in history if item.role == "knowledge"]
    return "\n\n".join(part for part in (manner(history) if spoken else "", instructions, *knows) if part)


def _informed(knowledge: str, most: int) -> str:
    try:
        prose = known(knowledge).prose()
    except KnowledgeWrong as error:
        raise StageError(f"what this persona knows cannot be read: {error}") from error
    if len(prose) > most:
        raise StageError(
            f"what this persona knows has {len(prose):,} characters, {most:,} are given to the model;"
            " shorten it, or raise knowledge_most in llm.arguments"
        )
    return f"{_KNOWS}\n{prose}"


def _message(item: Said) -> dict[str, Any]:
    if item.role == "call":
        function = {"name": item.function, "arguments": item.text}
        called = [{"id": item.call_id, "type": "function", "function": function}]
        return {"role": "assistant", "content": None, "tool_calls": called}
    if item.role == "tool" and item.call_id:
        return {"role": "tool", "tool_call_id": item.call_id, "content": item.text}
    if item.role == "tool":  # nobody knows any more which call it answers
        return {"role": "system", "content": f"Result of the function: {item.text}"}
    # A dash tells the model that it was interrupted there, in the way books write it.
    return {"role": item.role, "content": f"{item.text.rstrip()}—" if item.cut else item.text}


def _declared(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _choice(tools: Sequence[Tool]) -> str | dict[str, Any] | None:
    """What the model is told of tools that must be called; None leaves it to the model."""
    must = [tool.name for tool in tools if tool.must]
    if len(must) == 1:
        return {"type": "function", "function": {"name": must[0]}}
    return "required" if must else None
