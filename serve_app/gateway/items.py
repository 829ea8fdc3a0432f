"""The items of one conversation as its client knows them: names, order, content in OpenAI's words.

The conversation has names of its own; this file joins the two. It decides nothing.
"""

from __future__ import annotations

import json
from typing import Any

from streaming.stages import Said

Item = dict[str, Any]

MOST = 10_000
"""Items of one conversation: as many as are spoken in more than a day."""
CHARACTERS_MOST = 4_000_000
"""Of all of them as JSON, when they were entered: more than any language model reads, and little beside a session's
pictures."""


class Items:
    """What the client was told of, in order."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._items: dict[str, Item] = {}
        self._own: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._count = 0
        self.unnamed = 0
        """Items of the client's that came without a name, so far."""

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __getitem__(self, name: str) -> Item:
        return self._items[name]

    def fresh(self) -> str:
        """A name that no item has."""
        while True:
            self._count += 1
            if (name := f"item_{self._count}") not in self._items:
                return name

    def name_for_client(self) -> str:
        """The same for an item that the client sends without one.

        Such names are counted by themselves: a conversation that is taken up reads its client's messages again in their
        order, but not at the same moments between what it was told.
        """
        while True:
            self.unnamed += 1
            if (name := f"item_in_{self.unnamed}") not in self._items:
                return name

    def room_for(self, item: Item) -> bool:
        """Whether a client may add it; what is said is entered all the same."""
        return len(self._order) < MOST and self._size + len(json.dumps(item)) <= CHARACTERS_MOST

    def put(self, item: Item, own: str, after: str | None = None) -> str | None:
        """Enter an item that the conversation calls ``own``; return the name before it, None if it is the first."""
        name = item["id"]
        if name in self._items:
            self._items[name] = item
        else:
            at = 0 if after == "" else self._order.index(after) + 1 if after in self._items else len(self._order)
            self._order.insert(at, name)
            self._items[name] = item
            self._own[name] = own
        self._weigh(name, len(json.dumps(item)))
        at = self._order.index(name)
        return self._order[at - 1] if at else None

    def own(self, name: str) -> str:
        """What the conversation calls it."""
        return self._own[name]

    def characters(self) -> int:
        """Of all items together."""
        return sum(map(characters, self._items.values()))

    def kept(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        items = [[name, self._own[name], self._items[name]] for name in self._order]
        return {"items": items, "count": self._count, "unnamed": self.unnamed}

    def recall(self, kept: dict[str, Any]) -> None:
        """Be what ``kept`` gave."""
        self._order = [name for name, _, _ in kept["items"]]
        self._own = {name: own for name, own, _ in kept["items"]}
        self._items = {name: item for name, _, item in kept["items"]}
        self._sizes = {name: len(json.dumps(item)) for name, item in self._items.items()}
        self._size = sum(self._sizes.values())
        self._count, self.unnamed = kept["count"], kept["unnamed"]

    def drop(self, name: str) -> None:
        """Take an item out."""
        self._order.remove(name)
        self._weigh(name, 0)
        del self._items[name], self._own[name], self._sizes[name]

    def _weigh(self, name: str, size: int) -> None:
        self._size += size - self._sizes.get(name, 0)
        self._sizes[name] = size


def message(name: str, role: str, content: list[Item], status: str = "completed") -> Item:
    """A message item."""
    return {
        "id": name,
        "object": "realtime.item",
        "type": "message",
        "status": status,
        "role": role,
        "content": content,
    }


def call(name: str, call_id: str, function: str, arguments: str, status: str = "completed") -> Item:
    """A function call item."""
    return {
        "id": name,
        "object": "realtime.item",
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": function,
        "arguments": arguments,
    }


_TEXT = {"user": "input_text", "system": "input_text", "assistant": "output_text"}


def said_by(item: Item, turn: int) -> Said:
    """What a client's item says. Raises KeyError or ValueError, one sentence."""
    name, kind = item["id"], item.get("type", "message")
    if kind == "function_call_output":
        return Said("tool", str(item["output"]), turn, id=name, call_id=str(item["call_id"]))
    if kind == "function_call":
        arguments, function = str(item["arguments"]), str(item["name"])
        return Said("call", arguments, turn, id=name, call_id=str(item["call_id"]), function=function)
    if kind != "message":
        raise ValueError(f"items are message, function_call or function_call_output, not {kind!r}")
    role = item.get("role", "user")
    if role not in _TEXT:
        raise ValueError(f"messages are of user, assistant or system, not of {role!r}")
    text = " ".join(filter(None, (_words(part) for part in item["content"]))).strip()
    # A reply that was spoken elsewhere is of none of our turns.
    return Said(role, text, 0 if role == "assistant" else turn, id=name)


def characters(item: Item) -> int:
    """Length of what a language model reads of an item."""
    parts = sum(len(_words(part)) for part in item.get("content", ()))
    return parts + len(item.get("arguments", "")) + len(item.get("output", ""))


def _words(part: Item) -> str:
    """The words of a part; sound that comes without a transcript has none that we could use."""
    return str(part.get("text") or part.get("transcript") or "")


def shown(item: Item, said: Said) -> Item:
    """A client's item as it is shown, with nothing missing."""
    if said.role == "tool":
        output = {"call_id": said.call_id, "output": said.text}
        return {
            "id": said.id,
            "object": "realtime.item",
            "type": "function_call_output",
            "status": "completed",
            **output,
        }
    if said.role == "call":
        return call(said.id, said.call_id, said.function, said.text)
    content = [
        {"type": "input_audio", "transcript": part.get("transcript")}
        if part.get("type") == "input_audio"
        else {"type": part.get("type", _TEXT[said.role]), "text": _words(part)}
        for part in item["content"]
    ]
    return message(said.id, said.role, content)
