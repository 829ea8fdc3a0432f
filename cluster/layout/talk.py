"""Somebody who speaks with the service all the time, through our SDK, and notices everything that is missing.

Sound and pictures must come without a gap and without a repeat, across every connection that is cut; every question
gets one answer. This file breaks nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from serve_app.bench.questions import Question
from serve_app.client import Avatar, AvatarError, connect
from serve_app.cuts import Mended
from serve_app.units import Caption, End, Kept, Notice, Picture, Sound, State, Told, Trouble
from streaming.media import FRAME, MIC_RATE, SAMPLE_BYTES, frames_for, samples

BLOCK = MIC_RATE // 10 * SAMPLE_BYTES
"""Bytes of 100 ms of microphone sound."""
PATIENCE_S = 150.0
"""Longest wait for the next word of the service before it counts as silent for ever."""
REST_S = 1.0
"""Between an answer and the next question, as people do."""


@dataclass
class Reply:
    """An answer, as it was heard and seen."""

    asked: float
    """When the question was over."""
    sounded: int = 0
    seen: int = 0
    """Samples at 24 kHz up to which sound and pictures came."""
    end: int | None = None
    media: list[float] = field(default_factory=list[float])
    """When each piece came."""
    less: list[Notice | Trouble | Kept] = field(default_factory=list[Notice | Trouble | Kept])
    """What was left out, as we were told."""


@dataclass
class Person:
    """Make one, ``talk``, and look at what it noticed."""

    replies: list[Reply] = field(default_factory=list[Reply])
    heard: list[str] = field(default_factory=list[str])
    """What the service understood, a line for each question."""
    wrong: list[str] = field(default_factory=list[str])
    again: int = 0
    """Questions that were asked once more, because the connection was cut while they were spoken."""
    resumed: list[Mended] = field(default_factory=list[Mended])
    """Every cut connection that was followed by another one."""
    session: str = ""
    left: bool = False

    async def talk(self, url: str, key: str, questions: Sequence[Question], over: asyncio.Event) -> None:
        """Ask, hear the answer out, rest; until it is over. Whatever is wrong is written down."""
        try:
            async with connect(url, api_key=key) as avatar:
                self.session = avatar.session["id"]
                self.resumed = avatar.mended
                told: asyncio.Queue[Told | Exception] = asyncio.Queue()
                reading = asyncio.create_task(_read(avatar, told))
                try:
                    for question in itertools.cycle(questions):
                        await self._turn(avatar, told, question.pcm16k)
                        if over.is_set():
                            return
                finally:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
        except AvatarError as error:
            self.wrong.append(f"lost its conversation: {error}")
        except TimeoutError:
            self.wrong.append(f"heard nothing for {PATIENCE_S:.0f} s after question {len(self.heard)}")
        finally:
            self.left = True

    # ---- a turn --------------------------------------------------------------------------------------------

    async def _turn(self, avatar: Avatar, told: asyncio.Queue[Told | Exception], pcm16k: bytes) -> None:
        while True:
            cuts = len(self.resumed)
            await self._ask(avatar, pcm16k)
            if cuts == len(self.resumed) and await self._hear_out(told, cuts):
                break
            self.again += 1
        await asyncio.sleep(REST_S)

    async def _ask(self, avatar: Avatar, pcm16k: bytes) -> None:
        """Press, speak at the pace of speech, release; a connection that is just cut takes no words."""
        try:
            await avatar.press()
            begun = time.monotonic()
            for number, at in enumerate(range(0, len(pcm16k), BLOCK), 1):
                await avatar.hear(pcm16k[at : at + BLOCK])
                await asyncio.sleep(max(begun + number / 10 - time.monotonic(), 0))
            await avatar.release()
        except AvatarError:
            cuts = len(self.resumed)
            async with asyncio.timeout(PATIENCE_S):
                while len(self.resumed) == cuts:  # noqa: ASYNC110  # the SDK writes it down, and wakes nobody
                    await asyncio.sleep(0.05)

    async def _hear_out(self, told: asyncio.Queue[Told | Exception], cuts: int) -> bool:
        """False if a cut swallowed the question: nothing was understood, and nothing is said."""
        reply = Reply(time.monotonic())
        while True:
            async with asyncio.timeout(PATIENCE_S):
                unit = await told.get()
            if isinstance(unit, Exception):
                raise unit
            self.take(reply, unit)
            if isinstance(unit, State) and unit.state == "idle":
                if reply.end is not None:
                    self.check(reply)
                    return True
                if len(self.resumed) > cuts and not reply.media:
                    return False

    def take(self, reply: Reply, unit: Told) -> None:
        """The service said this; what does not follow on what was there is wrong."""
        number = len(self.replies) + 1
        match unit:
            case Caption(text, True):
                self.heard.append(text)
            case Sound(_, pts, pcm):
                if pts != reply.sounded:
                    self.wrong.append(f"answer {number}: sound from {pts}, not from {reply.sounded}")
                reply.sounded = pts + samples(pcm)
                reply.media.append(time.monotonic())
            case Picture(_, pts):
                if pts != reply.seen:
                    self.wrong.append(f"answer {number}: picture {pts}, not {reply.seen}")
                reply.seen = pts + FRAME
                reply.media.append(time.monotonic())
            case End(_, pts):
                reply.end = pts
            case Notice() | Trouble():
                reply.less.append(unit)
            case Kept(_, pts):
                reply.less.append(unit)
                reply.seen = max(reply.seen, pts)
            case _:
                pass

    def check(self, reply: Reply) -> None:
        """The answer is over: all of it must be there."""
        self.replies.append(reply)
        number = len(self.replies)
        if not reply.sounded or reply.end != reply.sounded:
            self.wrong.append(f"answer {number}: {reply.sounded} samples of {reply.end}")
        if not reply.less and reply.seen != frames_for(reply.sounded) * FRAME:
            self.wrong.append(f"answer {number}: {reply.seen // FRAME} pictures of {frames_for(reply.sounded)}")
        if reply.less:
            self.wrong.append(f"answer {number} went on with less: {reply.less}")

    # ---- what it was like ----------------------------------------------------------------------------------

    def pause(self, since: float, until: float) -> float:
        """The longest time in there without sound and pictures while some were waited for."""
        longest = 0.0
        for reply in self.replies:
            for before, after in pairwise([reply.asked, *reply.media]):
                if after > since and before < until:
                    longest = max(longest, after - max(before, since))
        return longest


async def _read(avatar: Avatar, told: asyncio.Queue[Told | Exception]) -> None:
    """Everything the service says, as it comes."""
    try:
        async for unit in avatar:
            told.put_nowait(unit)
        told.put_nowait(AvatarError("the service ended the conversation", 1000))
    except AvatarError as error:
        told.put_nowait(error)
