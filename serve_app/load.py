"""`avatar load`: many people at once talk to a running service, and how long each waited is told.

Every session speaks questions at the pace of speech through the SDK, hears the answer out, and asks the next one. It
ends by itself. Questions are spoken by the built-in voice, so that their last voiced sample is known. What a session
is told when something fails is counted by its sentence. This file measures one service from outside and starts none.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from urllib.parse import urlsplit

from serve_app.bench.questions import LONG, SHORT, Question, ask_with
from serve_app.bench.table import spread
from serve_app.client import Avatar, AvatarError, connect
from serve_app.credential import key_of
from serve_app.errors import UserError
from serve_app.units import Caption, Picture, Sound, State, Told, Trouble
from streaming.media import MIC_RATE, SAMPLE_BYTES

MOST_SESSIONS = 1000
MOST_SECONDS = 3600.0
ASKED = (*SHORT[:6], *LONG[:2])
"""Questions that take turns: mostly short ones."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the sessions speak."""

    sessions: int
    seconds: float
    """How long new questions are asked; an answer under way is heard out."""
    block_s: float = 0.02
    """Seconds of sound in one message, as a page sends it."""
    speed: float = 1.0
    """1 is the pace of speech; infinity waits for nothing."""
    apart_s: float = 0.25
    """Between the first words of two sessions."""
    patience_s: float = 20.0
    """Longest wait for an answer to begin, and to end after its last news."""


@dataclass(slots=True)
class Tally:
    """What all sessions saw."""

    audio_s: list[float] = field(default_factory=list[float])
    """From the last voiced sample of a question to the first sound of its answer."""
    frame_s: list[float] = field(default_factory=list[float])
    """The same to its first picture."""
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])

    def text(self) -> str:
        """A table of the waits, then the failures by reason, as Markdown."""
        lines = ["| ms after the last voiced sample | answers | p50 | p95 | max |", "|---|---|---|---|---|"]
        for name, waits in (("first audio", self.audio_s), ("first frame", self.frame_s)):
            shown = spread([wait * 1000 for wait in waits]) if waits else ("-", "-", "-")
            lines.append(f"| {name} | {len(waits)} | {' | '.join(shown)} |")
        lines += ["", f"{self.answered} answers were heard to the end, {self.failures.total()} failures"]
        return "\n".join(lines + [f"- {count} x {reason}" for reason, count in self.failures.most_common()])


class Caller:
    """One session: a microphone that never stops, and ears."""

    def __init__(self, avatar: Avatar, manner: Manner, tally: Tally) -> None:
        self._avatar = avatar
        self._manner = manner
        self._tally = tally
        self._block = round(manner.block_s * MIC_RATE) * SAMPLE_BYTES
        self._begun = time.monotonic()
        self._sent = 0
        self._news = self._begun
        self._ended = math.inf
        """When the last voiced sample of the question was spoken."""
        self._audio: float | None = None
        self._frame: float | None = None
        self._over = False
        self._silent = False
        """True if no sound can be waited for: something failed."""

    async def hold(self, questions: Sequence[Question], until: float) -> None:
        """Ask questions until then, but one at least. Raises AvatarError if the conversation breaks."""
        reading = asyncio.create_task(self._read(), name="answers")
        try:
            for question in cycle(questions):
                await self._turn(question, reading)
                if time.monotonic() >= until or reading.done():
                    break
        finally:
            reading.cancel()
            gone = (await asyncio.gather(reading, return_exceptions=True))[0]
        if isinstance(gone, AvatarError):
            raise gone

    async def _turn(self, question: Question, reading: asyncio.Task[None]) -> None:
        self._over = self._silent = False
        self._audio = self._frame = None
        self._ended = math.inf
        size = self._block
        blocks = [question.pcm16k[at : at + size].ljust(size, b"\0") for at in range(0, len(question.pcm16k), size)]
        for number, block in enumerate(blocks):
            await self._give(block)
            if self._ended == math.inf and (number + 1) * size >= question.voiced_until * SAMPLE_BYTES:
                self._ended = self._news = time.monotonic()
        while not (self._over or reading.done()):
            if time.monotonic() - self._news > self._manner.patience_s:
                late = "went on" if self._audio else "began"
                self._tally.failures[f"no answer {late} within {self._manner.patience_s:g} s"] += 1
                break
            await self._give(bytes(size))
        self._count()

    def _count(self) -> None:
        self._tally.answered += self._over and self._audio is not None
        for came, waits in ((self._audio, self._tally.audio_s), (self._frame, self._tally.frame_s)):
            if came is not None and self._ended < math.inf:
                waits.append(came - self._ended)

    async def _give(self, block: bytes) -> None:
        self._sent += 1
        due = self._begun + self._sent * self._manner.block_s / self._manner.speed
        await asyncio.sleep(max(due - time.monotonic(), 0.0))
        await self._avatar.hear(block)

    async def _read(self) -> None:
        async for unit in self._avatar:
            self._took(unit)

    def _took(self, unit: Told) -> None:
        now = self._news = time.monotonic()
        match unit:
            case Caption(final=True):  # a breath in mid-question began an answer that nobody waited for
                self._audio = self._frame = None
            case Sound() if self._audio is None:
                self._audio = now
            case Picture() if self._frame is None:
                self._frame = now
            case State("idle") if (self._silent or self._audio is not None) and self._ended < math.inf:
                self._over = True
            case Trouble(error):  # of a reply without sound or pictures too
                self._silent = True
                self._tally.failures[error] += 1
            case _:
                pass


