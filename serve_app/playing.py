"""A loudspeaker and a screen that are not there: how far a reply would have been heard by now.

Plays as the page does. A reply begins when 100 ms of its sound and the pictures above them are there; no sound runs
past the newest picture; after a gap it waits for 200 ms. Pure: time is given, in seconds of any one clock. This file
knows no socket and no task.
"""

from __future__ import annotations

from serve_app.units import Cut, End, Flush, Hold, Kept, Notice, Picture, Resume, Sound, State, Told
from streaming.media import FRAME, RATE, samples

START = RATE // 10
"""Samples at 24 kHz that must be there before a reply begins: 100 ms."""

RESTART = RATE // 5
"""The same after a gap: 200 ms."""

IDLE = 250 * FRAME
"""Samples at 24 kHz of the idle loop: 250 frames."""


class Playhead:
    """Give it every unit and the time; it says which sample of which turn is heard at a time."""

    def __init__(self, now: float, *, pictures: bool = True) -> None:
        """``pictures`` False: none were asked for, so sound waits for none."""
        self.pictures = pictures
        self._turn = 0
        self._now = now
        self._idle_from, self._idle_since = 0, now
        self._clear(0)

    def _clear(self, turn: int) -> None:
        self._turn = turn
        self._pts = 0.0
        self._sounded = self._seen = 0
        self._total: int | None = None
        self._idle_frame = 0
        self._wanted = START
        self._held = self._playing = False
        self._blind = not self.pictures

    def take(self, unit: Told, now: float) -> None:
        """A unit came at ``now``."""
        self._advance(now)
        match unit:
            case State("thinking", turn):
                self._clear(turn)
            case Sound(turn, pts, pcm) if turn == self._turn:
                self._sounded = max(self._sounded, pts + samples(pcm))
            case Picture(turn, pts) if turn == self._turn:
                self._seen = max(self._seen, pts + FRAME)
            case Kept(turn, pts) if turn == self._turn:
                self._seen = max(self._seen, pts)
            case Notice(turn, "voice") if turn == self._turn:
                self._blind = True
            case End(turn, pts, idle_frame) if turn == self._turn:
                self._total, self._idle_frame = pts, idle_frame
            case Hold(turn) if turn == self._turn:
                self._held = True
            case Resume(turn) if turn == self._turn:
                self._held = False
            case Flush(turn) | Cut(turn) if turn == self._turn:
                self._idle(now)
            case _:
                return
        self._advance(now)

    def at(self, now: float) -> tuple[int, int]:
        """Turn and sample that is heard at ``now``; turn 0 is the idle loop. Says a reply's length once, then idles."""
        self._advance(now)
        if self._turn == 0:
            return 0, (self._idle_from + round((now - self._idle_since) * RATE)) % IDLE
        heard = self._turn, int(self._pts)
        if self.over:
            self._idle(now)
        return heard

    @property
    def over(self) -> bool:
        """True when the reply has been heard to its end, and that was not said yet."""
        return self._turn > 0 and self._total is not None and self._pts >= self._total

    def ends_in(self, now: float) -> float | None:
        """Seconds until the reply's last sample is heard, if nothing happens; None if that cannot be known."""
        self._advance(now)
        if self._turn == 0 or self._total is None or (not self._playing and not self.over):
            return None
        return (self._total - self._pts) / RATE

    def _idle(self, now: float) -> None:
        self._idle_from, self._idle_since = self._idle_frame * FRAME, now
        self._clear(0)

    def _limit(self) -> int:
        """What may be heard of the reply so far; nothing is missing once its end is known."""
        if self._total is not None:
            return self._total
        return self._sounded if self._blind else min(self._sounded, self._seen)

    def _advance(self, now: float) -> None:
        passed, self._now = max(now - self._now, 0.0), max(now, self._now)
        if self._turn == 0 or self._held:
            return
        limit = self._limit()
        if self._playing:
            self._pts = min(self._pts + passed * RATE, float(limit))
            if self._pts >= limit:
                self._playing, self._wanted = False, RESTART
        left = limit - self._pts
        if not self._playing and left > 0:
            wanted = self._wanted if self._total is None else min(self._wanted, self._total - self._pts)
            self._playing = left >= wanted
