"""Who takes a long conversation up from its newest checkpoint has the same as who does all of it again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from serve_app.gateway import checkpoints
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.reading import Hello, Incoming
from serve_app.gateway.resuming import Log, Past, Taken, TakenUp, take_up
from serve_app.gateway.wire import Outgoing
from serve_app.keeper import Keeper
from serve_app.persona import Cast, Persona
from serve_app.store import Stored, Summary
from streaming.commands import Animate, Ask, Command, Speak
from streaming.conversation import Conversation
from streaming.events import Event, Joined, Played, Rejoined, ReplyEnded, ReplyText
from streaming.media import FRAME
from streaming.pace import Pace
from streaming.recalling import checkpoint
from streaming.session import ClientOrder, Session
from tests.serve_app.gateway.notes import Lines
from tests.streaming.stories import drawn, spoken
from tests.stubs import AVATAR

TURNS = 12
DUE = checkpoints.due
LOUD = {"type": "session.update", "session": {"instructions": "Be loud."}}
NOTE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "By the way."}]}
THERE = 10**9
"""More sound and pictures than any reply has: the client has all of it."""


class Talk:
    """A client that writes ``TURNS`` questions and hears every answer out, at a gateway without its socket."""

    def __init__(self) -> None:
        self.conduct = Conduct("s1", AVATAR, Pace(), own=True, cast=Cast(Persona()))
        self.outgoing = Outgoing(self.conduct, clock_ms=lambda: 0)
        self.conversation = Conversation("s1")
        self.incoming, self.keeper = Incoming(self.conduct), Lines()
        resting = partial(checkpoints.line, lambda: cast(Session, self), self.conduct, self.outgoing)
        self.log = Log(cast(Keeper, self.keeper), Past(), resting)
        self._work: list[Event] = [Joined()]
        self._calm()
        for turn in range(1, TURNS + 1):
            self._says(turn, {"type": "avatar.say", "text": f"Question {turn}?"})
            self._calm()
            if turn % 4 == 0:
                self._says(100 + turn, {"type": "conversation.item.create", "item": dict(NOTE)})
                self._says(200 + turn, LOUD)

    def checkpoint(self) -> dict[str, Any] | None:
        """As ``Session`` has it: everything here is settled whenever an order is sent."""
        return checkpoint(self.conversation)

    def _says(self, number: int, message: dict[str, Any]) -> None:
        text = json.dumps({"event_id": f"said_{number}", **message})
        answers = self.incoming.of(text)
        events = [answer for answer in answers if not isinstance(answer, tuple | Hello)]
        if not events:
            events = [self.conduct.wishes.agreed(Pace(), answers=True, judged=False)]
        self.log.said(text, events[-1])
        for told in (answer for answer in answers if isinstance(answer, tuple)):
            self.log.answered(told)
            self._tells(told)
        self._work += events
        self._calm()

    def _calm(self) -> None:
        pts = 0
        while self._work or self.conversation.state != "idle":
            if not self._work:
                pts += 6000
                self._work.append(Played(self.conversation.turn, pts))
            event = self._work.pop(0)
            commands = self.conversation.on(event)
            self.log.happened(event, commands)
            for command in commands:
                self._work += answer(command)
                if isinstance(command, ClientOrder):
                    self._tells(command)

    def _tells(self, order: Any) -> None:
        seq = self.outgoing.seq + 1
        self.outgoing.of(order)
        self.log.sent(order, seq)


def answer(command: Command) -> Iterator[Event]:
    match command:
        case Ask(turn):
            yield from (ReplyText(turn, f"Answer {turn}. "), ReplyText(turn, "That is all."), ReplyEnded(turn))
        case Speak():
            yield from spoken(command, 12_000)
        case Animate():
            yield from drawn(command)
        case _:
            pass


Up = tuple[TakenUp, Conduct, Outgoing]


def taken_up(talk: Talk, notes: list[str], hello: Hello) -> Up:
    conduct = Conduct("s1", AVATAR, Pace(), own=True, cast=Cast(Persona()))
    outgoing = Outgoing(conduct, clock_ms=lambda: 0)
    stored = Stored(
        Summary("s1", 0, 0, None, 0), {"conversation": Conversation("s1").settings()}, "gateway 1", 1, 0, ()
    )
    begin = checkpoints.newest(notes, hello.last_seq)
    taken = Taken(stored, 2, tuple(json.loads(line) for line in notes[begin:]))
    return take_up(taken, hello, conduct, outgoing), conduct, outgoing


def alike(up: Up) -> dict[str, Any]:
    """All that whoever goes on can tell."""
    taken, conduct, outgoing = up
    return {
        "history": taken.conversation.history,
        "turn": taken.conversation.turn,
        "settings": taken.conversation.settings(),
        "commands": [str(order) for order in taken.conversation.on(taken.rejoined)],
        "then": [str(order) for order in taken.conversation.on(Rejoined(0))],
        "missed": taken.missed,
        "owed": [(number, str(order)) for number, order in taken.owed.items()],
        "past": (taken.past.next, taken.past.received, taken.past.chosen),
        "asked": taken.asked,
        "session": conduct.described(),
        "items": conduct.items.kept(),
        "newest": {turn: (one.shown("completed"), one.samples, one.over) for turn, one in conduct.responses.items()},
        "beside": (conduct.added, conduct.stopped, conduct.spoke_from, conduct.spoke_until, conduct.waiting),
        "seq": outgoing.seq,
    }


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    """One with a checkpoint after each reply."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "EVERY", 1)
        patch.setattr(checkpoints, "due", lambda line: 1)
        yield Talk()


