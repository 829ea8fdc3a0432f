"""Conversations whose owner died and whose client never came back: what was heard of the last reply is stored.

Every gateway looks for them; whoever takes one over first ends it.
"""

from __future__ import annotations

import json
import logging

from serve_app.store import StaleEpoch, Store, Stored
from streaming.commands import Command, Forget, Remember
from streaming.events import Left
from streaming.journal import JournalError
from streaming.recalling import Recalling

log = logging.getLogger(__name__)

RESUME_S = 120.0
"""How long a client that is gone is waited for: a laptop that slept for a minute has to find its network again, too."""


async def finish_abandoned(store: Store, owner: str) -> list[str]:
    """End what nobody takes up any more; the sessions that were ended here. Raises StoreError."""
    ended: list[str] = []
    for session in await store.abandoned(store.now_ms - round(RESUME_S * 1000)):
        try:
            await _finish(store, owner, session)
        except StaleEpoch:
            continue  # another gateway was faster, or its client came back
        ended.append(session)
    return ended


async def _finish(store: Store, owner: str, session: str) -> None:
    epoch = await store.take_over(session, owner)
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
