"""One session's way into the store: items at once, notes before their effect is sent, the journal in batches.

A ``Keeper`` is what ``streaming.session.Session`` takes as ``memory`` and ``journal``. Notes are what the session can
be taken up from; the journal, kept only with sound and pictures, is what happened, event by event. This file knows no
database and no client.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from serve_app import reels
from serve_app.finishing import Finisher
from serve_app.groups import Storage
from serve_app.store import StaleEpoch, Store, StoreError
from streaming.commands import Command, Forget, Remember, Show
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
RENEW_S = 10.0
"""Between two signs of life of a session in which nothing happens: a third of its lease."""
FINISH_S = 30.0
"""Between two looks for conversations that were left: every owner that is alive renews its lease within that time."""
EXPIRE_S = 3600.0
"""Between two looks for conversations that are too old."""
CLOSE_S = 5.0
"""How long a statement under way may take at the end; one that is cut short leaves its connection's thread behind."""
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
    _parked: dict[str, asyncio.Task[None]] = field(
        default_factory=dict[str, asyncio.Task[None]], repr=False, compare=False
    )
    _keepers: set[Keeper] = field(default_factory=set["Keeper"], repr=False, compare=False)
    _ending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], repr=False, compare=False)

    def keeper(self, session: str, settings: dict[str, Any], epoch: int | None = None) -> Keeper:
        """For a new session, or one that was taken over in ``epoch``.

        ``settings`` is what a replay needs, as in a journal's first line.
        """
        self._keepers.add(keeper := Keeper(self, session, settings, epoch))
        return keeper

    def here(self) -> set[str]:
        """Sessions that go on at this replica."""
        return {keeper.session for keeper in self._keepers}

    def ended(self, keeper: Keeper) -> None:
        """Its session has ended here."""
        self._keepers.discard(keeper)

    def park(self, session: str, waiting: asyncio.Task[None]) -> None:
        """A session whose client is away waits for it; ``wake`` or the end of the service ends the wait."""
        self._parked[session] = waiting
        waiting.add_done_callback(lambda _: self._parked.pop(session, None))

    async def wake(self, session: str) -> None:
        """Somebody takes this session up: if it waits here, what it knows is stored and it waits no more."""
        if waiting := self._parked.get(session):
            waiting.cancel()
            await asyncio.wait({waiting})

    async def finish(self, ending: Coroutine[Any, Any, None]) -> None:
        """Wait for a session's end to be stored; who waits may be cancelled, what is waited for is not."""
        task = asyncio.create_task(ending, name="end of a session")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def settle(self) -> None:
        """Let sessions go whose clients are away, and wait for all ends that are being stored."""
        parked = list(self._parked.values())
        for waiting in parked:
            waiting.cancel()
        await asyncio.gather(*parked, return_exceptions=True)
        await asyncio.gather(*self._ending)


