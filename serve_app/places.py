"""Where in a session's journal each reply begins, so that one reply can be read without all that came before it.

A row for each reply: no line of the journal below ``n`` shows anything of it, or of a later one. This file reads no
journal.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from serve_app.tables import places


async def mark(base: AsyncConnection, session: str, begun: Sequence[int], n: int) -> None:
    """These replies begin at ``n`` or later. One that began before, at another replica, keeps its place."""
    mine = (places.c.session_id == session) & places.c.turn.in_(begun)
    known = set(await base.scalars(select(places.c.turn).where(mine)))
    if rows := [{"session_id": session, "turn": turn, "n": n} for turn in begun if turn not in known]:
        await base.execute(insert(places), rows)


async def place(base: AsyncConnection, session: str, turn: int) -> int:
    """The line from which on reply ``turn`` can be read; 0 where nobody marked one."""
    mine = (places.c.session_id == session) & (places.c.turn <= turn)
    return await base.scalar(select(func.max(places.c.n)).where(mine)) or 0
