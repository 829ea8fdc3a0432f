"""How far a reply's sound and pictures are ahead of what its client hears: slack, late pictures, skew, buffer.

Where the client is, it reports four times a second; in between it is taken to play on, and never past what was sent.
Until its first report it is taken to play from the first picture that it was given, or the first sound if there are no
pictures. Times are the driver's milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from streaming.media import FRAME, RATE, FramePacket
from streaming.metrics import Record


class Leads:
    """Those of one reply."""

    def __init__(self, record: Record, turn: int = 0) -> None:
        self._record = record
        self.turn = turn
        self._sent = 0
        """Samples of sound."""
        self._newest: int | None = None
        """pts of the newest picture that was sent."""
        self._heard = 0
        """Samples, at ``_since``; it runs on from there, but in a pause."""
        self._since: int | None = None
        self._paused = False
        self._complete = False
        self._reported = False

    def sound(self, now: int, end: int) -> None:
        """Sound up to ``end`` was sent."""
        self._sent = end
        if self._since is None:
            self._since = now

    def pictures(self, now: int, packets: Sequence[FramePacket]) -> None:
        """Pictures were sent. Before any sound was, none has a deadline."""
        if self._newest is None and not self._reported and self._since is not None:
            self._since = now
        heard = self._at(now)
        if heard is not None:
            self._record("avatar_deadline_slack_seconds", (packets[0].pts - heard) / RATE, {})
            late = sum(packet.pts + FRAME <= heard for packet in packets)
            if late:
                self._record("avatar_frames_late_total", late, {})
        self._newest = packets[-1].pts

    def kept(self, pts: int) -> None:
        """The newest picture is meant to stay up to sample ``pts``: sound is ahead of nothing until then."""
        if self._newest is not None:
            self._newest = max(self._newest, pts - FRAME)

    def played(self, now: int, turn: int, pts: int) -> None:
        """The client reports that ``pts`` of ``turn`` is the first sample that it has not heard."""
        if turn != self.turn or self._since is None:
            return
        self._heard, self._since, self._reported = pts, now, True
        if self._complete:
            return
        self._record("avatar_playout_buffer_seconds", max(self._sent - pts, 0) / RATE, {})
        if self._newest is not None:
            self._record("avatar_av_skew_seconds", max(pts - self._newest - FRAME, 0) / RATE, {})

    def pause(self, now: int, *, paused: bool) -> None:
        """The client falls silent in mid-reply, or goes on."""
        heard = self._at(now)
        if heard is not None:
            self._heard, self._since = heard, now
        self._paused = paused

    def complete(self) -> None:
        """Everything was sent: from here on the buffer runs empty as it should."""
        self._complete = True

    def _at(self, now: int) -> int | None:
        """Sample that is heard now; None before any sound was sent."""
        if self._since is None:
            return None
        went_by = 0 if self._paused else (now - self._since) * RATE // 1000
        return min(self._heard + went_by, self._sent)
