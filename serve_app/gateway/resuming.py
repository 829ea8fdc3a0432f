"""How a client that lost its connection goes on with its conversation, at this gateway or at another.

While a conversation lasts its owner notes what the client said and was told, beside what streaming/recalling.py notes
of the conversation itself. Whoever the client comes back to takes the session over and does all of that once more,
without sound and pictures: then both sides agree again, what the client missed is known word for word, and its media
are made again from where they broke off. This file knows no socket.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from serve_app.gateway import checkpoints
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.ladder import Told
from serve_app.gateway.reading import PONG, Hello, Incoming
from serve_app.gateway.wire import Outgoing
from serve_app.gateway.wishes import ClientError
from serve_app.keeper import Archive, Keeper
from serve_app.planning import described
from serve_app.store import StaleEpoch, Stored
from streaming.commands import AsideBegun, Audio, Command, Cut, Ended, Frames, Kept, ReplyDelta, Show
from streaming.conversation import Conversation
from streaming.events import Event, Rejoined
from streaming.journal import JournalError, canonical, decode, encode
from streaming.recalling import Recalling, blank, note
from streaming.session import ClientOrder, Driving
from streaming.stages import Planner

log = logging.getLogger(__name__)

Line = Callable[[dict[str, Any]], str | None]

REFUSED = "cannot_resume"
_CHOOSES = "session.update"
_UNNOTED = {"input_audio_buffer.append", "avatar.playhead"}
"""What a client says often and what changes nothing that both must agree on."""


def fresh_token() -> str:
    """What a client shows to get its conversation back."""
    return secrets.token_urlsafe(24)


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def header(settings: dict[str, Any], planner: Planner | None, conduct: Conduct, driving: Driving) -> dict[str, Any]:
    """What is stored first of a conversation that begins: whatever it is taken up or replayed with."""
    who = {"voice": driving.voice, "language": driving.language, "persona": conduct.persona.id}
    more = {"hints": driving.hints, "languages": sorted(driving.languages or ())}
    resume = {"resume": digest(conduct.resume_token)} if conduct.resume_token else {}
    return {"conversation": settings, "planner": described(planner), **who, **more, **resume}


# ---- what is noted -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Past:
    """What was noted by earlier owners, as far as it counts for what is noted next."""

    next: int = 0
    """Number of the next order."""
    chosen: tuple[str, ...] = ()
    """Messages in which the client chose something, in order."""
    received: str | None = None
    """The client's own id of its newest message that counts."""


NOTHING = Past()
"""Nobody noted anything before."""


class Log:
    """Notes what happens in one session; every order to the client gets a number, and a note when it is sent.

    Media are not noted: they are made again. ``line`` writes all of it in one line, with what it is given, while
    nobody has the turn (checkpoints.py).
    """

    def __init__(self, keeper: Keeper, past: Past = NOTHING, line: Line = lambda more: None) -> None:
        self._keeper = keeper
        self._line = line
        self._next, self._received, self._chosen = past.next, past.received, [*past.chosen]
        self._since, self._until = 0, checkpoints.EVERY
        """Characters noted since the last checkpoint, and after how many the next one comes."""
        self._numbers: dict[int, int] = {}
        self._said: dict[int, tuple[Event, str]] = {}

    def happened(self, event: Event, commands: list[Command]) -> None:
        """An event and what it leads to, before anything of it is done, with the message that it came of.

        They are noted as one: a message counts as received if it was acted on, and never without that.
        """
        noted = note(event, commands) or {}
        told = [[self._numbered(order), encode(order, media=False)] for order in commands if _kept(order)]
        said = self._took(self._said.pop(id(event))[1]) if id(event) in self._said else {}
        if noted or told or said:
            self._note({**noted, **said, "told": told})

    def answered(self, told: Told) -> None:
        """The client is answered at once."""
        if told[0] != PONG:
            self._note({"told": [[self._numbered(told), list(told)]]})

    def said(self, message: str, event: Event | None = None) -> None:
        """The client said something, and ``event`` is the last that comes of it; None if all came of it already."""
        if json.loads(message).get("type") in _UNNOTED:
            return
        if event is None:
            self._note(self._took(message))
        else:  # the event is kept too, for as long as its identity is its key
            self._said[id(event)] = (event, message)

    def sent(self, order: ClientOrder | Told, seq: int) -> None:
        """An order is about to be sent, as message ``seq`` and those that follow it."""
        number = self._numbers.pop(id(order), None)
        if number is not None:
            self._note({"sent": number, "seq": seq})
        elif isinstance(order, Show) and isinstance(order.message, Audio) and order.message.words:
            self._note({"words": encode(order.message, media=False), "seq": seq})
        some = self._since >= self._until and sum(map(len, self._chosen)) <= checkpoints.CHOSEN_MOST
        if some and not self._numbers and not self._said:
            more = {"chosen": self._chosen, "next": self._next, "received": self._received}
            if line := self._line(more):
                self._keeper.note(line)
                self._since, self._until = 0, checkpoints.due(line)

    def taken_up(self, had: int, up: TakenUp) -> list[ClientOrder | Told]:
        """What is owed to the client from before, in order. ``had`` is the number of the newest message that it got.

        Both are noted for whoever takes the session up after us: it counts on from there, so that by its number alone
        a message that never arrived would seem to have done.
        """
        cut = [[self._numbered(order), encode(order, media=False)] for order in up.cut]
        self._note({"had": had, "dropped": up.dropped, "told": cut})
        for number, order in up.owed.items():
            self._numbers[id(order)] = number
        return [*up.owed.values(), *up.cut]

    def _note(self, line: dict[str, Any]) -> None:
        text = canonical(line)
        self._keeper.note(text)
        self._since += len(text)

    def _took(self, message: str) -> dict[str, str]:
        """A message counts from now on."""
        said = json.loads(message)
        self._received = said.get("event_id")
        if said.get("type") == _CHOOSES:
            self._chosen.append(message)
        return {"in": message}

    def _numbered(self, order: ClientOrder | Told) -> int:
        number, self._next = self._next, self._next + 1
        self._numbers[id(order)] = number
        return number


