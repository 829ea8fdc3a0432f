"""How head, brows and eyes accompany speech: what is added to the idle motion while somebody speaks.

Everything fades in from the reply's first frame and is over at its last, so that a reply begins and ends on the
idle loop. It draws nothing and knows nothing of lips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.chance import drift, normal, unit
from actors.face.portrait.hearing import loudness, usual_pitch
from actors.face.portrait.idle import BLINK, frames_to_blink, idle_pose
from actors.face.portrait.memory import NOW, Memory
from actors.face.portrait.pose import Pose
from actors.face.portrait.visemes import visemes_of
from streaming.media import FPS, FRAME, RATE
from streaming.stages import Phone

_MS = RATE // 1000
_STEP = 10 * _MS
_FADE_IN, _FADE_OUT = 10, 6  # frames
_WIDE = np.exp(-0.5 * (np.arange(-24, 25) / 10.0) ** 2)
_PITCH_PX = -6.0  # for an octave: the head rises with the voice
_YAW_PX, _ROLL, _SHIFT_PX, _DRIFT_MS = 3.2, 0.010, 1.2, 560
_NOD_PX, _NOD_MS, _NOD_LATE_MS, _NOD_REACH_MS = 1.5, 110, 30, 240
_BROW_PX, _BROW_OCTAVE, _BROW_APART = 3.4, 0.1, 70
_YAW, _ROLLING, _SHIFT, _CHOICES = range(4)  # streams of chance


def pose_of(frame: int, phones: Sequence[Phone], left: int, memory: Memory) -> Pose:
    """The pose of a frame without its lips; takes its random decisions into ``memory``.

    ``phones`` are the sounded ones near the frame, ``left`` the frames that follow it in the reply (or any large
    number while more is to come).
    """
    idle = idle_pose(memory.idle_frame + frame)
    fade = _smooth((frame + 0.5) / _FADE_IN) * _smooth((left + 0.5) / _FADE_OUT)
    moving = fade * _envelope(memory)
    middle = frame * FRAME + FRAME // 2
    beat = middle / (_DRIFT_MS * _MS)
    _consider_brows(frame, phones, memory)
    _consider_blink(frame, left, memory)
    _consider_gaze(frame, memory)
    eyes = 1.0 if frame > 3 and left > 2 else 0.0
    return replace(
        idle,
        tx=idle.tx + _SHIFT_PX * moving * drift(memory.seed, _SHIFT, beat),
        yaw=idle.yaw + _YAW_PX * moving * drift(memory.seed, _YAW, beat),
        roll=idle.roll + _ROLL * moving * drift(memory.seed, _ROLLING, beat),
        pitch=idle.pitch + moving * _PITCH_PX * _raised_voice(memory) + fade * _nod(middle, phones),
        brow=fade * _brow(middle, memory),
        lid=max(idle.lid, _lid(frame, memory)),
        gaze_x=min(3.4, max(-3.4, idle.gaze_x + eyes * memory.gaze_x)),
        gaze_y=min(1.4, max(-1.4, idle.gaze_y + eyes * memory.gaze_y)),
    )


def _smooth(x: float) -> float:
    x = min(1.0, max(0.0, x))
    return x * x * (3 - 2 * x)


def _near_now(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[NOW - 24 : NOW + 25]


def _envelope(memory: Memory) -> float:
    """How much somebody is speaking, 0-1, smoothed over 240 ms to either side."""
    heard = np.minimum(_near_now(loudness(memory)), 1.0)
    return _smooth(1.6 * float((heard * _WIDE).sum() / _WIDE.sum()))


def _raised_voice(memory: Memory) -> float:
    """Pitch above its running median in octaves, smoothed, between -0.6 and 0.6."""
    usual = usual_pitch(memory)
    if usual is None:
        return 0.0
    pitch = _near_now(memory.pitch)
    weight = _WIDE * (pitch > 0)
    raised = np.clip(pitch - usual, -0.8, 0.8)
    return float(np.clip((weight * raised).sum() / (weight.sum() + 4.0), -0.6, 0.6))


def _accents(phones: Sequence[Phone]) -> list[float]:
    """Middles of the vowels with primary stress, in samples."""
    return [
        p.start + p.samples / 2
        for p in phones
        if p.stress == 1 and any(viseme.vowel for viseme, _ in visemes_of(p.symbol))
    ]


def _nod(middle: int, phones: Sequence[Phone]) -> float:
    depth = 0.0
    for accent in _accents(phones):
        off = (middle - accent) / _MS - _NOD_LATE_MS
        if abs(off) < _NOD_REACH_MS:
            depth += math.exp(-0.5 * (off / _NOD_MS) ** 2) * _smooth(4 * (1 - abs(off) / _NOD_REACH_MS))
    return _NOD_PX * min(depth, 1.2)


def _consider_brows(frame: int, phones: Sequence[Phone], memory: Memory) -> None:
    """Raise the brows on a stressed vowel that is also high, as soon as its pitch is known."""
    newest = 4 * frame + 23
    for accent in _accents(phones):
        step = int(accent // _STEP)
        if not newest - 4 < step <= newest or step - memory.brows_at[1] < _BROW_APART:
            continue
        place = NOW + step - (4 * frame + 2)
        pitch = memory.pitch[place - 3 : place + 4]
        usual = usual_pitch(memory)
        if usual is not None and (pitch > 0).any() and pitch[pitch > 0].mean() - usual > _BROW_OCTAVE:
            memory.brows_at = np.array([memory.brows_at[1], float(step)])


def _brow(middle: int, memory: Memory) -> float:
    height = 0.0
    for step in memory.brows_at:
        since = middle / _MS - 10 * step
        height = max(height, _smooth(1 + since / 160) if since < 0 else _smooth(1 - since / 320))
    return _BROW_PX * height


# ---- eyes --------------------------------------------------------------------------------------------------


def _chance(memory: Memory) -> float:
    memory.draws += 1
    return unit(memory.seed, _CHOICES, memory.draws)


def _consider_blink(frame: int, left: int, memory: Memory) -> None:
    """Blink in speech too, rather in pauses, never close to a blink of the loop nor into the reply's end."""
    if memory.blink_due == 0:
        memory.blink_due = frame + _blink_gap(memory) // 2
    overdue = frame - memory.blink_due
    paused = loudness(memory)[NOW - 3 : NOW + 4].max() < 0.12
    if overdue < 0 or not (paused or overdue > FPS) or left <= len(BLINK):
        return
    if frames_to_blink(memory.idle_frame + frame) >= FPS:
        memory.blink_at = frame
        memory.blink_due = frame + _blink_gap(memory)


def _blink_gap(memory: Memory) -> int:
    """Frames to the next blink: log-normal with a median of 3.4 s, within 1.6 and 6 s."""
    memory.draws += 1
    gap = 3.4 * math.exp(0.45 * normal(memory.seed, _CHOICES, memory.draws))
    return round(FPS * min(6.0, max(1.6, gap)))


def _lid(frame: int, memory: Memory) -> float:
    since = frame - memory.blink_at
    return BLINK[since] if 0 <= since < len(BLINK) else 0.0


def _consider_gaze(frame: int, memory: Memory) -> None:
    """Let the eyes rest somewhere for 0.5 to 1.9 s, half of the time on the other person."""
    if frame < memory.gaze_until:
        return
    memory.gaze_until = frame + round(FPS * (0.5 + 1.4 * _chance(memory)))
    if _chance(memory) < 0.5:
        memory.gaze_x, memory.gaze_y = 0.0, 0.0
    else:
        memory.gaze_x = 2.0 * normal(memory.seed, _CHOICES, memory.draws + 1)
        memory.gaze_y = 0.8 * normal(memory.seed, _CHOICES, memory.draws + 2)
        memory.draws += 2
