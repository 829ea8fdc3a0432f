"""The pictures of one reply: which span the face is asked for next, and what has come of it.

One span is drawn at a time; a lost replica's is asked for again, once, and no picture is taken twice. How a span is
drawn, its plan, is chosen here by a function that is given; what the face leaves out by it is told to the client. This
file knows neither text nor voice nor how far the client is: reply.py says how much may be drawn now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from streaming.commands import Animate, Frames, Kept, Notice
from streaming.events import FaceEnded, FramesReady
from streaming.media import FRAME, RATE, FramePacket, frames_for
from streaming.pace import Pace
from streaming.stages import Ahead, Codec, FaceLoad, FaceState, Planner, Rung, Span
from streaming.timeline import CONTEXT, Timeline

IDLE_FRAMES = 250

ALONE_EVERY = RATE
"""Least distance of two pictures that a client asked to stand alone, in samples at 24 kHz: each is large."""

UNHURRIED_MS = 3_600_000
"""Slack of a reply that nobody hears as it is made, of a file: none of its pictures comes too late."""

REASONS: dict[Rung, str] = {
    "": "the face is drawn as usual again",
    "steps": "the service is busy: the face's motion is worked out in fewer steps",
    "rate": "the service is busy: every second picture of the face is left out",
    "still": "the service is busy: the face stands still while the voice goes on",
}
"""What a client is told of each rung."""


@dataclass(slots=True)
class Planning:
    """How spans are planned; one for all replies of a conversation, so that a reply begins with what the last met."""

    planner: Planner | None = None
    """None: every span has the plan ""."""
    load: FaceLoad | None = None
    """The newest that a replica told."""
    shown: Rung = ""
    """The rung that the client knows of."""

    def plan(self, ahead: Ahead) -> str:
        """Of the span that is about to be asked for."""
        return self.planner(ahead, self.load) if self.planner else ""

    def news(self) -> Rung | None:
        """The rung, if it is another one than the client knows of; it is told now."""
        if self.planner is None or self.load is None or self.load.rung == self.shown:
            return None
        self.shown = self.load.rung
        return self.shown


class Drawing:
    """What the face is doing for reply ``turn``. ``codec`` None draws nothing."""

    def __init__(
        self,
        session: str,
        turn: int,
        pace: Pace,
        late: Counter[str],
        *,
        seed: int,
        idle_frame: int,
        codec: Codec | None,
        planning: Planning | None = None,
    ) -> None:
        """``late`` counts the events that came for what is over."""
        self._late = late
        self._session = session
        self._turn = turn
        self._pace = pace
        self._seed = seed
        self._idle_frame = idle_frame
        self._codec: Codec | None = codec
        self._drawn = 0
        self._alone = 0
        self._fresh = False
        self._arrived = 0
        self._span: Animate | None = None
        self._state: FaceState | None = None
        self._packets: list[FramePacket] = []
        self._kept = 0
        """Sample before which no more pictures come, where that is to be told."""
        self._planning = planning or Planning()

    def finished(self, total: int) -> bool:
        """True if nothing is left to draw of ``total`` samples."""
        return self._codec is None or (self._span is None and self._drawn >= total)

    def idle_frame(self, total: int) -> int:
        """Frame of the idle loop that follows ``total`` samples of the reply."""
        return (self._idle_frame + frames_for(total)) % IDLE_FRAMES

    def stop(self) -> None:
        """The face failed: draw nothing more."""
        self._span, self._codec = None, None

    def shown_from(self, idle_frame: int) -> None:
        """The frame of the idle loop at which the reply began, if it is known better now."""
        self._idle_frame = idle_frame

    def regain(self, pts: int, known: int) -> None:
        """Draw from ``pts`` on, whatever was drawn before: the client has nothing after it.

        ``known``: no picture can have been drawn past this sample.
        """
        most = max(frames_for(known) * FRAME, self._drawn)
        self._drawn = self._arrived = min(pts // FRAME * FRAME, most)
        self._span = self._state = None
        self._packets.clear()
        self._kept = 0

    # ---- what comes ----------------------------------------------------------------------------------------

    def drew(self, event: FramesReady) -> None:
        """Pictures of the span that is being drawn; none is taken twice."""
        for packet in event.packets:
            if self._span is None or packet.pts < self._arrived:
                self._late["FramesReady"] += 1
                continue
            self._packets.append(packet)
            self._arrived = packet.pts + FRAME

    def drew_span(self, event: FaceEnded) -> bool:
        """The span that is being drawn is complete; False for the end of an earlier attempt: it says nothing."""
        if self._span is None or event.state.pts != self._drawn:
            self._late["FaceEnded"] += 1
            return False
        self._state, self._span = event.state, None
        if self._arrived < self._drawn:
            self._arrived = self._kept = self._drawn
        self._planning.load = event.state.load or self._planning.load
        return True

    def take(self) -> Iterator[Frames | Kept | Notice]:
        """What is to be told of the pictures that came since the last time."""
        if self._packets:
            yield Frames(self._turn, tuple(self._packets))
        if self._kept:
            yield Kept(self._turn, self._kept)
        self._kept = 0
        self._packets.clear()
        if (rung := self._planning.news()) is not None:
            yield Notice(self._turn, rung, REASONS[rung])

    # ---- what is asked for ---------------------------------------------------------------------------------

    def refresh(self) -> None:
        """The client needs a picture that stands alone, unless one is under way: the next span begins with it."""
        self._fresh = self._fresh or self._arrived > self._alone

    def next(self, timeline: Timeline, playhead: int, horizon: int | None, *, spoken: bool) -> Animate | None:
        """The next span, if enough is known for one. Nothing past ``horizon``; ``spoken``: no more sound will come."""
        if self._span is not None or self._codec is None:
            return None
        total = timeline.total
        grain = self._pace.span_grain
        sure = max(total - self._pace.look_ahead, 0) // (grain * FRAME) * grain
        known = frames_for(total) if spoken else sure
        wanted = known if horizon is None else min(known, horizon // FRAME)
        done = self._drawn // FRAME
        count = min(wanted - done, self._pace.span_frames)
        last = spoken and done + count == frames_for(total)
        if not last:  # the face must not come so near to an end that it has not been told of
            count = min(count, sure - done)
        if count <= 0 or not (last or done == 0 or count >= self._pace.span_least):
            return None
        fresh = self._fresh and self._drawn >= self._alone + ALONE_EVERY
        if fresh:
            self._fresh, self._alone = False, self._drawn
        span = self._span_of(timeline, playhead, count, last=last, fresh=fresh)
        self._span = Animate(self._turn, span, self._state)
        self._drawn += count * FRAME
        return self._span

    def again(self) -> tuple[int, Animate] | None:
        """The span under way once more, without what arrived of it, and its pts; None if there is none."""
        if self._span is None:
            return None
        span = self._span.span
        self._span = replace(self._span, span=replace(span, skip=(self._arrived - span.pts) // FRAME))
        return span.pts, self._span

    def _span_of(self, timeline: Timeline, playhead: int, count: int, *, last: bool, fresh: bool) -> Span:
        pts = self._drawn
        stop = min(timeline.total, pts + count * FRAME + self._pace.span_sound)
        unhurried = self._pace.send_lead is None
        slack_ms = UNHURRIED_MS if unhurried else (pts - playhead) * 1000 // RATE
        return Span(
            session=self._session,
            turn=self._turn,
            pts=pts,
            pcm24k=timeline.sound(pts, stop),
            want_frames=count,
            phones=timeline.phones(pts - CONTEXT, stop),
            last=last,
            seed=self._seed,
            plan=self._planning.plan(Ahead(pts, count, stop, last, slack_ms, self._state)),
            codec=self._codec or "h264",
            slack_ms=slack_ms,
            idle_frame=self._idle_frame,
            fresh=fresh,
        )
