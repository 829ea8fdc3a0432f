"""Our own voice in the microphone: which part of a reply it may be hearing, and whether that explains what it hears.

The client says four times a second how far its loudspeaker is; between two reports it plays on at the pace of the
microphone's own samples. So every microphone sample has a place in the reply, give or take the delay that is searched.
How sounds and words are compared stands in echo.py, what follows from it in conversation.py.
"""

from __future__ import annotations

from dataclasses import replace

from streaming.commands import Transcribe
from streaming.echo import Fit, carried, fit, repeated, without
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES, samples
from streaming.pace import Pace
from streaming.reply import Reply

SLOP = MIC_RATE // 10
"""A report of the playhead may come this much too late: the microphone then heard sound from after it."""


class Guard:
    """The reply that the loudspeaker is playing, or was playing last."""

    def __init__(self, pace: Pace) -> None:
        self.suspect = False
        """True while the listener hears speech that is taken for our own."""
        self.over = False
        """True if the utterance began where a microphone had just heard our own voice."""
        self._pace = pace
        self._reply: Reply | None = None
        self._at = 0
        self._playhead = 0
        self._from = 0
        self._stopped_at: int | None = None
        self._judged = 0
        self._quiet = 0
        self._known: Fit | None = None

    def follow(self, reply: Reply | None, now: int) -> None:
        """Up to microphone sample ``now`` this reply was played, if any; one that is held stands still."""
        if reply is not None and reply.audible and reply is not self._reply:
            self._reply, self._at, self._playhead, self._stopped_at = reply, now, reply.playhead, None
            self._from, self._known = reply.playhead, None
        known = self._reply
        if known is None:
            return
        if known.held:
            self._stopped_at = now if self._stopped_at is None else self._stopped_at
        elif self._stopped_at is not None:
            self._at, self._playhead, self._stopped_at = now, known.playhead, None
            self._from = known.playhead
        elif known.playhead != self._playhead:
            self._at, self._playhead = now, known.playhead

    def suspects(self, heard: bytes, now: int) -> bool:
        """Whether the speech that began is our own voice, by the newest sound ``heard``, which ends at ``now``.

        What was heard before it, of ``echo_before`` samples, tells whether our voice comes to this microphone at all.
        """
        before, newest = (
            heard[: -self._pace.echo_window * SAMPLE_BYTES],
            heard[-self._pace.echo_window * SAMPLE_BYTES :],
        )
        alone = samples(before) >= self._pace.echo_before and not self._reaches(before, now - self._pace.echo_window)
        self.suspect = self._pace.guards_echo and not alone and self._explains(newest, now)
        self.over = self._known is not None
        return self.suspect

    def clears(self, heard: bytes, now: int, quiet: int) -> bool:
        """Whether the suspected speech turns out to be a person's, or a person speaks over it. Asked at every block.

        A block with ``quiet`` after the last voiced sample says nothing, nor does the one that follows it: the listener
        may just have called the speech over.
        """
        quiet, self._quiet = max(quiet, self._quiet), quiet
        if not self.suspect or quiet or now - self._judged < self._pace.echo_every or self._explains(heard, now):
            return False
        self.suspect = False
        return True

    def repeats(self, text: str, begun: int, until: int) -> bool:
        """Whether the words understood between two microphone samples are those that we were saying."""
        reply = self._reply
        if reply is None or not self._pace.guards_echo or self._place(begun + self._pace.pre_roll) >= reply.sent:
            return False  # who speaks after us may well repeat our words
        start, stop = self._place(begun - self._pace.echo_delay - MIC_RATE // 2), self._place(until + SLOP)
        enough = self._pace.echo_words_early if self._early else self._pace.echo_words
        return repeated(text, reply.said(start, stop)) >= enough

    @property
    def _early(self) -> bool:
        return self._playhead < self._pace.echo_early

    def forget(self) -> None:
        """What is said from here on is a person's, and nothing is to be taken out of it."""
        self.suspect, self.over, self._known = False, False, None

    def at_pace(self, pace: Pace) -> None:
        """Other limits from now on."""
        self._pace = pace

    def clean(self, orders: list[Transcribe]) -> list[Transcribe]:
        """The same orders, with our own voice turned down in what is to be understood."""
        return [replace(order, audio=self.cleaned(order.audio, order.until - samples(order.audio))) for order in orders]

    def cleaned(self, heard: bytes, begun: int) -> bytes:
        """Sound from microphone sample ``begun`` on, with our own voice turned down if it was known just before."""
        if self._known is None:
            return heard
        delay, until = self._known.delay, begun + samples(heard)
        stop = until if self._stopped_at is None else min(until, self._stopped_at + delay + SLOP)
        part = max(stop - begun, 0)
        played = self._played(begun - delay, begun - delay + part)
        return without(heard[: part * SAMPLE_BYTES], played, self._known.level) + heard[part * SAMPLE_BYTES :]

    def _reaches(self, heard: bytes, until: int) -> bool:
        if self._reply is None:
            return True
        reach = self._pace.echo_delay + samples(heard)
        return carried(heard, self._played(until - reach, until))

    def _explains(self, heard: bytes, now: int) -> bool:
        if self._reply is None:
            return False
        self._judged = now
        reach = self._pace.echo_delay + self._pace.echo_window
        found = fit(heard, self._played(now - reach, now + SLOP))
        most = self._pace.echo_left_early if self._early else self._pace.echo_left
        if found.left < most:
            self._known = replace(found, delay=found.delay - SLOP)
        return found.left < most

    def _played(self, start: int, stop: int) -> bytes:
        """What the loudspeaker played between two microphone samples, PCM16 at 24 kHz."""
        assert self._reply is not None
        begin = self._playhead + (start - self._at) * RATE // MIC_RATE
        end = begin + (stop - start) * RATE // MIC_RATE
        last = end if self._stopped_at is None else min(end, self._place(self._stopped_at))
        first = min(max(begin, self._from), end)
        sound = self._reply.sound(first, max(first, last))
        return (bytes((first - begin) * SAMPLE_BYTES) + sound).ljust((end - begin) * SAMPLE_BYTES, b"\0")

    def _place(self, at: int) -> int:
        """Sample of the reply that was played at microphone sample ``at``, had it never paused before."""
        last = at if self._stopped_at is None else min(at, self._stopped_at)
        return self._playhead + (last - self._at) * RATE // MIC_RATE
