"""Conversations whose owner died and whose client never came back: what was heard of the last reply is stored.

Every gateway looks for them; whoever takes one over first ends it. A lease is told by its owner's clock, which may be
minutes off ours, and after a sleep of the machine every lease has run out. So nothing is ended at first sight: only if
between two looks nobody gave a sign of life.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection

from serve_app.store import Lease, StaleEpoch, Store, Stored
from streaming.commands import Command, Forget, Remember
from streaming.events import Left
from streaming.journal import JournalError
from streaming.recalling import Recalling

log = logging.getLogger(__name__)

RESUME_S = 120.0
"""How long a client that is gone is waited for: a laptop that slept for a minute has to find its network again, too."""


class Finisher:
    """One gateway's looks for what nobody takes up any more."""

    def __init__(self, store: Store, owner: str, here: Callable[[], Collection[str]] = tuple) -> None:
        """``here`` names the sessions that go on at this gateway: whatever their leases say, they have their owner.

        Its own name is no such sign: a session whose end could not be stored stays under it.
        """
        self._store = store
        self._owner = owner
        self._here = here
        self._seen: frozenset[Lease] = frozenset()

    async def look(self) -> list[str]:
        """End what had been left at the last look already; the sessions that were ended. Raises StoreError.

        Between two looks every owner that is alive must have had the time for a sign of life (keeper.RENEW_S).
        """
        left = frozenset(await self._store.abandoned(self._store.now_ms - round(RESUME_S * 1000)))
        due, self._seen = left & self._seen, left
        ended: list[str] = []
        for lease in due:
            if lease.session in self._here():
                continue
            try:
                await _finish(self._store, self._owner, lease)
            except StaleEpoch:
                continue  # another gateway was faster, or its client came back
            ended.append(lease.session)
        return ended


async def _finish(store: Store, owner: str, lease: Lease) -> None:
    session, epoch = lease.session, await store.claim(lease, owner)
    stored = await store.conversation(session)
    if stored is None:
        raise StaleEpoch(f"session {session} was erased")
    try:
        orders = await _last_orders(store, stored)
    except JournalError as error:  # of another release: what was stored item by item is all that is left
        log.warning("session %s: its notes cannot be read: %s", session, error)
        orders = []
    for order in orders:
        if isinstance(order, Remember | Forget):
            await store.append(session, epoch, change=order, at_ms=stored.summary.updated_ms)
    await store.end(session, epoch)
    log.info("session %s was left by its owner and its client; it is over", session)


async def _last_orders(store: Store, stored: Stored) -> list[Command]:
    """What follows from the client's not coming back. Raises JournalError."""
    session, recalling = stored.summary.session, None
    async for page in store.notes(session):
        recalling = recalling or Recalling(session, stored.header["conversation"])
        for line in map(json.loads, page):
            recalling.take(line)
    return recalling.conversation().on(Left()) if recalling else []
