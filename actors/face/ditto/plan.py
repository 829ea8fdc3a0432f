"""How a reply is drawn: how many new frames each window brings, in how many steps it is sampled, which are drawn.

Few new frames a window begin a reply early, many cost less for each frame. The plan is chosen here, outside the stage,
by a pure function of what is known at that moment; it travels in ``Span.plan`` and is kept in the journal, so that a
replay draws the same pictures. This file knows no clock: costs are measured elsewhere and given to it.

Strides of 5, 10 and 70 are those of published settings. What 20 and 40 look like nobody could judge here, for that
needs the trained weights; they are used only where they are allowed by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from actors.face.ditto.motion.audio import CHUNK_REACH
from actors.face.ditto.motion.windows import kept_back
from actors.face.ditto.spec import CHUNK_FRAMES
from streaming.media import FRAME
from streaming.stages import FaceLoad

PUBLISHED = (5, 10, 70)
EVERY = (5, 10, 20, 40, 70)
FRAME_MS = 40
STILL = "still"


@dataclass(frozen=True, slots=True)
class Plan:
    """``strides`` for the windows of a span in turn, the last one again and again; ``steps`` of the sampler.

    ``every`` second frame is drawn if it is 2, none if it is 0. The motion is that of all frames in any case.
    """

    strides: tuple[int, ...] = (5,)
    steps: int = 10
    every: int = 1

    def __str__(self) -> str:
        if not self.every:
            return STILL
        rest = f";every={self.every}" if self.every > 1 else ""
        return f"strides={','.join(map(str, self.strides))};steps={self.steps}{rest}"

    def stride(self, window: int) -> int:
        """Of the span's window number ``window``."""
        return self.strides[min(window, len(self.strides) - 1)]

    def draws(self, frame: int, total: int | None) -> bool:
        """Whether there is a picture of the reply's frame; of its last one, where its end is known, while any is."""
        return self.every > 0 and (frame % self.every == 0 or frame + 1 == total)


DEFAULT = Plan()
LEAST_STEPS = 5
_STILL = Plan((70,), LEAST_STEPS, 0)
"""Motion that nobody sees costs as little as can be."""
_FORM = re.compile(r"strides=(\d{1,2}(?:,\d{1,2})*);steps=(\d{1,4})(;every=2)?")


def parse(text: str) -> Plan:
    """The plan that a span carries; ``""`` is the default. Raises ValueError that says what a plan looks like."""
    if not text:
        return DEFAULT
    if text == STILL:
        return _STILL
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"a plan looks like {str(DEFAULT)!r} or {STILL!r}, not like {text[:80]!r}")
    plan = Plan(tuple(map(int, found[1].split(","))), int(found[2]), 2 if found[3] else 1)
    if not set(plan.strides) <= set(EVERY) or not 1 <= plan.steps <= 1000:
        raise ValueError(f"strides are of {', '.join(map(str, EVERY))} and steps 1 to 1000; the plan says {text!r}")
    return plan


# ---- which windows can be -----------------------------------------------------------------------------------


def hearable(end: int, known: int) -> int:
    """Frames from ``end`` on whose sound can be heard if ``known`` samples of the reply are there; whole chunks."""
    return max((known - end * FRAME - CHUNK_REACH) // (CHUNK_FRAMES * FRAME) + 1, 0) * CHUNK_FRAMES


def fits(stride: int, heard: int) -> bool:
    """Whether a window may bring ``stride`` frames of those that can be heard, in a reply that goes on.

    A wide one keeps ten frames back and is taken only where the sound that finishes them is there, too. So whatever
    the plans are, a frame is finished as soon as with the narrowest: two chunks after its own has begun.
    """
    return heard >= (stride if stride == CHUNK_FRAMES else stride + CHUNK_FRAMES)


# ---- the choice --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a reply's motion stands."""

    frames: int
    """Frames of sound that can be heard and are in no window yet."""
    open: int = 0
    """Frames that the window before kept back; 0 before the first."""
    slack_ms: float = 0.0
    """Time until the first frame that no window has finished is due."""
    ended: bool = False
    """No more sound follows."""


def choose(
    standing: Standing, cost: FaceLoad, *, wanted: int | None = None, steps: int = 10,
    allowed: tuple[int, ...] = PUBLISHED,
) -> Plan:  # fmt: skip
    """Strides until ``wanted`` more frames are finished, else for all the sound that is known: the widest that are in
    time; if none is, what catches up soonest.

    Raises ValueError if ``allowed`` names no stride.
    """
    if not allowed or not set(allowed) <= set(EVERY):
        raise ValueError(f"allow at least one stride, of {', '.join(map(str, EVERY))}; these are {allowed}")
    chosen: list[int] = []
    now = standing
    wanted = standing.open + standing.frames if wanted is None else wanted
    while wanted > 0:
        fitting = [stride for stride in allowed if now.ended or fits(stride, now.frames)]
        if not fitting:
            break
        stride = _widest(fitting, now, cost)
        chosen.append(stride)
        given = now.open + stride - kept_back(stride)
        slack = now.slack_ms + given * (FRAME_MS - cost.frame_ms) - _until(stride, now, cost)
        now = Standing(max(now.frames - stride, 0), kept_back(stride), slack, now.ended)
        wanted -= given
    return Plan(tuple(chosen) or (min(allowed),), steps)


def _until(stride: int, now: Standing, cost: FaceLoad) -> float:
    """Milliseconds of work until a window of ``stride`` is done; past a reply's end nothing is heard."""
    return min(stride, now.frames) / CHUNK_FRAMES * cost.chunk_ms + cost.window_ms


def _widest(fitting: list[int], now: Standing, cost: FaceLoad) -> int:
    """The widest whose first picture is in time; else, of those that win time, the one whose picture comes soonest."""

    def first_picture(stride: int) -> float:
        alone = _until(stride, now, cost) + cost.frame_ms
        if now.open + stride > kept_back(stride):
            return alone
        return alone + _until(min(fitting), now, cost)  # a first window that keeps all back needs a second one

    in_time = [stride for stride in fitting if first_picture(stride) <= now.slack_ms]
    if in_time:
        return max(in_time)
    winning = [stride for stride in fitting if _until(stride, now, cost) < stride * (FRAME_MS - cost.frame_ms)]
    return min(winning, key=lambda stride: (first_picture(stride), -stride)) if winning else max(fitting)
