"""Films in the conversation store's database, so that every replica can hand out what one of them made.

They are kept for a while and there are few; nothing says whose they are. This file makes no film and reads none.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from serve_app.store import Store
from serve_app.tables import reels


async def put(store: Store, name: str, content: bytes, keep_ms: int, most: int) -> None:
    """Keep a film for so long; the oldest make room if there would be more than ``most``. Raises StoreError."""
    async with store.transaction() as base:
        await base.execute(insert(reels).values(name=name, until_ms=store.now_ms + keep_ms, content=content))
        newest = select(reels.c.name).order_by(reels.c.until_ms.desc(), reels.c.name).limit(most)
        names = list(await base.scalars(newest))
        gone = (reels.c.until_ms < store.now_ms) | reels.c.name.not_in(names)
        await base.execute(delete(reels).where(gone))


async def get(store: Store, name: str) -> tuple[bytes, int] | None:
    """A film and for how many more ms it is kept; None if there is none, or none any more. Raises StoreError."""
    wanted = select(reels.c.content, reels.c.until_ms).where(reels.c.name == name)
    async with store.transaction() as base:
        row = (await base.execute(wanted)).first()
    left = row.until_ms - store.now_ms if row else 0
    return (bytes(row.content), left) if row and left > 0 else None


async def expire(store: Store) -> None:
    """Erase the films that are too old. Raises StoreError."""
    async with store.transaction() as base:
        await base.execute(delete(reels).where(reels.c.until_ms < store.now_ms))
