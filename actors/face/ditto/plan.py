"""How a reply is drawn: how many new frames each window brings, and in how many steps it is sampled.

Few new frames a window begin a reply early, many cost less for each frame. The plan is chosen here, outside the stage,
by a pure function of what is known at that moment; it travels in ``Span.plan`` and is kept in the journal, so that a
replay draws the same pictures. This file knows no clock: costs are measured elsewhere and given to it.

Strides of 5, 10 and 70 are those of published settings. What 20 and 40 look like nobody could judge here, for that
needs the trained weights; they are used only where they are allowed by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from actors.face.ditto.motion.windows import kept_back
from actors.face.ditto.spec import CHUNK_FRAMES

PUBLISHED = (5, 10, 70)
EVERY = (5, 10, 20, 40, 70)
FRAME_MS = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """``strides`` for the windows of a span in turn, the last one again and again; ``steps`` of the sampler."""

    strides: tuple[int, ...] = (5,)
    steps: int = 10

    def __str__(self) -> str:
        return f"strides={','.join(map(str, self.strides))};steps={self.steps}"

    def stride(self, window: int) -> int:
        """Of the span's window number ``window``."""
        return self.strides[min(window, len(self.strides) - 1)]


DEFAULT = Plan()
_FORM = re.compile(r"strides=(\d{1,2}(?:,\d{1,2})*);steps=(\d{1,4})")


def parse(text: str) -> Plan:
    """The plan that a span carries; ``""`` is the default. Raises ValueError that says what a plan looks like."""
    if not text:
        return DEFAULT
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"a plan looks like {str(DEFAULT)!r}, not like {text[:80]!r}")
    plan = Plan(tuple(map(int, found[1].split(","))), int(found[2]))
    if not set(plan.strides) <= set(EVERY) or not 1 <= plan.steps <= 1000:
        raise ValueError(f"strides are of {', '.join(map(str, EVERY))} and steps 1 to 1000; the plan says {text!r}")
    return plan


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured of a replica, in milliseconds."""

    chunk_ms: float
    """The audio encoder, five frames of sound."""
    window_ms: float
    """All steps of a window."""
    frame_ms: float
    """One picture: warped, decoded, pasted and encoded."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Where a reply stands."""

    frames: int
    """Frames of sound that are known and in no window yet."""
    open: int = 0
    """Frames that the window before kept back; 0 before the first."""
    slack_ms: float = 0.0
    """Time until the first frame that no window has finished is due."""


def choose(ahead: Ahead, cost: Cost, *, steps: int = 10, allowed: tuple[int, ...] = PUBLISHED) -> Plan:
    """Strides for all the sound that is known: the widest that are in time; if none is, what catches up soonest.

    Raises ValueError if ``allowed`` names no stride.
    """
    if not allowed or not set(allowed) <= set(EVERY):
        raise ValueError(f"allow at least one stride, of {', '.join(map(str, EVERY))}; these are {allowed}")
    chosen: list[int] = []
    left, held, slack = ahead.frames, ahead.open, ahead.slack_ms
    while left >= CHUNK_FRAMES:
        fitting = [stride for stride in allowed if stride <= left]
        if not fitting:
            break
        stride = _widest(fitting, held, slack, cost)
        chosen.append(stride)
        given = held + stride - kept_back(stride)
        slack += given * (FRAME_MS - cost.frame_ms) - _until(stride, cost)
        left, held = left - stride, kept_back(stride)
    return Plan(tuple(chosen) or (min(allowed),), steps)


def _until(stride: int, cost: Cost) -> float:
    """Milliseconds of work until a window of ``stride`` is done."""
    return stride / CHUNK_FRAMES * cost.chunk_ms + cost.window_ms


def _widest(fitting: list[int], held: int, slack: float, cost: Cost) -> int:
    """The widest whose first picture is in time; else, of those that win time, the one whose picture comes soonest."""

    def first_picture(stride: int) -> float:
        if held + stride > kept_back(stride):
            return _until(stride, cost) + cost.frame_ms
        again = min(fitting)  # a first window that keeps all back needs a second one
        return _until(stride, cost) + _until(again, cost) + cost.frame_ms

    in_time = [stride for stride in fitting if first_picture(stride) <= slack]
    if in_time:
        return max(in_time)
    winning = [stride for stride in fitting if _until(stride, cost) < stride * (FRAME_MS - cost.frame_ms)]
    return min(winning, key=lambda stride: (first_picture(stride), -stride)) if winning else max(fitting)
