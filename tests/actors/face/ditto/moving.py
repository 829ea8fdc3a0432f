"""A face that only moves: a reply's motion with stubs for networks, refused what the real one refuses. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from actors.face.ditto import memory as memories
from actors.face.ditto import reply
from actors.face.ditto.memory import Memory
from actors.face.ditto.motion.audio import Encode, Sound, chunk, features
from actors.face.ditto.motion.condition import emotion
from actors.face.ditto.plan import Plan, parse
from actors.face.ditto.reply import Mind, Run
from streaming.media import FRAME, frames_for
from streaming.stages import FaceLoad, FaceState, Span

MIND = Mind(np.zeros(265), emotion(4)[None], np.ones((1, 2)), np.zeros((1, 6)), np.zeros(63))
SILENCE = np.zeros((5, 1024))
QUICK = FaceLoad(chunk_ms=4.0, window_ms=20.0, frame_ms=15.0)
HEARD = np.zeros((20, 1024), np.float32)
MOVED = np.zeros((80, 265), np.float32)


def up_to(
    frame: int, memory: Memory, sound: Sound, total: int | None, plan: Plan, begun: int, seed: int, mind: Mind,
    encode: Encode, run: Run,
) -> Memory:  # fmt: skip
    """The memory once ``frame`` is finished, in one go; as `steps_to`. Raises TooLittleSound."""
    for step in reply.steps_to(frame, memory, sound, total, plan, begun):
        memory = reply.listened(memory, step.heard, total, lambda at: features(encode(chunk(sound, at))))
        asked = reply.window(memory, step.stride, plan.steps, seed, mind)
        memory = reply.joined(memory, run(asked.frame, asked.rows, seed, asked.number, asked.steps), step.stride)
    return memory


@dataclass
class Face:
    """Draws motion only, and tells how its replica stands."""

    load: FaceLoad = QUICK
    windows: list[int] = field(default_factory=list[int])
    """Steps of each."""

    def draw(self, span: Span, state: FaceState | None) -> tuple[list[int], FaceState]:
        """The frames that have a picture, and the next state. Raises TooLittleSound."""
        first, plan, sound = span.pts // FRAME, parse(span.plan), Sound.of(span.pcm24k, span.pts)
        memory = memories.unpack(state.data) if state else memories.begin(0, SILENCE, first)
        begun, total = memory.track.windows, frames_for(sound.end) if span.last else None
        drawn: list[int] = []
        for frame in range(first, first + span.want_frames):
            memory = up_to(frame, memory, sound, total, plan, begun, span.seed, MIND, lambda wave: HEARD, self._move)
            drawn += [frame] if plan.draws(frame, total) and frame >= first + span.skip else []
        pts = (first + span.want_frames) * FRAME
        return drawn, FaceState("ditto", pts, memories.pack(memory), self.load)

    def _move(self, frame: np.ndarray, rows: np.ndarray, seed: int, window: int, steps: int) -> np.ndarray:
        self.windows.append(steps)
        return MOVED
