"""From file to file: `avatar talk` answers a spoken question, `avatar say` speaks a text; both write an MP4.

The same conversation and the same stages as in the service; only the client is a file. A question is fed at the
pace of speech unless ``fast``, so that the latencies of its report are those that a person would have met.
This file knows no engine: it is given the stages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from serve_app.errors import NoWords, UserError
from serve_app.planning import described
from serve_app.progress import Progress
from serve_app.recording import Recorder, Take, joined
from serve_app.wav import LIMIT_S
from streaming.commands import Command, State
from streaming.conversation import Conversation
from streaming.events import Event, Heard, Joined, Left, TalkPressed, TalkReleased, Typed
from streaming.journal import Journal
from streaming.media import FPS, MIC_RATE, SAMPLE_BYTES, samples
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking
from streaming.stages import Codec, History, TextDelta, Tool

BLOCK = MIC_RATE // 50
"""Microphone samples of one Heard: 20 ms, as a page sends them."""

TAIL = MIC_RATE * 3 // 2
"""Silence after a recording with live turns, in samples at 16 kHz: a person who waits for the answer."""

PATIENCE = 10 * MIC_RATE
"""Most silence fed while a turn does not end, in samples at 16 kHz."""

WANTS_SOUND: tuple[State, ...] = ("idle", "listening", "held")
"""States that only more sound can change."""

MOST_CHARACTERS = 5_000
"""Longest text for ``say``: about six minutes of speech, which is kept in memory until it is written."""

FIRST_S, NEXT_S = 60.0, 30.0
"""Longest waits for a stage, in seconds: a file can wait longer than a person, only a call that hangs is given up."""

SESSION = "file"
"""Every recording is one session; the name goes into the seeds, so that the same question gets the same film."""


@dataclass(frozen=True, slots=True)
class How:
    """How a conversation with a file is held, and who watches it."""

    pace: Pace = field(default_factory=Pace.file)
    driving: Driving = field(default_factory=lambda: Driving(first_s=FIRST_S, next_s=NEXT_S))
    sink: TextIO | None = None
    """Where the journal is written."""
    progress: Progress = field(default_factory=Progress)
    session: str = SESSION
    """Two conversations that are held at the same time need two names."""
    client: Callable[[ClientOrder], Awaitable[None]] | None = None
    """Shown everything as it comes; the conversation waits for it."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a question is asked."""

    fast: bool = False
    """Feed as quickly as it is heard, not at the pace of speech. Latencies then say little."""
    vad: bool = False
    """Find the turns by listening; else the whole recording is one turn, as with push-to-talk."""

    def limit_s(self, pace: Pace) -> float:
        """Longest recording in seconds: one turn has a limit of its own."""
        return LIMIT_S if self.vad else pace.utterance_most / MIC_RATE


# ---- asking ------------------------------------------------------------------------------------------------


async def ask(stages: Stages, pcm: bytes, manner: Manner, how: How | None = None) -> tuple[list[Take], dict[str, Any]]:
    """Ask the question in ``pcm`` (PCM16 mono at 16 kHz); return the replies and the report.

    Raises UserError with a stage's own sentence if one fails, or if there were no words in the sound.
    """
    how = how or How()
    if manner.fast:  # partial transcripts are for a person who watches
        how = replace(how, pace=replace(how.pace, partial_every=how.pace.utterance_most))
    recorder = Recorder()
    conversation = _conversation(stages, how, live=manner.vad)
    feed = _Feed(pcm, manner, conversation, recorder, how.progress)
    await _held(conversation, stages, recorder, feed.give, how, clocked=not manner.fast)
    takes = answered(recorder, "reply", "no words were understood; speak closer to the microphone")
    return takes, report(takes, feed.spoken_at, paced=not manner.fast)