def marked(line: str) -> bool:
    return line.startswith('{"checkpoint"')


def test_a_checkpoint_follows_each_reply_and_each_lull(talk: Talk) -> None:
    assert sum(map(marked, talk.keeper.notes)) >= TURNS


def test_there_is_none_for_who_chooses_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "CHOSEN_MOST", len(json.dumps(LOUD)))
    marks = [json.loads(line) for line in Talk().keeper.notes if marked(line)]
    assert marks and all(len(line["chosen"]) <= 1 for line in marks)


@pytest.mark.parametrize("unheard", [0, 1, 3, 40])
@pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 0.73, 0.9, 1.0])
def test_it_begins_there_and_has_the_same(talk: Talk, share: float, unheard: int) -> None:
    """Whenever the gateway dies, and however much of what it sent last did not arrive."""
    notes = talk.keeper.notes[: round(len(talk.keeper.notes) * share)]
    told = [seq for line in notes if not marked(line) and (seq := json.loads(line).get("seq"))]
    hello = Hello("s1", "token", max(told[-1] - unheard, 0), 0, THERE, THERE // FRAME * FRAME)
    whole = [line for line in notes if not marked(line)]
    begun = checkpoints.newest(notes, hello.last_seq)
    assert begun > 0 or share == 0.1
    assert alike(taken_up(talk, notes, hello)) == alike(taken_up(talk, whole, hello))


def test_together_they_are_no_longer_than_all_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 1)
    monkeypatch.setattr(checkpoints, "due", DUE)
    notes = Talk().keeper.notes
    *lengths, _ = [len(line) for line in notes if marked(line)]
    assert 0 < sum(lengths) <= sum(len(line) for line in notes if not marked(line))


def test_what_a_client_lacks_is_told_from_an_older_one(talk: Talk) -> None:
    notes = talk.keeper.notes
    marks = [at for at, line in enumerate(notes) if marked(line)]
    seqs = [json.loads(notes[at])["seq"] for at in marks]
    assert checkpoints.newest(notes, seqs[-1]) == marks[-1]
    assert checkpoints.newest(notes, seqs[-1] - 1) == marks[-2]
    assert checkpoints.newest(notes, 0) == 0


def test_whoever_takes_up_notes_what_was_chosen_long_ago(talk: Talk) -> None:
    up, _, _ = taken_up(talk, talk.keeper.notes, Hello("s1", "token", 10**6, 0, THERE, THERE))
    assert [json.loads(message)["type"] for message in up.past.chosen] == ["session.update"] * 3


@pytest.mark.parametrize(
    "busy", [lambda conduct: conduct.asides.append(None), lambda conduct: setattr(conduct, "waiting", 1)]
)
def test_nothing_is_written_while_something_is_asked_for(busy: Callable[[Conduct], None]) -> None:
    conduct = Conduct("s1", AVATAR, Pace(), own=True, cast=Cast(Persona()))
    outgoing = Outgoing(conduct, clock_ms=lambda: 0)

    class Resting:
        def checkpoint(self) -> dict[str, Any]:
            return {"turn": 0}

    session = cast(Session, Resting())
    assert checkpoints.line(lambda: session, conduct, outgoing, {})
    assert checkpoints.line(lambda: None, conduct, outgoing, {}) is None
    busy(conduct)
    assert checkpoints.line(lambda: session, conduct, outgoing, {}) is None


def test_text_that_looks_like_a_number_is_none(talk: Talk) -> None:
    line = checkpoints.line(lambda: cast(Session, talk), talk.conduct, talk.outgoing, {"received": '"seq":7}'})
    assert line and checkpoints.newest(["{}", line], talk.outgoing.seq) == 1
    assert checkpoints.newest(["{}", line], talk.outgoing.seq - 1) == 0
