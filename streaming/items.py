"""The conversation as a list of items: put one in, take one out, say that less of one was heard.

This file does not know who decides.
"""

from __future__ import annotations

from dataclasses import replace

from streaming.commands import Command, Forget, Remember
from streaming.stages import History, Said
from streaming.timeline import Timeline

REMEMBERED = 4
"""Replies of which it is known when each word was heard, for clients that report late."""


class Record:
    """Who said what so far, as it was heard."""

    def __init__(self) -> None:
        self.history: History = ()
        self._past: dict[int, Timeline] = {}

    def add(self, item: Said, after: str | None = None) -> list[Command]:
        """Put an item in, at the end or behind the one called ``after``."""
        self.history = with_item(self.history, item, after)
        return [Remember(item, after)]

    def remove(self, name: str) -> list[Command]:
        """Take an item out."""
        self.history = without(self.history, name)
        return [Forget(name)]

    def recall(self, item: Said, after: str | None) -> None:
        """An item was stored, perhaps in the place of an earlier one; one without text of a reply was not heard."""
        if item.name in [said.name for said in self.history]:
            self.history = tuple(item if said.name == item.name else said for said in self.history)
        else:
            self.history = with_item(self.history, item, after)
        if item.role == "assistant" and not item.text:
            self.history = without(self.history, item.name)

    def close(self, turn: int, timeline: Timeline) -> None:
        """A reply is over: keep when its words were spoken, for a while, and of the newest the sound: its echo
        may still be heard.
        """
        for older in self._past.values():
            older.forget_sound()
        self._past[turn] = timeline
        self._past.pop(turn - REMEMBERED, None)

    def shorten(self, turn: int, pts: int) -> tuple[str, list[Command]] | None:
        """Only so much of a reply was heard: its text, and what is remembered; None if nobody knows any more."""
        timeline = self._past.get(turn)
        if timeline is None:
            return None
        text = timeline.heard(pts)
        self.history, item = with_less_heard(self.history, turn, text)
        return text, [Remember(item)] if item else []


def with_item(history: History, item: Said, after: str | None) -> History:
    """The history with ``item`` behind the one called ``after``: "" is the head, None or an unknown name the end."""
    names = [said.name for said in history]
    at = 0 if after == "" else names.index(after) + 1 if after in names else len(history)
    return (*history[:at], item, *history[at:])


def without(history: History, name: str) -> History:
    """The history without the item of that name."""
    return tuple(said for said in history if said.name != name)


def with_less_heard(history: History, turn: int, text: str) -> tuple[History, Said | None]:
    """The history in which only ``text`` of reply ``turn`` was heard, and its item; None if there is no such reply."""
    for at, said in enumerate(history):
        if said.role == "assistant" and said.turn == turn:
            shorter = replace(said, text=text, cut=True)
            return (*history[:at], *((shorter,) if text else ()), *history[at + 1 :]), shorter
    return history, None