async def load(url: str, key: str | None, questions: Sequence[Question], manner: Manner) -> Tally:
    """Let the sessions talk; what they saw. It takes ``seconds`` and the last answers, never longer than patience."""
    tally = Tally()
    until = time.monotonic() + manner.seconds

    async def one(number: int) -> None:
        await asyncio.sleep(number * manner.apart_s)
        asked = [*islice(cycle(questions), number, number + len(questions))]
        try:
            async with connect(url, api_key=key) as avatar:
                await Caller(avatar, manner, tally).hold(asked, until)
        except AvatarError as error:
            tally.failures[str(error)] += 1

    calls = [asyncio.create_task(one(number), name=f"session {number}") for number in range(manner.sessions)]
    _, late = await asyncio.wait(calls, timeout=manner.seconds + 3 * manner.patience_s)
    for call in late:
        call.cancel()
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, asyncio.CancelledError):
            tally.failures["the session did not end by itself"] += 1
        elif isinstance(outcome, BaseException):
            raise outcome
    return tally


# ---- the command -------------------------------------------------------------------------------------------


def main(chosen: argparse.Namespace) -> int:
    """Print what was measured; 0 if everybody was answered. Raises UserError for a load that must not be."""
    manner = checked(chosen)
    key = key_of(chosen)
    tally = asyncio.run(_spoken(chosen.url, key, manner))
    print(tally.text(), flush=True)
    return 0 if tally.answered and not tally.failures else 1


def checked(chosen: argparse.Namespace) -> Manner:
    """How the sessions shall speak. Raises UserError for too many, or a service that is somebody else's."""
    if not 1 <= chosen.sessions <= MOST_SESSIONS:
        raise UserError(f"--sessions may be 1 to {MOST_SESSIONS}, not {chosen.sessions}")
    if not 1 <= chosen.seconds <= MOST_SECONDS:
        raise UserError(f"--seconds may be 1 to {MOST_SECONDS:g}, not {chosen.seconds:g}")
    manner = Manner(chosen.sessions, chosen.seconds)
    if manner.apart_s * manner.sessions > manner.seconds:
        need = manner.apart_s * manner.sessions
        raise UserError(f"{manner.sessions} sessions need {need:g} s to begin one by one; give --seconds {need:g}")
    if not (here(chosen.url) or chosen.yes):
        raise UserError(f"{chosen.url} is not on this machine; add --yes if you may put that service under load")
    return manner


def here(url: str) -> bool:
    """True if the address is this machine's own."""
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _spoken(url: str, key: str | None, manner: Manner) -> Tally:
    from actors.tts.hibari import Hibari

    return await load(url, key, await ask_with(Hibari(), ASKED), manner)
