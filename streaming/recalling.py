"""A conversation out of what was noted of it: what its owner writes down as it goes, and how another takes it up.

Noted is what cannot be worked out again: what was agreed, said and remembered, each reply's text and when its words
are heard, how far it was heard. No sound and no picture is: they are made again. What the microphone heard last is
lost, and a turn that was not over with it. This file knows no store and no client.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from streaming.commands import Animate, Cancel, Command, Failed, Forget, Hold, Remember, Resume, Show, StateChanged
from streaming.conversation import Conversation
from streaming.events import (
    Agreed,
    ClipEnded,
    Event,
    Played,
    Rejoined,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechReady,
    StageFailed,
    Typed,
)
from streaming.floor import Floor
from streaming.journal import decode, encode
from streaming.pace import Pace
from streaming.stages import Planner

_Noted = (
    Rejoined
    | Agreed
    | Requested
    | Typed
    | ReplyText
    | ReplyCalled
    | ReplyEnded
    | SpeechReady
    | ClipEnded
    | StageFailed
    | Played
)


def note(event: Event, commands: list[Command]) -> dict[str, Any] | None:
    """What is to be written down of an event, as plain JSON values; None for nothing."""
    told = [encode(command, media=False) for command in map(_noted, commands) if command]
    if isinstance(event, StageFailed) and event.lost:
        # A call that was repeated is nothing to remember; one that was given up is not tried again by another owner.
        gave_up = any(isinstance(c, Show) and isinstance(c.message, Failed) for c in commands)
        event = replace(event, lost=False, turn=event.turn if gave_up else 0)
    kept = isinstance(event, _Noted) and not (isinstance(event, Played | StageFailed) and event.turn == 0)
    if not (kept or told):
        return None
    return {"event": encode(event, media=False) if kept else None, "commands": told}


def _noted(command: Command) -> Command | None:
    match command:
        case Show(StateChanged()) | Remember() | Forget() | Hold() | Resume() | Cancel():
            return command
        case Animate(turn, span, _) if span.pts == 0:
            return Animate(turn, replace(span, pcm24k=b"", phones=()), None)
        case _:
            return None


def checkpoint(conversation: Conversation) -> dict[str, Any] | None:
    """All that counts of a conversation in which nobody has the turn, as plain JSON values; None while somebody has.

    How far replies that are over were heard is not in it: ``Truncated`` for one of them comes too late afterwards.
    """
    floor = conversation.at_rest
    if floor is None:
        return None
    history = [encode(said) for said in floor.record.history]
    pace = conversation.settings()["pace"]
    return {"agreed": encode(floor.agreed), "pace": pace, "turn": floor.turn, "history": history}


class Recalling:
    """Takes what was noted, in order; a line with a ``checkpoint`` may be the first."""

    def __init__(self, session: str, settings: dict[str, Any], planner: Planner | None = None) -> None:
        """``settings`` are those of the conversation when it began; ``planner`` comes with the face that goes on."""
        self._session = session
        self._settings = settings
        self._pace = Pace(**settings["pace"])
        self._due: Requested | None = None
        self._floor = Floor(
            session, Agreed(settings["live"]), seed=settings["seed"], codec=settings["codec"], planner=planner
        )

    @property
    def turn(self) -> int:
        """Number of the newest reply."""
        return self._floor.turn

    @property
    def asked(self) -> bool:
        """True if a reply was ever begun or asked for."""
        return self.turn > 0 or self._due is not None

    @property
    def replying(self) -> bool:
        """True if the newest reply is under way."""
        return self._floor.reply is not None

    def conversation(self) -> Conversation:
        """The conversation as it was, but for what its microphone heard; Rejoined or Left comes next."""
        rest = {name: value for name, value in self._settings.items() if name != "pace"}
        return Conversation(self._session, self._pace, floor=self._floor, due=self._due, **rest)

    def take(self, noted: dict[str, Any]) -> None:
        """What ``note`` gave; a line of somebody else's is passed over. Raises JournalError for what cannot be read."""
        if "checkpoint" in noted:
            self._rest(noted["checkpoint"])
        if "commands" not in noted:
            return
        if noted["event"]:
            self._happened(decode(blank(noted["event"])))
        commands = [decode(blank(command)) for command in noted["commands"]]
        answered = any(isinstance(c, Remember) and c.item.role == "user" and not c.item.id for c in commands)
        for command in commands:
            self._ordered(command, answered=answered)

    def _rest(self, kept: dict[str, Any]) -> None:
        floor = self._floor
        floor.agreed, self._pace = decode(kept["agreed"]), Pace(**kept["pace"])
        floor.turn, floor.record.history = kept["turn"], tuple(decode(said) for said in kept["history"])

    def _happened(self, event: Any) -> None:
        floor = self._floor
        match event:
            case Agreed(pace=pace):
                floor.agreed, self._pace = event, pace or self._pace
            case Rejoined():
                floor.rejoin(event)
            case Requested(apart=True, silent=True):
                pass  # an aside does not outlive its gateway
            case Requested():
                self._due = event
            case Typed():
                self._due = Requested()
            case Played(turn, pts) if floor.reply and turn == floor.turn:
                floor.reply.played(pts)
            case StageFailed(turn) if floor.reply and turn == floor.turn:
                floor.reply.failed(event)
            case _ if floor.reply and event.turn == floor.turn:
                floor.reply.on(event)
            case _:
                pass

    def _ordered(self, command: Any, *, answered: bool) -> None:
        floor = self._floor
        match command:
            case Remember(item, after):
                floor.record.recall(item, after)
                if floor.reply and floor.agreed.answers and (item.role, item.turn) == ("user", floor.turn):
                    self._due = self._due or Requested()  # it was said over a reply, which it let go on
            case Forget(name):
                floor.record.remove(name)
            case Show(StateChanged(state, turn)):
                if turn > floor.turn:
                    self._begin(turn, Requested() if answered else self._due or Requested())
                elif state in ("idle", "listening"):
                    floor.close()
                floor.state = state
            case Animate(_, span) if floor.reply:
                floor.reply.shown_from(span.idle_frame)
            case Hold() if floor.reply:
                floor.reply.hold()
            case Resume() if floor.reply:
                floor.reply.resume()
            case Cancel(turn) if turn < 0:
                pass
            case _:  # Cancel
                floor.close()

    def _begin(self, turn: int, wanted: Requested) -> None:
        self._floor.close()
        self._floor.turn, self._due = turn, None
        self._floor.reply = reply = self._floor.made(wanted, self._pace, 0)
        reply.begin()


def blank(value: Any) -> Any:
    """What was encoded without media, with silence where sound was left out: ready to be decoded."""
    if isinstance(value, list):
        return [blank(item) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    plain = cast(dict[str, Any], value)
    if plain.keys() == {"bytes", "crc"}:
        return _silence(plain["bytes"])
    return {name: blank(item) for name, item in plain.items()}


def _silence(count: int) -> str:
    """So many bytes of silence in base64."""
    whole, rest = divmod(count, 3)
    return "AAAA" * whole + ("", "AA==", "AAA=")[rest]
