"""Items as rows of the store, each at its place among the others; and tables of an earlier release, made complete.

Every function works inside a transaction of its caller, in a session that is claimed.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from sqlalchemy import Connection, Table, func, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateColumn

from serve_app.tables import items, tables
from streaming.commands import Remember
from streaming.stages import Said


def make_tables(base: Connection) -> None:
    """Make tables and columns that are not there: the file may be an earlier release's."""
    tables.create_all(base)
    for table in tables.sorted_tables:
        there = {column["name"] for column in inspect(base).get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                spelled = CreateColumn(column).compile(dialect=base.dialect)
                base.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {spelled}"))


def called(session: str, name: str) -> Any:
    """Which rows the item of that name is."""
    return (items.c.session_id == session) & (items.c.name == name)


async def put(base: AsyncConnection, session: str, order: Remember, at_ms: int) -> None:
    """Enter an item, or replace the one of its name."""
    item = order.item
    row = {"turn": item.turn, "role": item.role, "text": item.text, "cut": item.cut, "at_ms": at_ms}
    row |= {"call_id": item.call_id, "function": item.function}
    known = await base.execute(update(items).where(called(session, item.name)).values(row))
    if not known.rowcount:
        row |= {"session_id": session, "n": await next_of(base, items, session), "name": item.name}
        await base.execute(insert(items).values(place=await _place(base, session, order.after), **row))


async def _place(base: AsyncConnection, session: str, after: str | None) -> float:
    """A place behind the item of that name: half-way to the next one."""
    places = select(items.c.place).where(items.c.session_id == session)
    before = None
    if after == "":
        first = await base.scalar(places.order_by(items.c.place).limit(1))
        return 0.0 if first is None else first - 1
    if after is not None:
        before = await base.scalar(select(items.c.place).where(called(session, after)))
    if before is None:
        last = await base.scalar(places.order_by(items.c.place.desc()).limit(1))
        return 0.0 if last is None else last + 1
    following = await base.scalar(places.where(items.c.place > before).order_by(items.c.place).limit(1))
    return before + 1 if following is None else (before + following) / 2


def said_of(row: Any) -> Said:
    """The item in a row."""
    role = cast(Literal["user"], row.role)
    own = "" if row.name == f"{row.role}_{row.turn}" else row.name
    return Said(role, row.text, row.turn, bool(row.cut), own, row.call_id, row.function)


async def next_of(base: AsyncConnection, table: Table, session: str) -> int:
    """The number of a session's next row; the session must be claimed."""
    last = await base.scalar(select(func.max(table.c.n)).where(table.c.session_id == session))
    return 0 if last is None else last + 1
