"""Conversations whose owner died and whose client never came back: what was heard of the last reply is stored.

Every gateway looks for them; whoever takes one over first ends it.
"""

from __future__ import annotations

import json
import logging

from serve_app.store import StaleEpoch, Store
from streaming.commands import Forget, Remember
from streaming.events import Left
from streaming.recalling import Recalling

log = logging.getLogger(__name__)

PATIENCE_MS = 60_000
"""How long after the owner's last sign of life a client may still come back."""


async def finish_abandoned(store: Store, owner: str) -> list[str]:
    """End what nobody takes up any more; the sessions that were ended here. Raises StoreError."""
    ended: list[str] = []
    for session in await store.abandoned(store.now_ms - PATIENCE_MS):
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
    recalling: Recalling | None = None
    async for page in store.notes(session):
        recalling = recalling or Recalling(session, stored.header["conversation"])
        for line in map(json.loads, page):
            if "commands" in line:
                recalling.take(line)
    for order in recalling.conversation().on(Left()) if recalling else ():
        if isinstance(order, Remember | Forget):
            await store.append(session, epoch, change=order, at_ms=stored.summary.updated_ms)
    await store.end(session, epoch)
    log.info("session %s was left by its owner and its client; it is over", session)
