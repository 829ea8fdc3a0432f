"""The two sites of a hybrid service, and who talks to it: programs here and at the far end of a line, and one listener.

A far site is a network namespace: nothing there can be reached but over the line, and nothing here from there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from statistics import median
from typing import Any

from actors.tts.hibari import Hibari
from serve_app.bench.questions import SHORT, Question, ask_with
from serve_app.client import Avatar, connect
from serve_app.loading.caller import Manner, Pattern
from serve_app.loading.crowd import load
from serve_app.loading.tally import Tally
from serve_app.units import Cut, End, Notice, Picture, Sound, State, Trouble
from streaming.media import FRAME, MIC_RATE, SAMPLE_BYTES, frames_for, samples
from tests.system.faults.nodes import ROOT, family, kill

AVATAR = [sys.executable, "-c", "from serve_app.cli import main; raise SystemExit(main())"]
STAND_INS = ROOT / "serve_app" / "bench" / "stand_ins.toml"
READY_S = 180.0
PATIENCE_S = 120.0
"""Longest wait for the next word of a service: as long as clients try to come back."""
LATE_MOST = 0.05
"""Share of the pictures that may come late: the second span of a reply is asked for when the first one is here."""


@contextmanager
def program(
    command: Sequence[str], environment: Mapping[str, str], log: Path, said: str, tries: int = 1
) -> Iterator[None]:
    """A program for as long as the block lasts, whose log has ``said`` when it begins.

    ``tries``: Ray gives a node up that has not come up within 30 s, and on a busy machine the next one does.
    """
    for left in reversed(range(tries)):
        with log.open("wb") as out:
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=out, stderr=out, cwd=ROOT)
        try:
            if _said(process, log, said):
                yield
                return
        finally:
            stop(process)
        assert left, f"it ended by itself:\n{log.read_text(errors='replace')[-2000:]}"


def _said(process: subprocess.Popen[Any], log: Path, said: str) -> bool:
    """Wait for it; False if the program ends before."""
    begun = time.monotonic()
    while said not in (told := log.read_text(errors="replace")):
        if process.poll() is not None:
            return False
        assert time.monotonic() - begun < READY_S, f"no {said!r} within {READY_S:.0f} s:\n{told[-2000:]}"
        time.sleep(0.1)
    return True


def stop(process: subprocess.Popen[Any]) -> None:
    """As Ctrl-C does; then whatever of it is left."""
    if process.poll() is not None:
        return
    everybody = family(process.pid)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    kill(everybody[1:])


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


# ---- who listens -------------------------------------------------------------------------------------------


@dataclass
class Heard:
    """One reply as it came: each piece once, in order, with nothing between them. ``wrong`` says what was not so."""

    turn: int = 0
    sound: int = 0
    """Samples."""
    pictures: int = 0
    end: int | None = None
    over: bool = False
    less: list[str] = field(default_factory=list[str])
    """What it went on without, and why."""
    wrong: list[str] = field(default_factory=list[str])
    longest_s: float = 0.0
    """The longest time between two pieces."""
    _last: float = 0.0

    def take(self, unit: object) -> None:
        """The next thing that the client is told."""
        match unit:
            case Sound(turn, pts, pcm) if turn >= self.turn:
                if turn > self.turn:
                    self.turn, self.sound, self.pictures, self.end = turn, 0, 0, None
                self._came(pts, self.sound, "sound")
                self.sound += samples(pcm)
            case Picture(turn, pts) if turn == self.turn:
                self._came(pts, self.pictures * FRAME, "a picture")
                self.pictures += 1
            case End(turn, pts) if turn == self.turn:
                self.end = pts
            case State("idle", turn) if turn == self.turn and self.end is not None:
                self.over = True
            case Notice(_, rung, reason):
                self.less.append(f"{rung}: {reason}")
            case Trouble(error):
                self.wrong.append(error)
            case _:
                pass

    def _came(self, pts: int, wanted: int, what: str) -> None:
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self._last) if self._last else 0.0
        self._last = now
        if pts != wanted:
            self.wrong.append(f"{what} from {pts}, not from {wanted}")

    @property
    def whole(self) -> bool:
        """Everything of it came, once."""
        return (
            self.over
            and not (self.wrong or self.less)
            and 0 < self.sound == self.end
            and self.pictures == frames_for(self.sound)
        )


async def heard(avatar: Avatar, enough: int = sys.maxsize, reply: Heard | None = None) -> Heard:
    """Listen to a reply until it is over, or ``enough`` pictures came; what came of it, after what ``reply`` has."""
    reply = reply or Heard()
    while not reply.over and reply.pictures < enough:
        async with asyncio.timeout(PATIENCE_S):
            reply.take(await anext(avatar))
    return reply


@asynccontextmanager
async def talking(url: str, key: str | None = None) -> AsyncIterator[Avatar]:
    """A client of ours, whose first reply has been heard, so that everything is warm."""
    async with connect(url, api_key=key) as avatar:
        await avatar.say("Good morning.")
        reply = await heard(avatar)
        assert not reply.wrong, reply.wrong
        yield avatar


async def aloud(avatar: Avatar, question: Question, over: asyncio.Event) -> None:
    """Speak it at the pace of speech, then let the microphone hear a quiet room until it is over."""
    size = MIC_RATE // 50 * SAMPLE_BYTES
    blocks = chain(
        (question.pcm16k[at : at + size] for at in range(0, len(question.pcm16k), size)), repeat(bytes(size))
    )
    begun = time.monotonic()
    for k, block in enumerate(blocks):
        if over.is_set():
            return
        await asyncio.sleep(max(begun + k / 50 - time.monotonic(), 0.0))
        await avatar.hear(block)


@asynccontextmanager
async def asking(avatar: Avatar, question: Question) -> AsyncIterator[None]:
    """Somebody speaks it, and is then quiet for as long as the block lasts."""
    over = asyncio.Event()
    speaking = asyncio.create_task(aloud(avatar, question, over), name="a person")
    try:
        yield
    finally:
        over.set()
        await speaking


async def speaks_and_interrupts(avatar: Avatar) -> None:
    """A conversation: a question aloud, its answer cut by another question, whose answer is heard out."""
    first, second = await ask_with(Hibari(), SHORT[:2])
    async with asking(avatar, first):
        answer = await heard(avatar, enough=25)
    async with asking(avatar, second):
        async with asyncio.timeout(PATIENCE_S):
            cut = await anext(unit async for unit in avatar if isinstance(unit, Cut))
        assert cut.turn == answer.turn
        reply = await heard(avatar)
    assert reply.over and reply.turn > cut.turn and not reply.wrong, reply


async def spoken(url: str, pattern: Pattern, seconds: float, key: str | None = None) -> Tally:
    """What one person meets who asks aloud and hears out, or interrupts."""
    questions = await ask_with(Hibari(), SHORT[:3])
    return await load(url, key, questions, Manner(1, seconds, pattern=pattern, barge_s=(1.0, 1.5)))


def row(where: str, line_s: float, talked: Tally, barged: Tally) -> str:
    """A row of the table in docs/operations.md: medians in milliseconds, and late pictures."""
    waits = (talked.audio_s, talked.frame_s, barged.silence_s)
    shown = " | ".join(f"{median(wait) * 1000:.0f}" for wait in waits)
    return f"| {where} | {line_s * 1000:.0f} | {shown} | {talked.late} of {talked.pictures} |"
