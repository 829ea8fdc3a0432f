"""A conversation changes hands twice: what a client did not get of the first owner it gets of the third, once."""

from __future__ import annotations

import json
from typing import Any, cast

from serve_app.gateway.conduct import Conduct
from serve_app.gateway.ladder import Told
from serve_app.gateway.reading import Hello, Incoming
from serve_app.gateway.resuming import Log, Taken, take_up
from serve_app.gateway.wire import Outgoing
from serve_app.keeper import Keeper
from serve_app.persona import Cast, Persona
from serve_app.store import Stored, Summary
from streaming.conversation import Conversation
from streaming.events import (
    Agreed,
    ClipEnded,
    Event,
    Joined,
    ReplyEnded,
    ReplyText,
    SpeechReady,
    Tick,
)
from streaming.media import unpack
from streaming.pace import Pace
from streaming.session import ClientOrder
from streaming.stages import Phone, Word
from tests.serve_app.gateway.notes import Lines
from tests.stubs import AVATAR

SOUND = b"\1\0" * 2400
APART = {"conversation": "none", "output_modalities": ["text"]}


class Owner:
    """A gateway without its socket: what it notes of a session, and what it sends of it."""

    def __init__(self, notes: list[str], *, last_seq: int | None = None, audio: int = 0) -> None:
        """``last_seq`` None begins the session; else it is taken up from there, with so much sound of reply 1."""
        self.conduct = Conduct("s1", AVATAR, Pace(), own=True, cast=Cast(Persona()))
        self.outgoing = Outgoing(self.conduct, clock_ms=lambda: 0)
        self.sent: list[dict[str, Any]] = []
        keeper = cast(Keeper, Lines(notes))
        settings = Conversation("s1", codec=None).settings()
        self.up = None
        if last_seq is None:
            self.conversation, self.incoming, self.log = (
                Conversation("s1", codec=None),
                Incoming(self.conduct),
                Log(keeper),
            )
            self.happens(Joined())
            return
        stored = Stored(Summary("s1", 0, 0, None, 0), {"conversation": settings}, "gateway 1", 1, 0, ())
        hello = Hello("s1", "token", last_seq, 1, audio, 0)
        taken = Taken(stored, 2, tuple(map(json.loads, notes)))
        up = self.up = take_up(taken, hello, self.conduct, self.outgoing)
        self.conversation, self.incoming, self.log = up.conversation, up.incoming, Log(keeper, up.past)
        self._send(list(up.missed))
        for order in self.log.taken_up(last_seq, up):
            self.tells(order)
        self.happens(up.rejoined)

    def hears(self, kind: str, **fields: Any) -> None:
        message = json.dumps({"type": kind, **fields})
        for answer in self.incoming.of(message):
            if isinstance(answer, tuple):
                self.tells(answer)
            else:
                assert not isinstance(answer, Hello)
                self.log.said(message, answer)
                self.happens(answer)

    def happens(self, *events: Event) -> None:
        for event in events:
            commands = self.conversation.on(event)
            self.log.happened(event, commands)
            for command in commands:
                if isinstance(command, ClientOrder):
                    self.tells(command)

    def tells(self, order: ClientOrder | Told) -> None:
        if isinstance(order, tuple):
            self.log.answered(order)
        seq = self.outgoing.seq + 1
        messages = self.outgoing.of(order)
        self.log.sent(order, seq)
        self._send(messages)

    def _send(self, messages: list[str] | list[str | bytes]) -> None:
        for one in messages:
            if isinstance(one, bytes):
                unit = unpack(one)
                self.sent.append({"type": unit.kind.name, "seq": unit.seq, "end": unit.pts + len(unit.payload) // 2})
            else:
                event = json.loads(one)
                self.sent.append({"seq": int(event["event_id"].removeprefix("evt_")), **event})

    def kinds(self, *, after: int = 0) -> list[str]:
        return [told["type"] for told in self.sent if told["seq"] > after]

    def seq_of(self, kind: str) -> int:
        return next(told["seq"] for told in self.sent if told["type"] == kind)

    def speaks(self) -> None:
        """The reply's one clip."""
        piece = SpeechReady(1, 0, SOUND, (Phone("a", 0, 2400),), (Word("Hi", 0, 2400),))
        self.happens(Tick(20), piece, ClipEnded(1, 0), Tick(40))


def asked() -> tuple[list[str], Owner]:
    """A question, and an answer that was sent to its end."""
    notes: list[str] = []
    first = Owner(notes)
    first.happens(Agreed(pace=Pace()))
    first.hears("avatar.say", text="hello")
    first.happens(ReplyText(1, "Hi."), ReplyEnded(1))
    first.speaks()
    return notes, first


def chats(owner: Owner, count: int = 40) -> int:
    """So many signs of life; the number of the last."""
    for _ in range(count):
        owner.hears("avatar.ping")
    return owner.sent[-1]["seq"]


def test_an_end_that_never_arrived_is_told_by_the_third_owner() -> None:
    """The second one counts on from before it, and may be past its number when it goes."""
    notes, first = asked()
    heard = first.seq_of("AUDIO")
    assert "avatar.end" in first.kinds(after=heard), "it was sent, and did not arrive"
    second = Owner(notes, last_seq=heard, audio=2400)
    assert "avatar.end" not in second.kinds(), "the sound before it may have to be made again"
    had = chats(second)
    assert had > first.sent[-1]["seq"]
    third = Owner(notes, last_seq=had, audio=2400)
    assert third.up is not None and not third.up.rejoined.ended and third.up.missed == ()
    third.speaks()
    told = third.kinds()
    assert [told.count(kind) for kind in ("avatar.end", "response.done", "response.output_item.done")] == [1, 1, 1]


def test_an_end_that_was_told_again_is_not_told_a_third_time() -> None:
    notes, first = asked()
    second = Owner(notes, last_seq=first.seq_of("AUDIO"), audio=2400)
    second.speaks()
    assert second.kinds().count("avatar.end") == 1
    second.hears("avatar.playhead", turn=1, pts=2400)
    third = Owner(notes, last_seq=second.sent[-1]["seq"], audio=2400)
    third.speaks()
    assert set(third.kinds()) <= {"avatar.state"}
    response = third.conduct.responses[1]
    assert (response.over, len(response.output)) == (True, 1)


def test_words_that_never_arrived_are_told_by_the_third_owner() -> None:
    notes, first = asked()
    before = first.seq_of("avatar.words") - 1
    second = Owner(notes, last_seq=before)
    had = chats(second)
    third = Owner(notes, last_seq=had)
    third.speaks()
    assert third.kinds().count("avatar.words") == 1


def test_an_aside_ends_with_its_gateway_and_the_next_is_told_as_its_own() -> None:
    notes: list[str] = []
    first = Owner(notes)
    first.hears("response.create", response={**APART, "metadata": {"n": "old"}})
    first.happens(ReplyText(-1, "Half a "))
    second = Owner(notes, last_seq=first.sent[-1]["seq"])
    (done,) = [told["response"] for told in second.sent if told["type"] == "response.done"]
    assert (done["status"], done["metadata"]) == ("cancelled", {"n": "old"})
    assert done["output"][0]["content"][0]["text"] == "Half a "
    assert second.conduct.aside == 0, "its place is free"
    second.hears("response.create", response={**APART, "metadata": {"n": "new"}})
    (begun,) = [told["response"] for told in second.sent if told["type"] == "response.created"]
    assert begun["metadata"] == {"n": "new"}
    third = Owner(notes, last_seq=second.sent[-1]["seq"])
    (done,) = [told["response"] for told in third.sent if told["type"] == "response.done"]
    assert done["metadata"] == {"n": "new"}
    assert (third.conduct.aside, third.conduct.responses) == (0, {})


def test_an_aside_that_was_cut_by_an_owner_who_could_not_say_so_is_cut_once() -> None:
    notes: list[str] = []
    first = Owner(notes)
    first.hears("response.create", response={**APART, "metadata": {"n": "old"}})
    had = first.sent[-1]["seq"]
    taken = len(notes)
    Owner(notes, last_seq=had)
    del notes[taken + 1 :]  # it died after its first note
    third = Owner(notes, last_seq=had)
    assert third.kinds().count("response.done") == 1