def _kept(order: Command) -> TypeGuard[ClientOrder]:
    """Whether it is for the client, and no media."""
    if isinstance(order, Show):
        return not isinstance(order.message, Audio | Frames | Kept)
    return isinstance(order, ClientOrder)


# ---- taking up -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """A session that is ours now, as it was when its owner last stored something."""

    stored: Stored
    epoch: int
    lines: tuple[dict[str, Any], ...]
    """Since the newest checkpoint that serves, or since the first word."""

    @property
    def past(self) -> Past:
        """What counts of them for whoever notes more. The client says again whatever it said after ``received``."""
        first = self.lines[0] if self.lines and "checkpoint" in self.lines[0] else {}
        said = [line["in"] for line in self.lines if "in" in line]
        told = [number for line in self.lines for number, _ in line.get("told", ())]
        chosen = [message for message in said if json.loads(message).get("type") == _CHOOSES]
        return Past(
            max([first.get("next", 0), *(number + 1 for number in told)]),
            (*first.get("chosen", ()), *chosen),
            json.loads(said[-1]).get("event_id") if said else first.get("received"),
        )


async def take_over(archive: Archive | None, hello: Hello) -> Taken:
    """Become the owner of the session that a client wants back. Raises ClientError with the reason if that cannot be.

    From then on the old owner can store nothing, and sends nothing that it could not store.
    """
    if archive is None:
        raise _refused("this service keeps no conversations (store.keep); a new one has begun")
    stored = await archive.store.conversation(hello.session)
    wanted = stored.header.get("resume", "") if stored else ""
    if stored is None or not hmac.compare_digest(wanted, digest(hello.token)):
        raise _refused("there is no such conversation, or the token is not its; a new one has begun")
    if stored.summary.ended_ms is not None:
        raise _refused("that conversation is over; a new one has begun")
    await archive.wake(hello.session)
    try:
        epoch = await archive.store.take_over(hello.session, archive.owner)
    except StaleEpoch:
        raise _refused("that conversation was taken up elsewhere at this moment; a new one has begun") from None
    lines = [line async for page in archive.store.notes(hello.session) for line in page]
    begin = checkpoints.newest(lines, hello.last_seq)
    return Taken(stored, epoch, tuple(json.loads(line) for line in lines[begin:]))


def _refused(reason: str) -> ClientError:
    return ClientError(REFUSED, reason)


def resumed(hello: Hello, taken: Taken, conduct: Conduct) -> str:
    """The message that tells a client of it."""
    told = {"type": "avatar.resumed", "event_id": f"evt_{hello.last_seq}", "session_id": hello.session}
    return json.dumps(
        {**told, "last_seq": hello.last_seq, "received": taken.past.received, "session": conduct.described()}
    )


def recalled(taken: Taken, planner: Planner | None = None) -> Recalling:
    """The conversation itself."""
    recalling = Recalling(taken.stored.summary.session, taken.stored.header["conversation"], planner)
    for line in taken.lines:
        recalling.take(line)
    return recalling


@dataclass(frozen=True, slots=True)
class TakenUp:
    """Everything that a connection needs to go on."""

    conversation: Conversation
    rejoined: Rejoined
    incoming: Incoming
    missed: tuple[str, ...]
    """Messages that were sent and did not arrive, as they were."""
    owed: dict[int, ClientOrder | Told]
    """Orders that were never sent, by number."""
    cut: tuple[ClientOrder, ...]
    """Ends of the replies beside the conversation that were under way: none of them outlives its gateway."""
    dropped: tuple[int, ...]
    """Orders that count no more: the end of the reply that goes on, which will be ordered again."""
    past: Past
    asked: bool
    """True if a reply was ever asked for, and be it the greeting."""


