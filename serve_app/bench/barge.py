"""Who is let in while the face talks: people at once, coughs and "mhm" not, our own voice out of the loudspeaker never.

Real engines, a modelled room (``room.py``). Time is what was fed: a block of 20 ms of sound, then every answer that
follows from it, so recognition takes no time here and the milliseconds are those of the decisions alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from serve_app.bench.questions import SEED, SHORT
from serve_app.bench.room import ECHO_DB, HUMMED, OVER_DB, PLAYED, Loudspeaker, Room, cough, level, people, spoken
from serve_app.bench.table import Bar, Result
from serve_app.recording import Recorder
from serve_app.settings import Settings
from serve_app.talk import Echo
from streaming.commands import Ask, Audio, Cancel, Command, Hold, Resume, Show, Speak
from streaming.conversation import Conversation
from streaming.events import ClipEnded, Event, Heard, Joined, Left, Played, ReplyEnded, StageFailed, Tick, Typed
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES
from streaming.session import ClientOrder, Session, Stages
from streaming.stages import Said, TextDelta

BLOCK = MIC_RATE // 50
REPORTED = 12
"""Blocks between two reports of the playhead, as near as whole blocks come to 250 ms."""
CALM_S = 2.5
"""Heard after an interruption, for what follows from it."""
PATIENCE_S = 60.0
"""Longest wait for the answers to one block."""


@dataclass(frozen=True, slots=True)
class Case:
    """One reply and what speaks over it."""

    kind: str
    text: str
    seed: int
    over: np.ndarray | None = None
    """At 16 kHz, as loud as it is; it is brought to ``OVER_DB`` over the echo. None: nobody speaks."""
    echo: bool = True
    voiced: int | None = None
    """First voiced sample of ``over``, where it is known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; milliseconds of sound since the interruption began, or None."""

    kind: str
    held: float | None
    resumed: float | None
    cancelled: float | None


@dataclass(slots=True)
class _Client(Loudspeaker):
    """Plays as the page does, block by block, and writes down what it is told and when."""

    recorder: Recorder = field(default_factory=Recorder)
    now: int = 0
    """Blocks fed."""
    told: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    decided: bool = False
    busy: int = 0
    """Calls to language and voice that have not ended."""

    async def tell(self, order: ClientOrder) -> None:
        await self.recorder.show(order)
        match order:
            case Show(Audio(_, _, pcm)):
                self.sound += pcm
            case Hold() | Resume() | Cancel():
                self.held = isinstance(order, Hold)
                if not self.decided:  # leaving cancels what is left of the reply
                    self.told.append((type(order).__name__, self.now))
                if isinstance(order, Cancel):
                    del self.sound[self.played :]
            case _:
                pass

    def note(self, event: Event, commands: list[Command]) -> None:
        """The session's journal."""
        self.busy -= isinstance(event, ReplyEnded | ClipEnded) or (
            isinstance(event, StageFailed) and event.stage in ("llm", "tts")
        )
        self.busy += sum(isinstance(command, Ask | Speak) for command in commands)
        if any(isinstance(command, Cancel) for command in commands):
            self.busy = sum(isinstance(command, Ask | Speak) for command in commands)
        self.recorder.note(event, commands)

    def first(self, name: str, since: int) -> float | None:
        """Milliseconds from block ``since`` to the first order of this name."""
        return next(((at - since) * 20.0 for told, at in self.told if told == name and at >= since), None)


