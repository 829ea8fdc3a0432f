"""The planner of Ditto: from how a reply stands and what its replica told, the plan of the next span.

It runs where the conversation is and needs neither networks nor a GPU. Of a state it reads where its track stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from actors.face.ditto.memory import standing
from actors.face.ditto.motion.audio import CHUNK_REACH
from actors.face.ditto.plan import DEFAULT, EVERY, FRAME_MS, LEAST_STEPS, PUBLISHED, STILL, Standing, choose, hearable
from actors.face.ditto.spec import CHUNK_FRAMES, WINDOW
from streaming.media import FRAME, frames_for
from streaming.stages import Ahead, FaceLoad


@dataclass(frozen=True, slots=True)
class Planner:
    """``streaming.stages.Planner``. Under overload each rung keeps what the ones before it gave up."""

    steps: int = 10
    """Of the sampler, where nothing presses."""
    strides: tuple[int, ...] = PUBLISHED
    """Those that may be chosen; 20 and 40 only where they are named here."""

    grain: ClassVar[int] = CHUNK_FRAMES
    """Frames that are heard at once."""
    look_ahead: ClassVar[int] = CHUNK_REACH
    """Samples at 24 kHz that must be known past the last of them: those that the next ones need."""
    sound: ClassVar[int] = (WINDOW + 2 * CHUNK_FRAMES) * FRAME + CHUNK_REACH
    """Samples past a span that are of use: what the widest window hears from the span's last frame on."""

    def __post_init__(self) -> None:
        """Raises ValueError for what no plan can hold."""
        object.__setattr__(self, "strides", tuple(self.strides))
        if not self.strides or not set(self.strides) <= set(EVERY):
            raise ValueError(f"strides are one or more of {', '.join(map(str, EVERY))}, not {list(self.strides)}")
        if CHUNK_FRAMES not in self.strides:
            raise ValueError(f"a reply needs strides of {CHUNK_FRAMES} to begin and to end; allow them")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps are 1 to 1000, not {self.steps}")

    def __call__(self, ahead: Ahead, load: FaceLoad | None) -> str:
        """The plan; ``""`` for an engine that tells nothing of itself, or has not told anything yet."""
        if load is None:
            return ""
        if load.rung == "still":
            return STILL
        every = 2 if load.rung == "rate" else 1
        steps = min(self.steps, max(self.steps // 2, LEAST_STEPS)) if load.rung else self.steps
        cost = replace(load, frame_ms=load.frame_ms / every)
        first = ahead.pts // FRAME
        end, open_ = standing(ahead.state.data) if ahead.state else (first - first % CHUNK_FRAMES, 0)
        ready = max(end - open_ - first, 0)
        total = frames_for(ahead.known)
        now = Standing(
            frames=max(total - end, 0) if ahead.last else hearable(end, ahead.known),
            open=open_,
            slack_ms=ahead.slack_ms + ready * (FRAME_MS - cost.frame_ms),
            ended=ahead.last,
        )
        wanted = first + ahead.want_frames - (end - open_)
        plan = replace(choose(now, cost, wanted=wanted, steps=steps, allowed=self.strides), every=every)
        return "" if plan == DEFAULT else str(plan)
