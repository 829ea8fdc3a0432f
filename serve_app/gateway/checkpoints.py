"""A conversation in one line, as both sides agree on it while nobody has the turn: whoever takes it up begins there.

Without such lines everything since the first word would be done again: 3.5 ms of a core for each reply, while others
wait. A client may lack what it was told just before the newest line; then an older one counts. This file knows no
socket and no store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any

from serve_app.gateway.conduct import Conduct
from serve_app.gateway.ladder import Asked, Response
from serve_app.gateway.wire import Outgoing
from streaming.journal import canonical
from streaming.session import Session

EVERY = 100_000
"""Characters that are noted before another one is worth while: some seven replies."""
CHOSEN_MOST = 100_000
"""Characters of what the client chose, over which there are none any more: each would hold all of it."""
_BEGINS = '{"checkpoint":'


def line(
    session: Callable[[], Session | None], conduct: Conduct, outgoing: Outgoing, more: dict[str, Any]
) -> str | None:
    """The line; None while somebody has the turn, or anything is asked for or on its way. ``more`` goes with it."""
    talk = session()
    rest = talk.checkpoint() if talk else None
    if rest is None or conduct.waiting or conduct.aside or not outgoing.calm:
        return None
    kept = {
        "items": conduct.items.kept(),
        "responses": [_shown(response) for response in conduct.responses.values()],
        "added": sorted(conduct.added),
        "stopped": conduct.stopped,
        "spoke": [conduct.spoke_from, conduct.spoke_until],
    }
    return canonical({"checkpoint": rest, "conduct": kept, "seq": outgoing.seq, **more})


def due(line: str) -> int:
    """Characters after which another one is worth while: all of them together are no longer than the rest."""
    return max(EVERY, len(line))


def newest(lines: Sequence[str], seq: int) -> int:
    """Index of the line to begin with for a client that has got message ``seq``: a checkpoint, or the first of all."""
    for at in range(len(lines) - 1, 0, -1):
        if lines[at].startswith(_BEGINS) and _seq(lines[at]) <= seq:
            return at
    return 0


def restore(kept: dict[str, Any], conduct: Conduct, outgoing: Outgoing) -> None:
    """Let fresh ``conduct`` and ``outgoing`` be what they were when a line was written, but for the client's wishes."""
    told = kept["conduct"]
    conduct.items.recall(told["items"])
    for one in told["responses"]:
        response = Response(**{**one, "asked": Asked(**one["asked"]), "items": conduct.items})
        conduct.responses[response.turn] = response
    conduct.added, conduct.stopped = set(told["added"]), told["stopped"]
    conduct.spoke_from, conduct.spoke_until = told["spoke"]
    outgoing.seq = kept["seq"]


def _shown(response: Response) -> dict[str, Any]:
    whole = {field.name: getattr(response, field.name) for field in fields(response) if field.name != "items"}
    return {**whole, "asked": asdict(response.asked)}


def _seq(text: str) -> int:
    """Without reading all of it: keys are sorted, and no other of that name stands so late."""
    return int(text.rpartition('"seq":')[2].rstrip("}"))
