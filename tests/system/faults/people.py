"""People who talk to the service all the time, through our SDK, and notice everything that is wrong.

Each says something, and hears it repeated: sound and pictures must come without a gap and without a repeat, and be
those of its own words. What somebody lost, and how long it was kept waiting, is written down. This file kills nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise

from serve_app.client import Avatar, AvatarError, connect
from serve_app.cuts import Mended
from serve_app.units import End, Notice, Picture, Sound, State, Told, Trouble
from streaming.media import FRAME, RATE, frames_for, samples

WORDS = "harbour lamp pilot boxes stairs morning rain window captain letter".split()
AHEAD_S = 0.2
"""What a player keeps ahead before it begins."""
PATIENCE_S = 150.0
"""Longest wait for the next word of the service before it counts as silent for ever."""


@dataclass
class Reply:
    """One reply, as it was heard and seen."""

    asked: str
    begun: float
    sound: bytes = b""
    pictures: int = 0
    end: int | None = None
    ended: float = 0.0
    notices: list[Notice] = field(default_factory=list[Notice])
    troubles: list[Trouble] = field(default_factory=list[Trouble])
    media: list[float] = field(default_factory=list[float])
    """When each piece came."""
    shown: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """When each picture came, and its sample at 24 kHz."""

    @property
    def whole(self) -> bool:
        """True if nothing of it was left out."""
        return not (self.notices or self.troubles)


@dataclass
class Person:
    """One of them. ``wrong`` is what must never be."""

    name: str
    replies: list[Reply] = field(default_factory=list[Reply])
    wrong: list[str] = field(default_factory=list[str])
    left: bool = False
    """True once it talks no more."""
    next: list[str] = field(default_factory=list[str])
    """What it says next instead of its usual words."""

    _avatar: Avatar | None = None

    @property
    def session(self) -> str:
        """The conversation's name."""
        return self._avatar.session["id"] if self._avatar else ""

    @property
    def resumed(self) -> list[Mended]:
        """Its connections that were cut and replaced."""
        return self._avatar.mended if self._avatar else []

    @property
    def away(self) -> bool:
        """True while it looks for another connection."""
        return self._avatar is not None and self._avatar.away

    def line(self, k: int) -> str:
        """Its ``k``-th usual sentence, about 4 s of speech in several clips."""
        chosen = [WORDS[(k * 7 + at * 3 + len(self.name)) % len(WORDS)] for at in range(9)]
        return f"{self.name} says the {' and the '.join(chosen[:3])}. Then the {' and the '.join(chosen[3:])}."

    async def talk(self, url: str, over: asyncio.Event) -> None:
        """Talk until it is over, and never leave by itself."""
        try:
            async with connect(url) as avatar:
                self._avatar = avatar
                for k in count():
                    if over.is_set():
                        return
                    await self._turn(avatar, self.next.pop(0) if self.next else self.line(k))
        except AvatarError as error:
            self.wrong.append(f"lost its conversation: {error}")
        except TimeoutError:
            self.wrong.append(f"heard nothing for {PATIENCE_S:.0f} s")

        finally:
            self.left = True

    async def _turn(self, avatar: Avatar, asked: str) -> None:
        reply = Reply(asked, time.monotonic())
        await avatar.say(asked)
        self.replies.append(reply)
        while True:
            async with asyncio.timeout(PATIENCE_S):
                unit = await anext(avatar)
            self._take(reply, unit)
            if isinstance(unit, State) and unit.state == "idle" and reply.end is not None:
                reply.ended = time.monotonic()
                self._check(reply)
                return

    def _take(self, reply: Reply, unit: Told) -> None:
        match unit:
            case Sound(_, pts, pcm):
                if pts != samples(reply.sound):
                    self.wrong.append(f"sound from {pts}, not from {samples(reply.sound)}: {reply.asked[:30]}")
                reply.sound += pcm
                reply.media.append(time.monotonic())
            case Picture(_, pts, data):
                if pts != reply.pictures * FRAME or data != b"%d" % pts:
                    self.wrong.append(f"picture {pts} ({data!r}), not {reply.pictures * FRAME}: {reply.asked[:30]}")
                reply.pictures += 1
                reply.media.append(time.monotonic())
                reply.shown.append((reply.media[-1], pts))
            case End(_, pts):
                reply.end = pts
            case Notice():
                reply.notices.append(unit)
            case Trouble():
                reply.troubles.append(unit)
            case _:
                pass

    def _check(self, reply: Reply) -> None:
        if reply.end != samples(reply.sound):
            self.wrong.append(f"{samples(reply.sound)} samples of {reply.end}: {reply.asked[:30]}")
        if reply.whole and (not reply.sound or reply.pictures != frames_for(samples(reply.sound))):
            self.wrong.append(f"{reply.pictures} pictures of {samples(reply.sound)} samples: {reply.asked[:30]}")

    # ---- what it was like ----------------------------------------------------------------------------------

    def pause(self, since: float) -> float:
        """The longest time, of what lies after ``since``, without sound and pictures while it waited for some."""
        longest = 0.0
        for reply in self.replies:
            stops = [reply.begun, *reply.media, *([] if reply.ended else [time.monotonic()])]
            for before, after in pairwise(stops):
                if after > since:
                    longest = max(longest, after - max(before, since))
        return longest

    def break_in(self, at: float) -> float | None:
        """The longest time without a piece of the reply that was heard at ``at``, from then on; None if none was."""
        for reply in self.replies:
            if reply.media and reply.media[0] <= at < reply.media[-1]:
                stops = [at, *(came for came in reply.media if came > at)]
                return max(after - before for before, after in pairwise(stops))
        return None

    def late(self, since: float, until: float) -> tuple[int, int]:
        """How many pictures came in that time, and for how many of them a player had to wait.

        It begins ``AHEAD_S`` after the first one and waits for each that is not there when it is due.
        """
        late, count = 0, 0
        for reply in self.replies:
            begun = reply.shown[0][0] + AHEAD_S if reply.shown else 0.0
            for came, pts in reply.shown:
                waited = max(came - (begun + pts / RATE), 0.0)
                begun += waited
                if since <= came < until:
                    late, count = late + (waited > 0), count + 1
        return late, count

    def after(self, since: float) -> list[Reply]:
        """Replies that were under way at ``since`` or began later."""
        return [reply for reply in self.replies if not reply.ended or reply.ended > since]


@asynccontextmanager
async def talking(url: str, names: list[str]) -> AsyncIterator[list[Person]]:
    """So many people talk for as long as the block lasts, and have all had an answer when it begins."""
    over = asyncio.Event()
    people = [Person(name) for name in names]
    tasks = [asyncio.create_task(person.talk(url, over), name=person.name) for person in people]
    try:
        await until(lambda: all(person.replies and person.replies[0].media for person in people), 60.0)
        yield people
    finally:
        over.set()
        done, late = await asyncio.wait(tasks, timeout=PATIENCE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()


async def until(
    true: Callable[[], bool], limit_s: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Wait until it is true. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not true():
            await sleep(0.05)
