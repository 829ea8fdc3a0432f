"""Conversations as they are stored: who owns a session, what was said in it, and its journal.

A session belongs to whoever holds its newest ``epoch``; every write names the epoch it was made under, and one that
is no longer the newest is refused. SQLite serves one node, PostgreSQL several. This file knows no event of a
conversation, and whether sound is among what it is given.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, event, func, insert, select, text, tuple_, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from serve_app.errors import UserError
from serve_app.places import mark, place
from serve_app.rows import called, make_tables, next_of, put, said_of
from serve_app.tables import items, journal, sessions, tables
from serve_app.tables import notes as notes_table
from streaming.commands import Forget, Remember
from streaming.stages import Said

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
"""What carries each kind of database."""
BUSY_MS = 5000
"""Longest wait for another writer of the same SQLite file."""
PAGE = 500
"""Journal lines that are read at once: about 5 s of a conversation."""


class StoreError(UserError):
    """The database cannot be reached, read or written."""


class StaleEpoch(Exception):
    """The session is somebody else's now, or was erased: whoever wrote must let go of it."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that was said, and when."""

    said: Said
    at_ms: int
    """Milliseconds since 1970, UTC, as are all times here."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation in a list."""

    session: str
    created_ms: int
    updated_ms: int
    ended_ms: int | None
    """None while it lasts, or if its owner died."""
    items: int
    """How many were said."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A conversation whole, without its journal."""

    summary: Summary
    header: dict[str, Any]
    """What ``begin`` was given."""
    owner: str
    epoch: int
    lease_until_ms: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """Who a session belonged to when somebody looked: every sign of life of its owner makes another one of it."""

    session: str
    epoch: int
    until_ms: int
    """By its owner's clock."""


def wall_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def database(url: str) -> URL:
    """The address with its driver. Raises StoreError for a kind of database that we do not use."""
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError):
        raise StoreError("the store's url begins with sqlite:/// or postgresql://; choose one of these") from None
    return parsed.set(drivername=driver)


