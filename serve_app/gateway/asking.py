"""``response.create`` read: what a reply is asked to be, and what it answers.

Pure. Whether it may begin now is decided in reading.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from serve_app.gateway.conduct import Conduct
from serve_app.gateway.items import said_by
from serve_app.gateway.ladder import Asked
from serve_app.gateway.wishes import (
    INSTRUCTIONS_MOST,
    ClientError,
    choice_of,
    chosen,
    instructions_of,
    modality,
    most_of,
    tools_of,
)
from streaming.events import Requested
from streaming.stages import History, Said

ITEMS_MOST = 128
"""Of ``input``."""
INPUT_MOST = INSTRUCTIONS_MOST
"""Characters of all its items."""
WITHOUT_LIMIT = 1_000_000
"""Pieces: for one reply without a limit in a session that has one."""


def asked_for(wanted: Mapping[str, Any], conduct: Conduct) -> tuple[Asked, Requested]:
    """What the client is told of the reply, and what the conversation is. Raises ClientError."""
    wishes = conduct.wishes
    apart = wanted.get("conversation", "auto")
    if apart not in ("auto", "none", None):
        raise ClientError("invalid_value", f'conversation is "auto" or "none", not {apart!r}', param="conversation")
    history = None if wanted.get("input") is None else _history(wanted["input"], conduct)
    modalities = wanted.get("output_modalities", wanted.get("modalities"))
    silent = wishes.silent if modalities is None else modality(modalities)
    limit = wanted.get("max_output_tokens", wanted.get("max_response_output_tokens"))
    most = wishes.most if limit is None else most_of(limit)
    declared = wishes.tools if wanted.get("tools") is None else tools_of(wanted["tools"])
    tools = None
    if wanted.get("tools") is not None or wanted.get("tool_choice") is not None:
        tools = chosen(declared, choice_of(wanted.get("tool_choice") or "auto"))
    instructions = None if wanted.get("instructions") is None else instructions_of(wanted["instructions"])
    read = len(wishes.instructions if instructions is None else instructions) + len(json.dumps(declared))
    read += conduct.items.characters() if history is None else sum(len(said.text) for said in history)
    asked = Asked(silent, wanted.get("metadata"), apart == "none", most, read)
    pieces = None if limit is None else WITHOUT_LIMIT if most is None else most
    return asked, Requested(instructions, tools, silent, history, asked.apart, pieces)


def _history(items: Any, conduct: Conduct) -> History:
    """The items of ``input``, those that are only named looked up."""
    if not isinstance(items, list) or len(items) > ITEMS_MOST:
        raise ClientError("invalid_value", f"input is a list of at most {ITEMS_MOST} items", param="input")
    history = tuple(_said(dict(item), conduct) for item in items)
    length = sum(len(said.text) for said in history)
    if length > INPUT_MOST:
        raise ClientError("long_text", f"input may have {INPUT_MOST:,} characters; this has {length:,}", param="input")
    return history


def _said(item: dict[str, Any], conduct: Conduct) -> Said:
    name = item.get("id")
    if item.get("type") == "item_reference":
        if name not in conduct.items:
            raise ClientError("invalid_value", f"there is no item {name!r} to refer to", param="input")
        return said_by(conduct.items[str(name)], 0)
    return said_by({**item, "id": str(name or conduct.items.name_for_client())}, 0)
