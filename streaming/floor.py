"""Who has the floor: the state of a conversation, the reply under way if there is one, and what is remembered.

It opens replies, cuts and closes them, and keeps the state within its table. It hears nothing and decides nothing:
conversation.py says when.
"""

from __future__ import annotations

from collections import Counter

from streaming.commands import Cancel, Command, Cut, Resume, Show, State, StateChanged
from streaming.drawing import Planning
from streaming.events import Agreed, Rejoined, Requested
from streaming.items import Record
from streaming.pace import Pace
from streaming.reply import Reply
from streaming.stages import Codec, Planner, Said
from streaming.states import TRANSITIONS, FutureTurn, IdleLoop


class Floor:
    """What is being done, by the newest turn number."""

    def __init__(
        self, session: str, agreed: Agreed, *, seed: int, codec: Codec | None, planner: Planner | None = None
    ) -> None:
        self.state: State = "idle"
        self.turn = 0
        self.reply: Reply | None = None
        self.record = Record()
        self.agreed = agreed
        self.late: Counter[str] = Counter()
        """Events that came for a reply or an utterance that was over, by name."""
        self.now = 0
        """Milliseconds since the session began."""
        self._entered = 0
        self._session = session
        self._seed = seed
        self._codec: Codec | None = codec
        self._idle = IdleLoop()
        self._planning = Planning(planner)
        self._spoken = ""

    # ---- the state -----------------------------------------------------------------------------------------

    def enter(self, state: State) -> list[Command]:
        """Go to another state; nothing if it is this one."""
        if state == self.state and state != "thinking":
            return []
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"a conversation cannot go from {self.state} to {state}")
        self.state = state
        self._entered = self.now
        return [Show(StateChanged(state, self.turn))]

    def waited(self, limit: int | None) -> int | None:
        """Milliseconds since anything happened, once there are ``limit`` of them after a reply; else None."""
        if limit is None or self.state != "idle" or not self.turn or not (self.agreed.live and self.agreed.answers):
            return None
        waited = self.now - self._entered
        return waited if waited >= limit else None

    def idles_at(self, pts: int) -> None:
        """The client shows sample ``pts`` of the idle loop."""
        self._idle.reported(pts, self.now)

    # ---- the reply -----------------------------------------------------------------------------------------

    def open(self, wanted: Requested, pace: Pace, spoken: str | None = None) -> list[Command]:
        """Begin the next reply; ``spoken`` is the language of the person, ISO 639-1, if it is known."""
        self.turn += 1
        self._spoken = spoken or ""
        self.reply = self.made(wanted, pace, self._idle.frame(self.now, pace.start_frames))
        return [*self.enter("thinking"), *self.reply.begin()]

    def made(self, wanted: Requested, pace: Pace, idle_frame: int) -> Reply:
        """A reply of this turn, not begun."""
        return Reply(
            self._session,
            self.turn,
            self.record.history,
            pace,
            seed=self._seed,
            idle_frame=idle_frame,
            codec=self._codec,
            wanted=wanted,
            silent=self.agreed.silent if wanted.silent is None else wanted.silent,
            planning=self._planning,
            spoken=self._spoken,
        )

    def rejoin(self, event: Rejoined) -> list[Command]:
        """The client is back: go on with the reply where its sound and pictures end; nobody speaks over it now."""
        reply = self.reply
        if reply is None:
            return self.enter("idle") or [Show(StateChanged(self.state, self.turn))]
        orders: list[Command] = []
        if self.state == "held":
            orders = [Resume(self.turn), *self.enter("speaking" if reply.audible else "thinking")]
        has = event if event.turn == self.turn else Rejoined(self.turn)
        return [*orders, *reply.regain(has.audio, has.video, ended=has.ended)]

    def current(self, turn: int, name: str) -> Reply | None:
        """The reply that an event is for; None if it is over. Raises FutureTurn if it was never begun."""
        if turn > self.turn:
            raise FutureTurn(f"{name} for reply {turn}, but the newest is {self.turn}")
        if turn < self.turn or self.reply is None:
            self.late[name] += 1
            return None
        return self.reply

    def cut(self) -> list[Command]:
        """Stop the reply, if there is one; what counts as said is what was heard."""
        reply = self.reply
        if reply is None:
            return []
        reply.hold()
        text = reply.heard()
        shown = Show(Cut(self.turn, reply.playhead, text, reply.usage))
        self.close()
        return [Cancel(self.turn), shown, *self._remember(reply, text, cut=True)]

    def finish(self, reply: Reply) -> list[Command]:
        """The reply was heard to its end."""
        said = self._remember(reply, reply.text.strip(), cut=False)
        self.close()
        return said

    def close(self) -> None:
        """No reply is under way any more."""
        if self.reply is None:
            return
        self.late += self.reply.late
        self.record.close(self.reply.turn, self.reply.close())
        self.reply = None

    def _remember(self, reply: Reply, text: str, *, cut: bool) -> list[Command]:
        if reply.apart:
            return []
        said = [Said("assistant", text, reply.turn, cut)] if text else []
        return [order for item in [*said, *reply.calls] for order in self.record.add(item)]
