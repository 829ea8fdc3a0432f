"""One session's way into the store: what was said at once, its journal in batches, always in order.

A ``Keeper`` is what ``streaming.session.Session`` takes as ``remember`` and ``journal``. This file knows no database
and no client.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from serve_app import reels
from serve_app.groups import Storage
from serve_app.store import StaleEpoch, Store, StoreError
from streaming.commands import Command, Show
from streaming.events import Event
from streaming.journal import Journal
from streaming.stages import Said

log = logging.getLogger(__name__)

FLUSH_S = 0.25
"""How long lines of the journal are gathered before they are written together."""
MOST = 64 * 2**20
"""Characters of the journal that may wait: about two minutes with sound and pictures."""
BATCH = 500
"""Lines in one transaction, so that it is short."""
EXPIRE_S = 3600.0
"""Between two looks for conversations that are too old."""
DAY_MS = 24 * 3600 * 1000

Note = Callable[[Event, list[Command]], None]


@dataclass(frozen=True, slots=True)
class Archive:
    """Where this service keeps its conversations."""

    store: Store
    media: bool
    """True if sound and pictures are kept too."""
    owner: str
    """This replica, as the store names the owner of a session."""
    _ending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], repr=False, compare=False)

    def keeper(self, session: str, settings: dict[str, Any]) -> Keeper:
        """For a new session; ``settings`` is what a replay needs, as in a journal's first line."""
        return Keeper(self, session, settings)

    async def finish(self, ending: Coroutine[Any, Any, None]) -> None:
        """Wait for a session's end to be stored; who waits may be cancelled, what is waited for is not."""
        task = asyncio.create_task(ending, name="end of a session")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait for all ends that are being stored."""
        await asyncio.gather(*self._ending)


class Keeper:
    """Keeps one session. Raises what the store raised as soon as it is given more: the session must end then."""

    def __init__(self, archive: Archive, session: str, settings: dict[str, Any]) -> None:
        self._archive = archive
        self._session = session
        self._header = {**settings, "media": archive.media}
        self._epoch: int | None = None
        self._failed: Exception | None = None
        self._lines = io.StringIO()
        self._journal = Journal(self._lines, session, settings, media=archive.media)
        self._newest = 0
        self._begun: list[int] = []
        """Replies first shown in the lines that wait."""
        self._news = asyncio.Event()
        self._one_writes = asyncio.Lock()
        self._writer = asyncio.create_task(self._write(), name=f"journal of {session}")

    async def remember(self, item: Said) -> None:
        """Store an item, and before it everything that led to it. Raises StaleEpoch or StoreError."""
        epoch = await self._flush()
        await self._archive.store.remember(self._session, epoch, item, self._archive.store.now_ms)

    def journal(self, event: Event, commands: list[Command]) -> None:
        """Take down an event and its orders; they are stored within ``FLUSH_S``, or with the next item.

        Raises StaleEpoch or StoreError if what was taken down before could not be stored.
        """
        if self._failed:
            raise self._failed
        if self._lines.tell() > MOST:
            raise StoreError("the conversation store is too slow for this conversation; look at its load, or keep text")
        self._journal(event, commands)
        self._note_begun(commands)
        self._news.set()

    def _note_begun(self, commands: list[Command]) -> None:
        for command in commands:
            turn = getattr(command.message, "turn", 0) if isinstance(command, Show) else 0
            if turn > self._newest:
                self._newest = turn
                self._begun.append(turn)

    def after(self, other: Note) -> Note:
        """A journal for Session that tells ``other`` first."""

        def note(event: Event, commands: list[Command]) -> None:
            other(event, commands)
            self.journal(event, commands)

        return note

    async def end(self) -> None:
        """Store what still waits, and that the session is over; what is wrong then is only logged."""
        await self._archive.finish(self._end())

    async def _end(self) -> None:
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer
        try:
            if not isinstance(self._failed, StaleEpoch):
                await self._archive.store.end(self._session, await self._flush())
        except (StaleEpoch, StoreError) as error:
            log.warning("session %s: its end was not stored: %s", self._session, error)

    # ---- writing -------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await asyncio.sleep(FLUSH_S)
                await self._flush()
        except (StaleEpoch, StoreError) as error:
            self._failed = error  # the session learns of it with the next event

    async def _flush(self) -> int:
        """Store all lines so far; the epoch. A cancelled flush is finished all the same: half of it is stored."""
        return await asyncio.shield(asyncio.ensure_future(self._flushed()))

    async def _flushed(self) -> int:
        store = self._archive.store
        async with self._one_writes:
            if self._failed:
                raise self._failed
            if self._epoch is None:
                self._epoch = await store.begin(self._session, self._archive.owner, self._header)
            lines = self._lines.getvalue().splitlines()
            self._lines.seek(0)
            self._lines.truncate()
            begun, self._begun = self._begun, []
            try:
                for start in range(0, len(lines), BATCH):
                    await store.append(self._session, self._epoch, lines[start : start + BATCH], () if start else begun)
            except (StaleEpoch, StoreError) as error:
                self._failed = error  # lines are missing now: nothing may follow them
                raise
            return self._epoch


# ---- for a whole service -----------------------------------------------------------------------------------


@asynccontextmanager
async def archive(settings: Storage, owner: str) -> AsyncIterator[Archive | None]:
    """The archive for as long as the block lasts, what is too old erased every hour; None if nothing is kept.

    Raises StoreError if the store cannot be opened.
    """
    if settings.keep == "none":
        log.info("store: nothing is kept, because the settings say so")
        yield None
        return
    store = Store(settings.address())
    await store.open()
    log.info("store: %s is kept for %g days in %s", settings.keep, settings.days, store)
    expiring = asyncio.create_task(_expire(store, settings.days), name="expiring conversations")
    kept = Archive(store, settings.keep == "full", owner)
    try:
        yield kept
    finally:
        await kept.settle()
        expiring.cancel()
        with suppress(asyncio.CancelledError):
            await expiring
        await store.close()


async def _expire(store: Store, days: float) -> None:
    while True:
        try:
            if gone := await store.expire(store.now_ms, round(days * DAY_MS)):
                log.info("store: %d conversations were older than %g days and are erased", gone, days)
            await reels.expire(store)
        except StoreError as error:
            log.warning("store: old conversations are still there: %s", error)
        await asyncio.sleep(EXPIRE_S)
