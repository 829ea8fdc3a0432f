"""`avatar replay`: play a journal again to a fresh conversation and compare every order, byte for byte.

A journal's header says how its conversation was set up, and which voice spoke.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

from serve_app.errors import UserError
from serve_app.planning import like
from serve_app.redoing import Mismatch, redo
from streaming.conversation import Conversation
from streaming.journal import Difference, Entry, Header, JournalError, read, replay
from streaming.session import Driving, Stages
from streaming.states import FutureTurn

SHOWN = 5
"""Differences that are printed; the first is the one that matters."""

SHORT = 200
"""Characters of an order that are printed: media would fill the screen."""


def conversation_of(header: Header) -> Conversation:
    """The conversation that a journal was written of, at its beginning. Raises UserError."""
    try:
        planner = like(header.settings.get("planner"))
        return Conversation.like(header.session, header.settings["conversation"], planner)
    except (KeyError, TypeError) as error:
        raise UserError(f"the journal's first line does not say how the conversation was set up ({error})") from error


def main(path: Path, stages: Callable[[], Stages] | None = None) -> int:
    """Replay a journal and say what differs; 0 if nothing does, else 1. Raises UserError if it cannot be read.

    With ``stages`` recognition, voice and face are called again as well, and their answers compared.
    """
    try:
        with path.open(encoding="utf-8") as file:
            header, lines = read(file)
            entries = list(lines)
        differences = list(replay(entries, conversation_of(header)))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no journal: it is not text") from error
    except (JournalError, FutureTurn) as error:
        raise UserError(f"{path}: {error}") from error
    for difference in differences[:SHOWN]:
        print(_told(difference))
    told = f"{len(differences)} of them led to other orders" if differences else "every order as recorded"
    print(f"{len(entries)} events, {told}")
    wrong = _redone(entries, header, stages()) if stages else []
    return 1 if differences or wrong else 0


def _redone(entries: Sequence[Entry], header: Header, stages: Stages) -> list[Mismatch]:
    given = header.settings
    languages = frozenset(given.get("languages", ())) or None
    driving = Driving(given["voice"], given["language"], languages, hints=given.get("hints", ""))
    calls, wrong = asyncio.run(redo(entries, stages, driving))
    for mismatch in wrong[:SHOWN]:
        print(f"{mismatch.call}: {mismatch.reason}")
    told = f"{len(wrong)} of them answered otherwise" if wrong else "every answer as recorded"
    print(f"{calls} calls of the stages, {told}")
    return wrong


def _told(difference: Difference) -> str:
    """The first order that differs."""
    pairs = enumerate(zip_longest(difference.recorded, difference.fresh, fillvalue="nothing"))
    place, (old, new) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
    return f"event {difference.n}, order {place}:\n  recorded {old[:SHORT]}\n  now      {new[:SHORT]}"
