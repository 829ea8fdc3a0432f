"""The conversation: events in, commands out.

One object, no clock, no task, no socket, no model. Turn-taking is in ears.py, the pace of a reply in reply.py;
this file joins them: who has the turn, what an interruption does, what is remembered. Time reaches it as sample
counts and ``Tick``. A turn number is on every message of a reply: an older one is late, dropped and counted; a
future one is impossible and raises, for it is our bug.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any, assert_never

from streaming.asides import Asides
from streaming.commands import (
    Command,
    Failed,
    HangUp,
    Hold,
    Resume,
    Show,
    State,
    StateChanged,
    Trimmed,
    UserCaption,
    Waited,
)
from streaming.ears import Ears, Understood, says_something, says_stop
from streaming.events import (
    Added,
    Agreed,
    ClipEnded,
    Dropped,
    Event,
    FaceEnded,
    FramesReady,
    Heard,
    Joined,
    Left,
    OfReply,
    PictureLost,
    Played,
    Rejoined,
    Removed,
    ReplyCalled,
    ReplyEnded,
    ReplyText,
    Requested,
    SpeechEnded,
    SpeechReady,
    SpeechStarted,
    StageFailed,
    Stopped,
    TalkPressed,
    TalkReleased,
    Tick,
    Truncated,
    TurnJudged,
    Typed,
    UserSaid,
    UserSaying,
)
from streaming.floor import Floor
from streaming.guard import Guard
from streaming.media import MIC_RATE
from streaming.pace import Pace
from streaming.stages import Codec, History, Planner, Said


class Conversation:
    """One person and one face. Give it every event in order and carry out what it answers."""

    def __init__(
        self,
        session: str,
        pace: Pace | None = None,
        *,
        seed: int = 0,
        codec: Codec | None = "h264",
        live: bool = True,
        planner: Planner | None = None,
        floor: Floor | None = None,
        due: Requested | None = None,
    ) -> None:
        """``codec`` None shows no face; ``live`` False takes turns from push-to-talk and text only.

        ``planner`` chooses how the face draws; it comes with the face, and is not among the settings. ``floor`` is what
        was recalled of an earlier conversation (recalling.py), planner and all; None begins a new one. ``due`` is a
        reply that it owed.
        """
        self.session = session
        self._pace = pace or Pace()
        self._settings: dict[str, Any] = {"seed": seed, "codec": codec, "live": live}
        self._floor = floor or Floor(session, Agreed(live), seed=seed, codec=codec, planner=planner)
        self._asides = Asides(session, self._floor.late)
        self._due = due
        self._ears = Ears(self._pace)
        self._ears.tongue.choose(self._floor.agreed.language)
        self._guard = Guard(self._pace)

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._floor.state

    @property
    def turn(self) -> int:
        """Number of the newest reply."""
        return self._floor.turn

    @property
    def late(self) -> Counter[str]:
        """Events that came for a reply or an utterance that was over, by name."""
        return self._floor.late

    @property
    def history(self) -> History:
        """Who said what so far, as it was heard."""
        return self._floor.record.history

    @property
    def at_rest(self) -> Floor | None:
        """What is remembered, while nobody has the turn and no reply is owed; else None."""
        return self._floor if self.state == "idle" and self._due is None else None

    def settings(self) -> dict[str, Any]:
        """Everything but the session's name that a conversation is made of, as plain JSON values."""
        return {"pace": asdict(self._pace), **self._settings}

    @classmethod
    def like(cls, session: str, settings: dict[str, Any], planner: Planner | None = None) -> Conversation:
        """A fresh conversation with another's ``settings()``; with its name and planner it answers the same."""
        rest = {name: value for name, value in settings.items() if name != "pace"}
        return cls(session, Pace(**settings["pace"]), planner=planner, **rest)

    def on(self, event: Event) -> list[Command]:
        """What is to be done about ``event``. Raises FutureTurn if it cannot have happened."""
        return [*self._on(event), *self._settle()]

    def _on(self, event: Event) -> list[Command]:
        match event:
            case Joined():
                return [Show(StateChanged(self.state, self.turn))]
            case Rejoined():
                return self._floor.rejoin(event)
            case Heard():
                return self._hear(event)
            case SpeechStarted(at):
                return self._begin_to_listen(at)
            case SpeechEnded(at):
                return self._pause(at)
            case TurnJudged(complete, at):
                self._ears.judged(complete, at)
                return []
            case UserSaying() | UserSaid():
                return self._understand(event)
            case TalkPressed(at, interrupts):
                return self._press(at, interrupts)
            case TalkReleased():
                return [*self._guard.clean(self._ears.release())]
            case Typed():
                return self._take_text(event)
            case Added() | Removed() | Truncated() | Requested() | Stopped() | Dropped() | Agreed():
                return self._obey(event)
            case PictureLost():
                return self._floor.reply.lost_picture() if self._floor.reply else []
            case ReplyText() | ReplyCalled() | ReplyEnded() | SpeechReady() | ClipEnded() | FramesReady() | FaceEnded():
                return self._hear_of_reply(event)
            case Played(turn, pts):
                return self._played(turn, pts)
            case StageFailed():
                return self._failed(event)
            case Tick(now):
                return self._tick(now)
            case Left():
                return [*self._asides.stop_all(), *self._cut(), HangUp("the client left")]
            case _:  # pragma: no cover - the type checker refuses a forgotten event
                assert_never(event)

    # ---- the person ----------------------------------------------------------------------------------------

    def _hear(self, block: Heard) -> list[Command]:
        """One more block of sound: in what was taken for our own voice, somebody else's may begin."""
        self._guard.follow(self._floor.reply, self._ears.now)
        orders: list[Command] = [*self._guard.clean(self._ears.heard(block.pcm, block.at, block.quiet))]
        now = self._ears.now
        if self._guard.clears(self._ears.last(self._pace.echo_window), now, block.quiet):
            orders += self._make_way(now - self._pace.echo_found + self._pace.pre_roll, self._pace.echo_brief)
        return orders

    def _pause(self, at: int) -> list[Command]:
        self._guard.suspect = False
        orders = self._guard.clean(self._ears.paused(at))
        # "Mhm" is no whole sentence either: a held reply must not wait as long as one that goes on.
        return [*orders, *(self._ears.ask_judge() if self._floor.reply is None else [])]

    def _begin_to_listen(self, at: int) -> list[Command]:
        """Speech: somebody's, unless a loudspeaker brings us our own."""
        if not (self._floor.agreed.live or self._ears.pressed):
            return []
        if not self._ears.open and self._guard.suspects(
            self._ears.last(self._pace.echo_before + self._pace.echo_window), self._ears.now
        ):
            return []
        # The pre-roll is not new sound: a first partial in mid-hold must still hold 0.3 s of voice.
        return self._make_way(at, self._pace.pre_roll + self._pace.partial_first_held)

    def _make_way(self, at: int, first: int) -> list[Command]:
        """Somebody speaks: a reply is held, not cancelled, for it may be a cough. ``first`` samples may hold words."""
        self._ears.started(at)
        if self._floor.reply is None:
            return self._floor.enter("listening")
        if not self._floor.agreed.interrupts or self._floor.reply.held:
            return []
        self._ears.first = first
        self._floor.reply.hold()
        return [Hold(self.turn), *self._floor.enter("held")]

    def _press(self, at: int, interrupts: bool) -> list[Command]:
        """The button is no cough: it cancels at once."""
        orders = self._cut() if interrupts else []
        self._guard.forget()
        self._ears.press(at)
        return [*orders, *(self._floor.enter("listening") if self._floor.reply is None else [])]

    def _understand(self, said: UserSaying | UserSaid) -> list[Command]:
        text, until, final = said.text, said.until, isinstance(said, UserSaid)
        ours = not text or self._is_ours(text, until)
        if isinstance(said, UserSaid) and not ours and (again := self._ears.misheard(said)):
            return [*self._guard.clean(again)]
        if not self._ears.took(text, until, final=final):
            self._floor.late[type(said).__name__] += 1
            return []
        if ours:
            return []
        orders: list[Command] = [Show(UserCaption(self._ears.saying.agreed, False, self._ears.saying.guess))]
        if self._floor.reply is not None and self._floor.agreed.interrupts and says_something(text):
            orders += [*self._cut(), *self._floor.enter("listening"), *self._ears.ask_judge()]
        return orders

    def _is_ours(self, text: str, until: int) -> bool:
        """Whether what was understood came out of the loudspeaker, or is too short to be told from that."""
        if self._guard.repeats(text, self._ears.begun, until):
            return True
        interrupting = self._floor.reply is not None and self._guard.over and not self._ears.pressed
        return interrupting and self._ears.voiced(until) < self._pace.echo_brief and not says_stop(text)

    def _take_text(self, typed: Typed) -> list[Command]:
        if not typed.text.strip():
            return []
        # What was being said has ended without words; a reply that is written over goes on to the next at once.
        orders = [*(self._floor.enter("idle") if self.state == "listening" else self._cut())]
        self._ears.discard()
        return [*orders, *self._open_turn(typed.text.strip(), typed.id)]

    def _open_turn(self, text: str, name: str = "") -> list[Command]:
        self._due, caption = None, Show(UserCaption(text, final=True))
        said = self._floor.record.add(Said("user", text, self.turn + 1, id=name))
        return [caption, *said, *self._floor.open(Requested(), self._pace, self._ears.tongue.language)]

    def _turn_taken(self, text: str, until: int) -> list[Command]:
        """A turn is over: answer it now, or when the reply under way is over, or when the client asks."""
        if self._floor.agreed.answers and (self._floor.agreed.interrupts or self._floor.reply is None):
            return [*self._cut(), *self._open_turn(text)]
        if self._floor.agreed.answers:
            self._due = self._due or Requested()
        said = self._floor.record.add(Said("user", text, self.turn, id=f"heard_{until}"))
        return [Show(UserCaption(text, final=True)), *said, *self._rest()]

    # ---- the client ----------------------------------------------------------------------------------------

    def _obey(self, event: Added | Removed | Truncated | Requested | Stopped | Dropped | Agreed) -> list[Command]:
        match event:
            case Added(item, after):
                return self._floor.record.add(item, after)
            case Removed(name):
                return self._floor.record.remove(name)
            case Truncated(turn, pts):
                return self._trim(turn, pts)
            case Requested(apart=True, silent=True):
                return self._asides.begin(event, self.history)
            case Requested():
                self._due = event
                return []
            case Stopped(turn):
                return self._asides.stop(turn) if turn else [*self._cut(), *self._rest()]
            case Dropped():
                self._ears.discard()
                return self._nothing_said()
            case Agreed(pace=pace):
                self._floor.agreed = event
                self._pace = pace or self._pace
                self._ears.at_pace(self._pace)
                self._ears.tongue.choose(event.language)
                self._guard.at_pace(self._pace)
                return []
            case _:  # pragma: no cover - the type checker refuses a forgotten event
                assert_never(event)

    def _trim(self, turn: int, pts: int) -> list[Command]:
        """The client knows best what left its loudspeaker; a reply under way ends there."""
        if self._floor.reply is not None and self._floor.reply.turn == turn:
            self._floor.reply.heard_until(pts)
            text = self._floor.reply.heard()
            return [*self._cut(), Show(Trimmed(turn, pts, text)), *self._rest()]
        shorter = self._floor.record.shorten(turn, pts)
        if shorter is None:
            self._floor.late["Truncated"] += 1
            return []
        text, orders = shorter
        return [Show(Trimmed(turn, pts, text)), *orders]

    def _rest(self) -> list[Command]:
        """The state when nobody has the turn, or somebody speaks on."""
        return [] if self._floor.reply else self._floor.enter("listening" if self._ears.open else "idle")

    # ---- the reply -----------------------------------------------------------------------------------------

    def _hear_of_reply(self, event: OfReply | StageFailed) -> list[Command]:
        if event.turn < 0:
            return self._asides.on(event)
        reply = self._floor.current(event.turn, type(event).__name__)
        if reply is None:
            return []
        return reply.failed(event) if isinstance(event, StageFailed) else reply.on(event)

    def _played(self, turn: int, pts: int) -> list[Command]:
        if turn == 0:
            self._floor.idles_at(pts)
            return []
        reply = self._floor.current(turn, "Played")
        return reply.played(pts) if reply else []

    def _tick(self, now: int) -> list[Command]:
        self._floor.now = now = max(self._floor.now, now)
        self._ears.tick(now)
        if self._floor.reply:
            return self._floor.reply.tick(now)
        waited = self._floor.waited(self._pace.idle_timeout)
        return [] if waited is None else self._speak_again(waited)

    def _speak_again(self, waited: int) -> list[Command]:
        """Nobody spoke for ``waited`` ms: the silence is a turn of its own, and is answered."""
        at = self._ears.now
        return [Show(Waited(max(at - waited * MIC_RATE // 1000, 0), at)), *self._open_turn("")]

    def _failed(self, event: StageFailed) -> list[Command]:
        if event.stage == "asr":
            again = self._ears.failed(lost=event.lost)
            if again is not None:
                return [*self._guard.clean(again)]
            self._ears.discard()
            return [Show(Failed(0, "asr", event.reason)), *self._nothing_said()]
        return self._hear_of_reply(event)

    # ---- what follows --------------------------------------------------------------------------------------

    def _settle(self) -> list[Command]:
        """What became true by the event: a turn is over, a reply is heard or finished."""
        orders: list[Command] = []
        if understood := self._ears.turn_over():
            worth = self._worth(understood)
            self._ears.discard()
            orders += self._turn_taken(understood.text, understood.until) if worth else self._nothing_said()
        reply = self._floor.reply
        if reply is not None and self.state == "thinking" and reply.audible:
            orders += self._floor.enter("speaking")
        due = self._due if not self._ears.awaited else None
        if reply is not None and (reply.finished or (reply.ended and due)):
            self._ears.first = None
            orders += self._floor.finish(reply)
            orders += [] if due else self._rest()
        if due and self._floor.reply is None:
            self._due = None
            orders += self._floor.open(due, self._pace, self._ears.tongue.language)
            orders += self._settle()  # words that are known and not spoken are complete at once
        return orders

    def _worth(self, understood: Understood) -> bool:
        """Whether it is to be answered: words that are not our own; while we speak, no "mhm" either."""
        if self._is_ours(understood.text, understood.until):
            return False
        return says_something(understood.text) or (understood.text.strip() != "" and self._floor.reply is None)

    def _nothing_said(self) -> list[Command]:
        """A cough, a door, "mhm", our own voice: a held reply goes on."""
        self._ears.first = None
        if self._floor.reply is None:
            return self._floor.enter("idle") if self.state == "listening" else []
        if not self._floor.reply.held:
            return []
        entered = self._floor.enter("speaking" if self._floor.reply.audible else "thinking")
        return [Resume(self.turn), *entered, *self._floor.reply.resume()]

    def _cut(self) -> list[Command]:
        """Stop the reply, if there is one."""
        self._ears.first = None
        return self._floor.cut()
