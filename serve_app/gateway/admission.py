"""Who may begin a conversation at this gateway: nobody, while those who talk already would notice one more.

Three things are watched: places, avatars that speak at this moment, and whether the pictures of those who are here
still come before their sound. A place is a conversation, or a socket that has not begun one yet: whoever is let in has
a place at once, for a hundred may come before the first of them says anything. The rest is read off what is recorded
anyway: an Admission stands before the instruments. It is told no client's name.

Whoever was cut off comes back even when it is full, until a fifth more clients are here than the limit says. A
conversation whose client is away does not count for them: whoever comes may be the one it waits for, and if not, it
asks for little. Those who are turned away are counted for a minute: they would talk now, and what makes the service
grow must know (serve_app/scaling.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.instruments import Recording

CLOSE_BUSY = 1013
"""Close code, "try again later": pages cannot read the status of a socket that was not opened."""
BACK = "back"
"""Query parameter of a client that was cut off."""
ROOM_FOR_THOSE_BACK = 1.2
RETRY_FULL_S, RETRY_LATE_S = 15, 10
AWAY_S = 60
"""How long each knock counts for which nobody was let in. Whoever is turned away knocks three times, or so, or gives
up, and would have talked for minutes: simulated, a load of three times the room is known best so."""
MOST_AWAY = 1000
"""Most that are counted who were turned away: a bound, far above what any service grows by at once."""
WINDOW_S = 10
LATE_MOST = 0.02
LATE_LEAST = 50
"""Picture messages in the window, for a share of them to count: a few seconds of one avatar."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one gateway; 0 conversations or avatars are no limit."""

    sessions: int = 0
    """Conversations at once, with those that may begin on a socket that is open."""
    speaking: int = 0
    """Avatars that speak at once."""
    late: float = LATE_MOST
    """Share of the picture messages of the last seconds that may come after their sound; 1 is no limit."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Why somebody is not let in."""

    reason: str
    retry_s: int
    """When it may be worth while to try again, in seconds."""

    @property
    def sentence(self) -> str:
        """For the person who is turned away."""
        return f"{self.reason}; try again in {self.retry_s} s"


class Admission:
    """Records onward, and knows how full it is."""

    def __init__(self, onward: Recording, limits: Limits = Limits(), now: Callable[[], float] = time.monotonic) -> None:
        self._onward = onward
        self.limits = limits
        """May be set anew at any time: those that are here stay."""
        self._now = now
        self._levels = {"avatar_sessions_active": 0.0, "avatar_sessions_speaking": 0.0}
        self._here: set[object] = set()
        """Clients that were let in and have not left."""
        self._silent: set[object] = set()
        """Those of them that have begun no conversation."""
        self._away: deque[float] = deque(maxlen=MOST_AWAY)
        """When each of those knocks is forgotten."""
        self._seconds: deque[list[int]] = deque(maxlen=WINDOW_S)
        """Of the newest seconds in which pictures were sent: which one, messages, and how many of them were late."""

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        """See streaming.metrics.Record."""
        if name in self._levels:
            self._levels[name] += value
        elif name == "avatar_deadline_slack_seconds":
            second = int(self._now())
            if not self._seconds or self._seconds[-1][0] != second:
                self._seconds.append([second, 0, 0])
            self._seconds[-1][1] += 1
            self._seconds[-1][2] += value < 0
        self._onward.record(name, value, labels)

    def text(self) -> bytes:
        """See serve_app.instruments.Recording."""
        return self._onward.text()

    @property
    def conversations(self) -> int:
        """That are under way."""
        return int(self._levels["avatar_sessions_active"])

    @property
    def taken(self) -> int:
        """Places that are taken: conversations, and clients that may begin one."""
        return self.conversations + len(self._silent)

    @property
    def turned_away(self) -> int:
        """Knocks of the last minute for which nobody was let in."""
        while self._away and self._away[0] <= self._now():
            self._away.popleft()
        return len(self._away)

    def limit(self, sessions: int) -> None:
        """From now on so many conversations at once; 0 is no limit."""
        self.limits = replace(self.limits, sessions=sessions)

    def knock(self, *, back: bool = False) -> Busy | None:
        """``refusal``, told to somebody who wants to begin; it is remembered."""
        busy = self.refusal(back=back)
        if busy:
            self._away.append(self._now() + AWAY_S)
        return busy

    def enter(self, client: object, *, back: bool = False) -> Busy | None:
        """``knock``; who is let in has a place from now on, until ``left``."""
        busy = self.knock(back=back)
        if busy is None:
            self._here.add(client)
            self._silent.add(client)
        return busy

    def begun(self, client: object) -> None:
        """Its conversation is recorded now, and takes its place."""
        self._silent.discard(client)

    def left(self, client: object) -> None:
        """It is gone; a conversation that goes on without it keeps the place."""
        self._here.discard(client)
        self._silent.discard(client)

    def refusal(self, *, back: bool = False) -> Busy | None:
        """Why nobody may begin now; None lets somebody in. ``back``: it was here a moment ago."""
        room = ROOM_FOR_THOSE_BACK if back else 1.0
        if _full(len(self._here) if back else self.taken, self.limits.sessions * room):
            return Busy("every conversation that this service can hold is taken", RETRY_FULL_S)
        if _full(self._levels["avatar_sessions_speaking"], self.limits.speaking * room):
            return Busy("as many avatars speak as this service can draw", RETRY_LATE_S)
        if not back and self._levels["avatar_sessions_active"] > 0 and self._late():
            return Busy("this service cannot keep up at the moment", RETRY_LATE_S)
        return None

    async def refused(self, socket: WebSocket) -> bool:
        """Turn a client away if it is full, each in the way that it can read; True if that was done.

        If not, it has a place until ``left``.
        """
        busy = self.enter(socket, back=BACK in socket.query_params)
        if busy is None:
            return False
        self.record("avatar_sessions_rejected_total", 1, {"reason": "busy"})
        if SUBPROTOCOL in socket.scope.get("subprotocols", []):
            await socket.accept(subprotocol=SUBPROTOCOL)
            await socket.close(CLOSE_BUSY, busy.sentence)
        else:
            told = JSONResponse({"detail": busy.sentence}, 503, {"Retry-After": str(busy.retry_s)})
            await socket.send_denial_response(told)
        return True

    def _late(self) -> bool:
        since = self._now() - WINDOW_S
        newest = [second for second in self._seconds if second[0] >= since]
        sent, late = sum(second[1] for second in newest), sum(second[2] for second in newest)
        return sent >= LATE_LEAST and late > sent * self.limits.late


def _full(taken: float, most: float) -> bool:
    return bool(most) and taken >= most