class _Feed:
    """Gives a recording to a session, block by block, as a microphone would."""

    def __init__(
        self, pcm: bytes, manner: Manner, conversation: Conversation, recorder: Recorder, progress: Progress
    ) -> None:
        self._pcm = pcm + bytes(-len(pcm) % (BLOCK * SAMPLE_BYTES))
        self._manner = manner
        self._conversation = conversation
        self._recorder = recorder
        self._progress = progress
        self._begun = 0.0
        self._given: list[float] = []

    def spoken_at(self, sample: int) -> float:
        """When ``sample`` was spoken, in seconds of the monotonic clock."""
        if self._manner.fast:
            return self._given[min(max(sample - 1, 0) // BLOCK, len(self._given) - 1)]
        return self._begun + sample / MIC_RATE

    async def give(self, session: Session) -> None:
        """The whole recording, then what is needed to end the turn, then wait for the answer."""
        self._begun = time.monotonic()
        total = samples(self._pcm)
        if not self._manner.vad:
            await session.happen(TalkPressed(0))
        for at in range(0, total, BLOCK):
            await self._block(session, self._pcm[at * SAMPLE_BYTES : (at + BLOCK) * SAMPLE_BYTES])
            self._progress.show("listening", at, total, f"{at / MIC_RATE:.1f} of {total / MIC_RATE:.1f} s")
        if self._manner.vad:
            await self._silence(session)
        else:
            await session.happen(TalkReleased(total))
        await self._recorder.until(self._answered)

    def _answered(self) -> bool:
        self._show_answer()
        return self._conversation.state == "idle"

    def _show_answer(self) -> None:
        if self._recorder.takes:
            _show(self._progress, "answering", self._recorder.takes[-1])

    async def _block(self, session: Session, pcm: bytes) -> None:
        at = BLOCK * len(self._given)
        if not self._manner.fast:  # a block of sound is there when its last sample was spoken
            due = self._begun + (at + BLOCK) / MIC_RATE
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
        self._given.append(time.monotonic())
        await session.happen(Heard(pcm, at))
        if self._manner.fast:
            await self._recorder.until(lambda: self._caught_up(at + BLOCK))

    def _caught_up(self, heard: int) -> bool:
        """True once everything that follows from the sound so far has happened: as if no stage took time."""
        recorder = self._recorder
        return recorder.heard >= heard and not recorder.listening and self._conversation.state in WANTS_SOUND

    async def _silence(self, session: Session) -> None:
        given = 0
        while given < TAIL or (self._conversation.state in ("listening", "held") and given < PATIENCE):
            await self._block(session, bytes(BLOCK * SAMPLE_BYTES))
            given += BLOCK
            self._show_answer()


# ---- saying ------------------------------------------------------------------------------------------------


class Echo:
    """A responder that answers with the words it was given."""

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        yield TextDelta(history[-1].text)


def check_text(text: str) -> None:
    """Raise UserError if ``text`` is empty or too long to be said."""
    if not text.strip():
        raise UserError("there is nothing to say: the text is empty; write at least a word")
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"the text has {len(text):,} characters, {MOST_CHARACTERS:,} are the most at once; say it in parts"
        )


async def say(stages: Stages, text: str, how: How | None = None) -> list[Take]:
    """Speak ``text`` as it stands, without a language model. Raises UserError if it cannot be spoken."""
    check_text(text)
    how = how or How()
    recorder = Recorder()
    conversation = _conversation(stages, how, live=False)

    def spoken() -> bool:
        if recorder.takes:
            _show(how.progress, "speaking", recorder.takes[-1])
        return bool(recorder.takes) and conversation.state == "idle"

    async def give(session: Session) -> None:
        await session.happen(Typed(text))
        await recorder.until(spoken)

    await _held(conversation, replace(stages, responder=Echo()), recorder, give, how)
    return answered(recorder, "text", "nothing was said")


# ---- both --------------------------------------------------------------------------------------------------


def _codec(stages: Stages) -> Codec | None:
    return "h264" if stages.face else None


def _conversation(stages: Stages, how: How, *, live: bool) -> Conversation:
    return Conversation(how.session, how.pace, codec=_codec(stages), live=live, planner=stages.planner)


async def _held(
    conversation: Conversation,
    stages: Stages,
    recorder: Recorder,
    give: Callable[[Session], Awaitable[None]],
    how: How,
    *,
    clocked: bool = True,
) -> None:
    """Hold the conversation: drive it while ``give`` tells it what happens, and leave when that is done."""
    voice = {"voice": how.driving.voice, "language": how.driving.language, "hints": how.driving.hints}
    settings = {"conversation": conversation.settings(), "planner": described(stages.planner), **voice}
    written = Journal(how.sink, how.session, settings) if how.sink else None

    def note(event: Event, commands: list[Command]) -> None:
        recorder.note(event, commands)
        if written:
            written(event, commands)

    async def show(order: ClientOrder) -> None:
        await recorder.show(order)
        if how.client:
            await how.client(order)

    session = Session(conversation, stages, show, driving=how.driving, journal=note)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(session.run(ticking() if clocked else _no_clock()), name="session")
            await session.happen(Joined())
            await give(session)
            await session.happen(Left())
    except ExceptionGroup as errors:
        if len(errors.exceptions) == 1:
            raise errors.exceptions[0] from None
        raise


def _show(progress: Progress, label: str, take: Take) -> None:
    progress.show(label, note=f"{take.seconds:.1f} s of speech, {len(take.packets)} pictures")


async def _no_clock() -> AsyncIterator[int]:
    """No tick ever: time is what was heard."""
    await asyncio.Event().wait()
    yield 0  # pragma: no cover - makes this a generator


def answered(recorder: Recorder, what: str, nothing: str) -> list[Take]:
    """The replies. Raises UserError if a stage failed or ``what`` cannot be heard, NoWords if there is none."""
    if recorder.failures:
        raise UserError(recorder.failures[0])
    if not recorder.takes:
        raise NoWords(nothing)
    if not any(take.sound for take in recorder.takes):
        raise UserError(f"the {what} has no words that can be spoken; write words, in the language of the voice")
    return recorder.takes


def report(takes: Sequence[Take], spoken_at: Callable[[int], float], *, paced: bool) -> dict[str, Any]:
    """The content of REPORT.json. ``latency_ms`` is the first turn's, from its last voiced sample."""
    turns = [_turn(take, spoken_at(take.voiced_until)) for take in takes]
    film = joined(takes)
    return {
        "transcript": " ".join(take.question for take in takes),
        "reply": film.text,
        "frames": len(film.packets),
        "fps": FPS,
        "audio_seconds": round(sum(take.seconds for take in takes), 3),
        "latency_ms": turns[0]["latency_ms"],
        "paced": paced,
        "turns": turns,
    }


def _turn(take: Take, end_of_speech: float) -> dict[str, Any]:
    kinds = ("final_transcript", "first_text", "first_audio", "first_frame")
    latency = {kind: round((take.came[kind] - end_of_speech) * 1000) if kind in take.came else None for kind in kinds}
    return {
        "transcript": take.question,
        "reply": take.text.strip(),
        "frames": len(take.packets),
        "audio_seconds": round(take.seconds, 3),
        "cut": take.cut,
        "latency_ms": latency,
    }