async def outcome_of(case: Case, stages: Stages, settings: Settings) -> Outcome:
    """Let the reply be spoken into the room, and see what the conversation does. Raises TimeoutError if it hangs."""
    dice = np.random.default_rng(case.seed)
    gain = 10 ** (ECHO_DB / 20)
    room = Room(int(dice.uniform(0.15, 0.3) * MIC_RATE), gain if case.echo else 0.0, dice)
    begins = int(dice.uniform(0.5, 4.0) * 50)
    over = np.zeros(0)
    if case.over is not None:
        own = level(await spoken(stages.voice, case.text, case.seed)) * gain
        over = case.over * own * 10 ** (OVER_DB / 20) / level(case.over)
    over = np.pad(over, (0, -len(over) % BLOCK))
    client = _Client()
    conversation = Conversation(f"barge {case.seed}", settings.reporting_pace(), codec=None)
    alone = replace(stages, responder=Echo(), face=None)
    session = Session(conversation, alone, client.tell, driving=settings.driving(), journal=client.note)
    running = asyncio.create_task(session.run(_no_clock()))
    await session.happen(Joined())
    await session.happen(Typed(case.text))
    since = begins + 25
    while not _over(conversation, client, case, since + len(over) // BLOCK):
        at = client.now - since
        block = over[at * BLOCK : (at + 1) * BLOCK] if at >= 0 else np.zeros(0)
        await _feed(session, client, room.hears(client.plays(), np.pad(block, (0, BLOCK - len(block)))))
    client.decided = True
    await session.happen(Left())
    await running
    whole = 0 if case.over is None else since
    told = [client.first(name, whole) for name in ("Hold", "Resume", "Cancel")]
    if conversation.turn > 1 and told[2] is None:  # it answered what it heard of itself: as bad as falling silent
        told[2] = (client.now - whole) * 20.0
    return Outcome(case.kind, *told)


async def _feed(session: Session, client: _Client, sound: bytes) -> None:
    """One block of sound and everything that follows from it."""
    client.now += 1
    if client.now % REPORTED == 0:
        await session.happen(Played(1, client.played // SAMPLE_BYTES))
    await session.happen(Tick(client.now * 20))
    await session.happen(Heard(sound, (client.now - 1) * BLOCK))
    heard = client.now * BLOCK
    async with asyncio.timeout(PATIENCE_S):
        await client.recorder.until(
            lambda: client.recorder.heard >= heard and not client.recorder.listening and client.busy <= 0
        )


def _over(conversation: Conversation, client: _Client, case: Case, ends: int) -> bool:
    """True once the case is decided: cancelled, or long enough after the interruption, or after the reply."""
    if any(name == "Cancel" for name, _ in client.told) or conversation.turn > 1:
        return True
    if case.over is not None and client.now >= ends + CALM_S * 50 and conversation.state != "held":
        return True
    played = client.played > 0 and client.played == len(client.sound) and conversation.state == "idle"
    return played and client.now >= ends and client.now * PLAYED * SAMPLE_BYTES > client.played + RATE * 4


async def _no_clock() -> AsyncIterator[int]:
    """Ticks come with the sound."""
    await asyncio.Event().wait()
    yield 0  # makes this a generator


async def cases(stages: Stages, folder: Path, count: int) -> list[Case]:
    """``count`` replies for each kind of interruption, the same in every run."""
    texts = await _replies(stages, count)
    voices = people(folder, count)
    who = "human" if voices else "synthetic"
    for k in range(len(voices), count):
        voices.append(await spoken(stages.voice, SHORT[k], SEED + k, 0.8 if k % 2 else 1.25))
    dice = np.random.default_rng(SEED)
    small = [
        cough(dice)
        if k % 2
        else await spoken(stages.voice, HUMMED[k // 2 % len(HUMMED)], SEED + k, dice.uniform(0.75, 0.9))
        for k in range(count)
    ]
    made = [Case("our own voice", text, SEED + k) for k, text in enumerate(texts)]
    made += [Case(f"{who} speech over it", texts[k], SEED + 100 + k, voices[k]) for k in range(count)]
    made += [Case('cough or "mhm" over it', texts[k], SEED + 200 + k, small[k]) for k in range(count)]
    made += [Case(f"{who} speech, no echo", texts[k], SEED + 300 + k, voices[k], echo=False) for k in range(count)]
    return made


async def _replies(stages: Stages, count: int) -> list[str]:
    """What the responder answers, two answers each so that there is time to interrupt."""
    answers: list[str] = []
    for question in SHORT:
        history = (Said("user", question, 1),)
        pieces = [piece async for piece in stages.responder.reply(history, "", ())]
        answers.append("".join(piece.text for piece in pieces if isinstance(piece, TextDelta)).strip())
    return [f"{answers[k]} {answers[(k + 7) % len(answers)]}" for k in range(count)]


async def barge(stages: Stages, settings: Settings, folder: Path, *, quick: bool = False) -> Result:
    """Count what is let in. ``folder`` holds recordings of people; without any the voice speaks at another pitch."""
    count = 4 if quick else 20
    kinds: dict[str, list[Outcome]] = {}
    for case in await cases(stages, folder, count):
        kinds.setdefault(case.kind, []).append(await outcome_of(case, stages, settings))
    own, over, small, _ = kinds.values()
    who = over[0].kind.split()[0]
    most = count * 9 // 10
    went_on = sum(o.cancelled is None and (o.held is None) == (o.resumed is None) for o in small)
    bars = (
        Bar("our own voice, replies cancelled", _cancelled(own), 0, f"of {count}"),
        Bar(f"{who} speech over it, replies cancelled", _cancelled(over), most, f"of {count}", least=True),
        Bar('cough or "mhm" over it, replies that went on', went_on, most, f"of {count}", least=True),
    )
    rows = tuple(_row(kind, outcomes) for kind, outcomes in kinds.items())
    notes = (
        f"echo {ECHO_DB:g} dB after 150-300 ms; whoever speaks over it is {OVER_DB:g} dB louder than that echo, and "
        "begins 1.0-4.5 s after the question; milliseconds are p50 (largest) of sound since then",
        "recognition takes no time here: what it takes comes on top of the milliseconds to cancel, not to hold",
    )
    header = ("over the reply", "replies", "held", "resumed", "cancelled", "to hold", "to cancel")
    return Result("barge", header, rows, bars, notes)


def _cancelled(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome.cancelled is not None for outcome in outcomes)


def _row(kind: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    counts = [sum(getattr(o, name) is not None for o in outcomes) for name in ("held", "resumed", "cancelled")]
    return kind, str(len(outcomes)), *map(str, counts), *(_median(outcomes, name) for name in ("held", "cancelled"))


def _median(outcomes: Sequence[Outcome], name: str) -> str:
    there = [value for o in outcomes if (value := getattr(o, name)) is not None]
    return f"{np.median(there):.0f} ({max(there):.0f}) ms" if there else "-"