class Store:
    """The conversations of one database. All methods raise StoreError if it does not answer."""

    def __init__(self, url: str, *, lease_s: float = 30.0, clock_ms: Callable[[], int] = wall_ms) -> None:
        """``lease_s``: how long an owner that writes nothing counts as alive. Every write renews its lease."""
        self._url = database(url)
        self._lease_ms = round(lease_s * 1000)
        self._clock = clock_ms
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = self._made()

    def __str__(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def now_ms(self) -> int:
        """The store's clock."""
        return self._clock()

    def _made(self) -> AsyncEngine:
        try:
            engine = create_async_engine(self._url, pool_pre_ping=not self._sqlite)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{error.name} is not installed here; install it: pip install 'realtime-avatar[postgres]'"
            ) from error
        if self._sqlite:
            event.listen(engine.sync_engine, "connect", _prepare)
        return engine

    async def open(self) -> None:
        """Make what is not there yet: the folder of a SQLite file, the tables."""
        if self._sqlite and self._url.database:
            _make_file(Path(self._url.database))
        async with self._writing() as base:
            await base.run_sync(make_tables)

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    # ---- who owns a session --------------------------------------------------------------------------------

    async def begin(self, session: str, owner: str, header: dict[str, Any]) -> int:
        """Store a new session; its first epoch. Raises StaleEpoch if there is one of that name."""
        now = self._clock()
        row = {"session_id": session, "owner": owner, "epoch": 1, "lease_until": now + self._lease_ms}
        row |= {"created": now, "updated": now, "header": json.dumps(header)}
        async with self._writing() as base:
            try:
                await base.execute(insert(sessions).values(row))
            except IntegrityError:
                raise StaleEpoch(f"session {session} is stored already; take it over instead") from None
        return 1

    async def take_over(self, session: str, owner: str) -> int:
        """Become the owner; the new epoch. The old owner's next write is refused.

        Raises StaleEpoch if another one was faster, there is no such session, or it is over.
        """
        lasting = (sessions.c.session_id == session) & sessions.c.ended.is_(None)
        async with self._reading() as base:
            epoch = await base.scalar(select(sessions.c.epoch).where(lasting))
        if epoch is None:
            raise StaleEpoch(f"there is no session {session} to take over, or it is over")
        async with self._writing() as base:
            if not await self._touch(base, lasting & (sessions.c.epoch == epoch), owner=owner, epoch=epoch + 1):
                raise StaleEpoch(f"session {session} was taken over by another replica, ended or erased just now")
        return epoch + 1

    async def claim(self, lease: Lease, owner: str) -> int:
        """``take_over``, unless anything happened to the session since ``abandoned`` told of it; then StaleEpoch."""
        seen = (sessions.c.epoch == lease.epoch) & (sessions.c.lease_until == lease.until_ms)
        which = (sessions.c.session_id == lease.session) & seen & sessions.c.ended.is_(None)
        async with self._writing() as base:
            if not await self._touch(base, which, owner=owner, epoch=lease.epoch + 1):
                raise StaleEpoch(f"session {lease.session} is not as it was seen any more")
        return lease.epoch + 1

    async def renew(self, session: str, epoch: int) -> None:
        """Say that the owner is alive. Raises StaleEpoch, as all that follow."""
        async with self._writing() as base:
            await self._claim(base, session, epoch)

    async def end(self, session: str, epoch: int) -> None:
        """The session is over and belongs to nobody any more."""
        now = self._clock()
        async with self._writing() as base:
            await self._claim(base, session, epoch, ended=now, lease_until=now)
            await base.execute(delete(notes_table).where(notes_table.c.session_id == session))

    async def let_go(self, session: str, epoch: int) -> None:
        """The owner goes away; the session is not over, and whoever comes may take it over at once."""
        async with self._writing() as base:
            await self._claim(base, session, epoch, lease_until=self._clock())

    async def _claim(self, base: AsyncConnection, session: str, held: int, **values: Any) -> None:
        """Touch the session's row under the epoch that is held. Raises StaleEpoch if it is no more."""
        if not await self._touch(base, (sessions.c.session_id == session) & (sessions.c.epoch == held), **values):
            raise StaleEpoch(f"session {session} was taken over by another replica or erased; epoch {held} is over")

    async def _touch(self, base: AsyncConnection, which: ColumnElement[bool], **values: Any) -> bool:
        """Renew a session's lease, if the row is there; it stays locked until the commit."""
        now = self._clock()
        renewed = {"updated": now, "lease_until": now + self._lease_ms, **values}
        return (await base.execute(update(sessions).where(which).values(renewed))).rowcount == 1

    # ---- what is written -----------------------------------------------------------------------------------

    async def append(
        self,
        session: str,
        epoch: int,
        lines: Sequence[str] = (),
        begun: Sequence[int] = (),
        *,
        notes: Sequence[str] = (),
        change: Remember | Forget | None = None,
        at_ms: int = 0,
    ) -> None:
        """Store more lines of the journal, more notes, both without their line ends, and a change of the items.

        All of it or nothing; when this returns it outlives this process (on SQLite perhaps not a power cut).
        ``begun``: replies that begin in these lines. An item that is remembered again stays where it was: less of a
        reply was heard than was thought.
        """
        async with self._writing() as base:
            await self._claim(base, session, epoch)
            for table, more in ((journal, lines), (notes_table, notes)):
                first = await next_of(base, table, session)
                rows = [{"session_id": session, "n": first + k, "line": line} for k, line in enumerate(more)]
                if rows:
                    await base.execute(insert(table), rows)
                if table is journal and begun:
                    await mark(base, session, begun, first)
            if isinstance(change, Remember):
                await put(base, session, change, at_ms)
            elif change:
                await base.execute(delete(items).where(called(session, change.name)))

    # ---- what is read --------------------------------------------------------------------------------------

    async def conversations(self, limit: int = 50, before: tuple[int, str] | None = None) -> list[Summary]:
        """The newest conversations first; ``before`` is (created_ms, session) of the last one of an earlier page."""
        wanted = _summaries().order_by(sessions.c.created.desc(), sessions.c.session_id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(tuple_(sessions.c.created, sessions.c.session_id) < tuple_(*before))
        async with self._reading() as base:
            return [Summary(*row) for row in await base.execute(wanted)]

    async def conversation(self, session: str) -> Stored | None:
        """One conversation; None if there is none of that name."""
        mine = sessions.c.session_id == session
        about = select(sessions.c.header, sessions.c.owner, sessions.c.epoch, sessions.c.lease_until).where(mine)
        async with self._reading() as base:
            summary = (await base.execute(_summaries().where(mine))).first()
            row = (await base.execute(about)).first()
            mine_too = select(items).where(items.c.session_id == session).order_by(items.c.place, items.c.n)
            spoken = tuple(Item(said_of(row), row.at_ms) for row in await base.execute(mine_too))
        if summary is None or row is None:
            return None
        return Stored(Summary(*summary), json.loads(row.header), row.owner, row.epoch, row.lease_until, spoken)

    def journal(self, session: str, turn: int = 0) -> AsyncIterator[list[str]]:
        """The journal's lines in order, ``PAGE`` at a time: one of an hour with sound does not fit into memory.

        With ``turn`` from a line on before which nothing of that reply was shown.
        """
        return self._lines(journal, session, turn)

    def notes(self, session: str) -> AsyncIterator[list[str]]:
        """What the session can be taken up from, ``PAGE`` lines at a time."""
        return self._lines(notes_table, session)

    async def abandoned(self, before_ms: int) -> list[Lease]:
        """Sessions that are not over, and whose lease ran out before then, by their owners' clocks."""
        lease = select(sessions.c.session_id, sessions.c.epoch, sessions.c.lease_until)
        left = sessions.c.ended.is_(None) & (sessions.c.lease_until < before_ms)
        async with self._reading() as base:
            return [Lease(*row) for row in await base.execute(lease.where(left))]

    async def _lines(self, table: Table, session: str, turn: int = 0) -> AsyncIterator[list[str]]:
        async with self._reading() as base:
            after = await place(base, session, turn) - 1
        mine = select(table.c.n, table.c.line).where(table.c.session_id == session).order_by(table.c.n)
        while True:
            async with self._reading() as base:
                rows = (await base.execute(mine.where(table.c.n > after).limit(PAGE))).all()
            if not rows:
                return
            after = rows[-1].n
            yield [row.line for row in rows]

    # ---- what is erased ------------------------------------------------------------------------------------

    async def delete(self, session: str) -> bool:
        """Erase all of a conversation; False if there was none. A client that still talks in it is dropped."""
        return await self._erase(sessions.c.session_id == session) == 1

    async def expire(self, now_ms: int, keep_ms: int) -> int:
        """Erase what nobody has written to for ``keep_ms``; how many conversations that were."""
        return await self._erase((sessions.c.updated < now_ms - keep_ms) & (sessions.c.lease_until < now_ms))

    async def _erase(self, which: Any) -> int:
        async with self._writing() as base:
            rows = select(sessions.c.session_id).where(which).with_for_update()
            names = list(await base.scalars(rows))
            for name in names:
                for table in (t for t in reversed(tables.sorted_tables) if "session_id" in t.c):
                    await base.execute(delete(table).where(table.c.session_id == name))
        if names and self._sqlite:  # what was said must not stay in the write-ahead log
            async with self._reading() as base:
                await base.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return len(names)

    # ---- the database --------------------------------------------------------------------------------------

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For what is kept in the same database and is no conversation."""
        return self._writing()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        with _named():
            async with self._engine.begin() as base:
                yield base

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with _named():
            async with self._engine.connect() as base:
                yield base


def _make_file(path: Path) -> None:
    """An empty file where there is none: what was said is for this user's eyes only. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"the store's file cannot be made: {error}; choose another store.url") from error


@contextmanager
def _named() -> Iterator[None]:
    """The database's own errors as one sentence of ours."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(f"the conversation store does not answer ({reason}); look at store.url") from error


def _summaries() -> Any:
    said = select(func.count()).where(items.c.session_id == sessions.c.session_id).scalar_subquery()
    return select(sessions.c.session_id, sessions.c.created, sessions.c.updated, sessions.c.ended, said)


def _prepare(connection: Any, _record: object) -> None:
    """Set up a new connection to a SQLite file: readers beside a writer, waiting writers, and a true erasure."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", f"busy_timeout={BUSY_MS}", "synchronous=NORMAL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
