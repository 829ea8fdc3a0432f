"""Replies beside the conversation: text only, any number at once, none of them remembered.

A client asks for one to have something looked at while the talk goes on: is this rude, what is it about. Their turns
count down from -1, so that no message of theirs can be taken for one of the conversation's. This file knows nothing of
turn-taking.
"""

from __future__ import annotations

from collections import Counter

from streaming.commands import AsideBegun, Cancel, Command, Cut, Show
from streaming.events import OfReply, Requested, StageFailed
from streaming.pace import Pace
from streaming.reply import Reply
from streaming.stages import History
from streaming.states import FutureTurn


class Asides:
    """Those that are being written, by turn."""

    def __init__(self, session: str, late: Counter[str]) -> None:
        """``late`` counts the events that came for what is over."""
        self._session = session
        self._late = late
        self._newest = 0
        self._open: dict[int, Reply] = {}

    def begin(self, wanted: Requested, history: History) -> list[Command]:
        """Begin the next one. ``history`` is answered unless ``wanted`` holds one."""
        self._newest -= 1
        turn = self._newest
        reply = Reply(
            self._session, turn, history, Pace(), seed=0, idle_frame=0, codec=None, wanted=wanted, silent=True
        )
        self._open[turn] = reply
        return [Show(AsideBegun(turn)), *reply.begin()]

    def on(self, event: OfReply | StageFailed) -> list[Command]:
        """The language model answered, or failed. Raises FutureTurn for an aside that was never begun."""
        if event.turn < self._newest:
            raise FutureTurn(f"{type(event).__name__} for aside {event.turn}, but the newest is {self._newest}")
        reply = self._open.get(event.turn)
        if reply is None:
            self._late[type(event).__name__] += 1
            return []
        orders = reply.failed(event) if isinstance(event, StageFailed) else reply.on(event)
        if reply.ended:
            del self._open[event.turn]
        return orders

    def stop(self, turn: int) -> list[Command]:
        """Stop one, if it is not over."""
        reply = self._open.pop(turn, None)
        return [] if reply is None else [Cancel(turn), Show(Cut(turn, 0, reply.heard(), reply.usage))]

    def stop_all(self) -> list[Command]:
        """Stop all of them."""
        return [order for turn in list(self._open) for order in self.stop(turn)]
