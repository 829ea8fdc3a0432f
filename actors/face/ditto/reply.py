"""A reply's motion, window by window: which sound is listened to, when a window is run, and what comes of it.

It knows no pictures. Networks are two functions here: one hears a chunk, one runs a window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from actors.face.ditto.memory import Memory, begin
from actors.face.ditto.motion import condition, windows
from actors.face.ditto.motion.audio import CHUNK_REACH, Sound
from actors.face.ditto.plan import PUBLISHED, Plan, fits, hearable
from actors.face.ditto.runtime import Window
from actors.face.ditto.spec import CHUNK_FRAMES, WINDOW, Array
from streaming.media import FRAME

Run = Callable[[Array, Array, int, int, int], Array]
"""(condition frame (265,), condition rows (80, 1103), seed, number of the window, steps) to motion (80, 265)."""

LEAST = 9 * FRAME + (CHUNK_REACH - CHUNK_FRAMES * FRAME)
"""Samples at 24 kHz (0.45 s) that must be known past a frame's end, unless the reply ends, whatever the plan is; for
the last of five frames 0.29 s are enough."""

_IDLE = Plan((70,), 10)


class TooLittleSound(ValueError):
    """A frame was asked for whose sound is not known yet."""


@dataclass(frozen=True, slots=True)
class Mind:
    """What the diffusion is told that does not change in a reply."""

    source: Array
    """(265,) the avatar's own motion vector."""
    emotion: Array
    """(m, 8)"""
    eye_open: Array
    """(m, 2) of the frames of a film, to and fro; of a portrait one row."""
    eye_ball: Array
    """(m, 6)"""
    keypoints: Array
    """(63,)"""


@dataclass(frozen=True, slots=True)
class Step:
    """A window that will be run."""

    stride: int
    heard: int
    """Frame up to which features must be there."""
    finished: int
    """Frame up to which motion is finished then."""


def steps_to(
    frame: int, memory: Memory, sound: Sound, total: int | None, plan: Plan, begun: int
) -> tuple[Step, ...]:  # fmt: skip
    """The windows that are run from here until ``frame`` is finished.

    ``total``: frames of the reply if its end is known; ``begun``: number of the window that is the span's first.
    Raises TooLittleSound.
    """
    steps: list[Step] = []
    end, finished = memory.track.end, memory.track.finished
    while finished <= frame:
        stride = plan.stride(memory.track.windows + len(steps) - begun)
        try:
            stride = stride if total is not None else _fitting(end, stride, plan, sound)
        except TooLittleSound as error:
            raise TooLittleSound(
                f"frame {frame} needs {error}; send {LEAST} samples past the last wanted frame"
                f" (look_ahead_ms = {-(-LEAST // 24)})"
            ) from None
        end += stride
        finished = end - windows.kept_back(stride)
        steps.append(Step(stride, end, finished))
    return tuple(steps)


def _fitting(end: int, stride: int, plan: Plan, sound: Sound) -> int:
    """This stride, or the next narrower one that the sound is enough for. Raises TooLittleSound."""
    heard = hearable(end, sound.end)
    for narrower in sorted({*plan.strides, *PUBLISHED}, reverse=True):
        if narrower <= stride and fits(narrower, heard):
            return narrower
    raise TooLittleSound(f"sound up to sample {end * FRAME + CHUNK_REACH}, known are {sound.end}")


def listened(memory: Memory, until: int, total: int | None, feature: Callable[[int], Array]) -> Memory:
    """With the features of the frames before ``until``; ``feature`` gives those (5, 1024) of a chunk by its frame."""
    audio, heard = memory.audio, memory.heard
    while heard < until:
        if total is not None and heard >= total:
            more = np.repeat(audio[-1:], CHUNK_FRAMES, 0)  # past the end the last feature stays, as published
        else:
            more = feature(heard).astype(np.float16)
        audio, heard = np.concatenate([audio, more])[-WINDOW:], heard + CHUNK_FRAMES
    return replace(memory, audio=audio, heard=heard)


def window(memory: Memory, stride: int, steps: int, seed: int, mind: Mind) -> Window:
    """The next window, which brings ``stride`` frames; what it hears must be there."""
    track = memory.track
    rows = condition.rows(
        memory.audio.astype(np.float32), track.end + stride - WINDOW, mind.emotion, mind.eye_open, mind.eye_ball,
        mind.keypoints, memory.idle_frame,
    )  # fmt: skip
    return Window(windows.condition(track, stride, mind.source), rows, seed, track.windows, steps)


def joined(memory: Memory, made: Array, stride: int) -> Memory:
    """With a window (80, 265) that was run."""
    track = windows.joined(memory.track, made, stride)
    return replace(memory, track=track, first=memory.first if memory.track.windows else track.frames[0])


def idle(silence: Array, frames: int, seam: int, mind: Mind, run: Run) -> tuple[Array, Array]:
    """Motion (frames, 265) of nobody speaking that closes into a loop, and the frame that it is relative to.

    ``seam``: frames over which the loop's beginning is faded into from its end.
    """
    memory = begin(0, silence)
    made: list[Array] = []
    while len(made) < frames + seam:
        had = max(memory.track.finished, 0)
        asked = window(memory, _IDLE.strides[0], _IDLE.steps, 0, mind)
        memory = joined(memory, run(asked.frame, asked.rows, 0, asked.number, asked.steps), _IDLE.strides[0])
        made += [memory.track.at(frame) for frame in range(had, memory.track.finished)]
    loop, after = np.stack(made[:frames]), np.stack(made[frames : frames + seam])
    share = (np.arange(seam, dtype=np.float32) / seam)[:, None]
    loop[:seam] = after * (1 - share) + loop[:seam] * share
    return loop, memory.first