def take_up(
    taken: Taken, hello: Hello, conduct: Conduct, outgoing: Outgoing, planner: Planner | None = None
) -> TakenUp:
    """Do again what was noted, on the session's fresh ``conduct`` and ``outgoing``; ``planner`` is our own face's.

    Raises ClientError if an earlier release of ours noted it, which we cannot read.
    """
    try:
        return _taken_up(recalled(taken, planner), taken, hello, conduct, outgoing)
    except JournalError as error:
        log.warning("session %s cannot be taken up: %s", hello.session, error)
        raise _refused("that conversation was begun with another release; a new one has begun") from error


def _taken_up(recalling: Recalling, taken: Taken, hello: Hello, conduct: Conduct, outgoing: Outgoing) -> TakenUp:
    incoming = Incoming(conduct)
    orders: dict[int, ClientOrder | Told] = {}
    dropped = {number for line in taken.lines for number in line.get("dropped", ())}
    ended, missed = False, list[str]()
    if taken.lines and "checkpoint" in taken.lines[0]:
        for message in taken.lines[0]["chosen"]:
            _again(incoming, message)
        checkpoints.restore(taken.lines[0], conduct, outgoing)
    for line, had in zip(taken.lines, _had(taken.lines, hello.last_seq), strict=True):
        if "in" in line:
            _again(incoming, line["in"])
        if "words" in line and line["seq"] <= had:
            outgoing.words_told(decode(blank(line["words"])))
        for number, order in line.get("told", ()):
            if number not in dropped:
                orders[number] = _order(order)
        if "sent" in line and line["sent"] not in dropped:
            order = orders[line["sent"]]
            if _ends(order, recalling) and line["seq"] > hello.last_seq:
                continue  # the end is told again once everything before it was sent
            ended = ended or _ends(order, recalling)
            missed += _missed(outgoing, orders.pop(line["sent"]), line["seq"], hello.last_seq)
    outgoing.seq = max(outgoing.seq, hello.last_seq)
    owed = {number: order for number, order in orders.items() if not _ends(order, recalling)}
    again = tuple(orders.keys() - owed.keys())
    rejoined = Rejoined(hello.turn, hello.audio, hello.video, ended)
    if response := conduct.responses.get(recalling.turn):
        response.samples = hello.audio if hello.turn == recalling.turn else 0
    cut = _asides_cut(conduct, owed.values())
    conversation, asked = recalling.conversation(), recalling.asked
    return TakenUp(conversation, rejoined, incoming, tuple(missed), owed, cut, again, taken.past, asked)


def _had(lines: Sequence[dict[str, Any]], last_seq: int) -> list[int]:
    """By line, the newest message that arrived before what it tells of could be made again, by us or an owner since."""
    had = list[int]()
    for line in reversed(lines):
        had.append(last_seq)
        last_seq = min(last_seq, line.get("had", last_seq))
    return had[::-1]


def _asides_cut(conduct: Conduct, owed: Iterable[ClientOrder | Told]) -> tuple[ClientOrder, ...]:
    """Ends of the replies beside the conversation that will be under way once what is owed is told."""
    written = {turn: response.text for turn, response in conduct.responses.items() if turn < 0}
    for order in owed:
        match order:
            case Show(AsideBegun(turn)):
                written[turn] = ""
            case Show(ReplyDelta(turn, text)) if turn in written:
                written[turn] += text
            case Show(Ended(turn) | Cut(turn)):
                written.pop(turn, None)
            case _:
                pass
    return tuple(Show(Cut(turn, 0, text)) for turn, text in written.items())


def _again(incoming: Incoming, message: str) -> None:
    try:
        incoming.of(message)
    except ClientError as error:  # it was taken before; this is ours
        log.warning("a message that was taken is refused now: %s", error)


def _order(out: Any) -> ClientOrder | Told:
    return (out[0], out[1]) if isinstance(out, list) else decode(blank(out))


def _ends(order: ClientOrder | Told, recalling: Recalling) -> bool:
    """Whether it ends the reply that is under way."""
    ended = order.message if isinstance(order, Show) else None
    return isinstance(ended, Ended) and recalling.replying and ended.turn == recalling.turn


def _missed(outgoing: Outgoing, order: ClientOrder | Told, seq: int, last_seq: int) -> list[str]:
    """Let an order be told once more as message ``seq`` and those that follow; what came after ``last_seq``."""
    outgoing.seq = seq - 1
    messages = [message for message in outgoing.of(order) if isinstance(message, str)]
    return messages[max(last_seq - seq + 1, 0) :]