class Keeper:
    """Keeps one session. Raises what the store raised as soon as it is given more: the session must end then."""

    def __init__(self, archive: Archive, session: str, settings: dict[str, Any], epoch: int | None = None) -> None:
        self._archive = archive
        self.session = session
        self._header = {**settings, "media": archive.media}
        self._epoch = epoch
        self._failed: Exception | None = None
        self._lines = io.StringIO()
        self._journal = Journal(self._lines, session, settings) if archive.media else None
        self._notes: list[str] = []
        self._newest = 0
        self._begun: list[int] = []
        """Replies first shown in the lines that wait."""
        self._news = asyncio.Event()
        self._one_writes = asyncio.Lock()
        self._writer = asyncio.create_task(self._write(), name=f"journal of {session}")

    async def remember(self, item: Said, after: str | None = None) -> None:
        """Store an item, and before it everything that led to it. Raises StaleEpoch or StoreError."""
        await self._flush(Remember(item, after))

    async def forget(self, name: str) -> None:
        """Erase an item. Raises StaleEpoch or StoreError."""
        await self._flush(Forget(name))

    def note(self, line: str) -> None:
        """Take down what the session can be taken up from; ``settled`` stores it. Raises what failed before."""
        if self._failed:
            raise self._failed
        self._notes.append(line)
        self._news.set()

    async def settled(self) -> None:
        """Store what was noted; when this returns its effect may be sent. Raises StaleEpoch or StoreError."""
        if self._notes or self._one_writes.locked():  # what somebody else is writing now is not stored yet
            await self._flush()

    def journal(self, event: Event, commands: list[Command]) -> None:
        """Take down an event and its orders; they are stored within ``FLUSH_S``, or with the next item.

        Raises StaleEpoch or StoreError if what was taken down before could not be stored.
        """
        if self._failed:
            raise self._failed
        if self._lines.tell() > MOST:
            raise StoreError("the conversation store is too slow for this conversation; look at its load, or keep text")
        if self._journal:
            self._journal(event, commands)
            self._note_begun(commands)
            self._news.set()

    def _note_begun(self, commands: list[Command]) -> None:
        for command in commands:
            turn = getattr(command.message, "turn", 0) if isinstance(command, Show) else 0
            if turn > self._newest:
                self._newest = turn
                self._begun.append(turn)

    async def end(self, *, over: bool = True) -> None:
        """Store what still waits, and that the session is ``over`` or may be taken over by whoever comes.

        What is wrong then is only logged.
        """
        await self._archive.finish(self._end(over))

    async def _end(self, over: bool) -> None:
        self._archive.ended(self)
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer
        store = self._archive.store
        try:
            if not isinstance(self._failed, StaleEpoch):
                await (store.end if over else store.let_go)(self.session, await self._flush())
        except (StaleEpoch, StoreError) as error:
            log.warning("session %s: its end was not stored: %s", self.session, error)

    # ---- writing -------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(RENEW_S):
                        await self._news.wait()
                except TimeoutError:
                    await self._archive.store.renew(self.session, await self._flush())
                self._news.clear()
                await asyncio.sleep(FLUSH_S)
                await self._flush()
        except (StaleEpoch, StoreError) as error:
            self._failed = error  # the session learns of it with the next event

    async def _flush(self, change: Remember | Forget | None = None) -> int:
        """Store all lines so far, and with the last of them a change of the items; the epoch.

        A cancelled flush is finished all the same: half of it is stored.
        """
        flush = asyncio.ensure_future(self._flushed(change))
        flush.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever waited may be gone
        return await asyncio.shield(flush)

    async def _flushed(self, change: Remember | Forget | None) -> int:
        store = self._archive.store
        async with self._one_writes:
            if self._failed:
                raise self._failed
            if self._epoch is None:
                self._epoch = await store.begin(self.session, self._archive.owner, self._header)
            lines, notes = self._lines.getvalue().splitlines(), self._notes
            self._lines.seek(0)
            self._lines.truncate()
            self._notes = []
            begun, self._begun = self._begun, []
            with self._failing():
                count = max(len(lines), len(notes), 1 if change else 0)
                for start in range(0, count, BATCH):
                    part, last = slice(start, start + BATCH), start + BATCH >= count
                    await store.append(
                        self.session,
                        self._epoch,
                        lines[part],
                        () if start else begun,
                        notes=notes[part],
                        change=change if last else None,
                        at_ms=store.now_ms,
                    )
            return self._epoch

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What could not be stored is missing from now on: nothing may follow it."""
        try:
            yield
        except (StaleEpoch, StoreError) as error:
            self._failed = error
            raise
        except Exception as error:  # as of a text that the database cannot hold: it is missing all the same
            self._failed = StoreError(f"the conversation store did not take a line ({error}); the log tells of it")
            log.exception("session %s: a line was not stored", self.session)
            raise self._failed from error


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
    kept = Archive(store, settings.keep == "full", owner)
    closing, finisher = asyncio.Event(), Finisher(store, owner, kept.here)
    finish = _repeat(finisher.look, FINISH_S, closing, "conversations that were left are not ended yet")
    expire = _repeat(lambda: _expire(store, settings.days), EXPIRE_S, closing, "old conversations are still there")
    chores = {
        asyncio.create_task(finish, name="finishing conversations"),
        asyncio.create_task(expire, name="expiring conversations"),
    }
    try:
        yield kept
    finally:
        await kept.settle()
        closing.set()
        _, hanging = await asyncio.wait(chores, timeout=CLOSE_S)
        for chore in hanging:
            chore.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        await store.close()


async def _repeat(chore: Callable[[], Awaitable[object]], every_s: float, closing: asyncio.Event, trouble: str) -> None:
    while not closing.is_set():
        try:
            await chore()
        except StoreError as error:
            log.warning("store: %s: %s", trouble, error)
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), every_s)


async def _expire(store: Store, days: float) -> None:
    if gone := await store.expire(store.now_ms, round(days * DAY_MS)):
        log.info("store: %d conversations were older than %g days and are erased", gone, days)
    await reels.expire(store)
