"""How much of a conversation a language model is given: the newest turns that fit.

Tokens are estimated without the model's tokenizer, which may be anybody's: expect some tens of per cent too many. This
file knows no server and no wire.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from streaming.stages import BadInput, History, Said

FRAME = 6
"""Tokens around one message: its role and its limits."""


def tokens(text: str) -> int:
    """About how many tokens a text has.

    Four plain letters or spaces make one; two letters with accents or of other alphabets; a figure, an ideograph and
    any other sign is one.
    """
    quarters = 0
    for sign in text:
        if sign.isascii() and (sign.isalpha() or sign.isspace()):
            quarters += 1
        elif sign.isalpha() and unicodedata.category(sign) != "Lo":
            quarters += 2
        else:
            quarters += 4
    return math.ceil(quarters / 4)


def cost(item: Said) -> int:
    """About how many tokens an item takes."""
    return tokens(item.text) + tokens(item.function) + FRAME


def newest(items: Sequence[Said], most: int) -> list[Said]:
    """The items of the newest turns that have at most ``most`` tokens together, in their order.

    A turn begins with what the person said; it is kept or dropped whole, so a call stays with its result (``items``
    has them side by side, as ``joined`` gives them). What the system said is kept from every turn. Raises BadInput if
    the last turn alone is too much.
    """
    turns: list[list[Said]] = [[]]
    for item in items:
        if item.role == "user":
            turns.append([])
        turns[-1].append(item)
    left = sum(map(cost, items))
    kept: list[Said] = []
    while len(turns) > 1 and left > most:
        oldest = turns.pop(0)
        left -= sum(cost(item) for item in oldest if item.role != "system")
        kept += [item for item in oldest if item.role == "system"]
    if left > most:
        raise BadInput(
            f"what was said last has about {left:,} tokens and {max(most, 0):,} fit;"
            " say it in fewer words, or raise llm.context if the model can read more"
        )
    return kept + [item for turn in turns for item in turn]


def joined(history: History) -> list[Said]:
    """The items with each result right behind its call, as servers insist; a call without a result is left out."""
    results = {item.call_id: item for item in history if item.role == "tool" and item.call_id}
    called = {item.call_id for item in history if item.role == "call"}
    ordered: list[Said] = []
    for item in history:
        if item.role == "call" and (result := results.get(item.call_id)):
            ordered += [item, replace(result, text=result.text.strip() or "nothing")]
        elif item.role == "tool" and item.call_id not in called:
            ordered.append(replace(item, call_id=""))
        elif item.role not in ("call", "tool"):
            ordered.append(item)
    return ordered
