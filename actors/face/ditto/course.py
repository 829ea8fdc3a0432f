"""A span of a reply as work that can be done piece by piece: chunks, then windows, then pictures, in any company.

It is what reply.py says, cut where something is asked of the networks. Each number depends on its own reply only; what
else is in a batch changes at most the last bits. It knows no scheduler and no device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from actors.face.coders import Picture
from actors.face.ditto import memory as memories
from actors.face.ditto import reply
from actors.face.ditto.avatar.paste import paste
from actors.face.ditto.avatar.source import Source
from actors.face.ditto.memory import Memory
from actors.face.ditto.motion.audio import Sound, chunk, features
from actors.face.ditto.plan import DEFAULT, Plan
from actors.face.ditto.ready import Shot
from actors.face.ditto.reply import Mind
from actors.face.ditto.runtime import Pose
from actors.face.ditto.spec import CHUNK_FRAMES, Array
from actors.face.scheduler import Standing
from actors.face.scheduling.costs import Kind
from actors.face.scheduling.measuring import Run
from actors.face.scheduling.work import Step, Work
from streaming.media import FRAME
from streaming.stages import FaceLoad, FaceState, Span

ENGINE = "ditto"


@dataclass(frozen=True, slots=True)
class Looks:
    """How an avatar is drawn in this reply."""

    mind: Mind
    pose: Callable[[int, Array, Memory], tuple[Shot, Pose]]
    """(frame, its vector (265,), the memory) to what it is drawn on, and what is drawn."""


class Course:
    """`actors.face.worker.Course` of a span."""

    def __init__(
        self, span: Span, plan: Plan, memory: Memory, sound: Sound, total: int | None, looks: Looks, due: float
    ) -> None:
        """``total``: frames of the reply if its end is known; ``due``: when the first frame is heard, milliseconds.

        Raises TooLittleSound.
        """
        self._first = first = span.pts // FRAME
        self._span, self._plan, self._sound, self._total, self._looks = span, plan, sound, total, looks
        self._memory = memory
        self._heard_from = memory.heard
        self._features: dict[int, Array] = {}
        self._vectors: dict[int, Array] = {}
        self._sources: dict[int, Source] = {}
        """Of the frames that are being drawn."""
        self._keep(first)
        end = first + span.want_frames
        self._steps = reply.steps_to(end - 1, memory, sound, total, plan, memory.track.windows)
        draws = [frame for frame in range(first + span.skip, end) if plan.draws(frame, total)]
        self.work = Work(
            session=span.session,
            due=due,
            steps=tuple(
                Step(self._chunks(step.heard), min(max(step.finished - first, 0), span.want_frames))
                for step in self._steps
            ),
            draws=tuple(frame - first for frame in draws),
            finished=min(max(memory.track.finished - first, 0), span.want_frames),
            last=span.last,
            group=plan.steps,
            scale=plan.steps / DEFAULT.steps,
        )

    @property
    def left_out(self) -> int:
        """Pictures that the plan leaves out."""
        return self._span.want_frames - self._span.skip - len(self.work.draws)

    @property
    def left_out_by(self) -> Literal["still", "rate"]:
        """What in the plan does that."""
        return "rate" if self._plan.every else "still"

    def ask(self, kind: Kind, number: int) -> Any:
        """For `Runtime.hear`, `move` or `draw`, one of a batch."""
        match kind:
            case "hear":
                return chunk(self._sound, self._heard_from + number * CHUNK_FRAMES)
            case "move":
                step = self._steps[number]
                self._memory = reply.listened(self._memory, step.heard, self._total, self._features.__getitem__)
                return reply.window(self._memory, step.stride, self._plan.steps, self._span.seed, self._looks.mind)
            case "draw":
                frame = self._first + number
                shot, pose = self._looks.pose(frame, self._vectors.pop(frame), self._memory)
                self._sources[frame] = shot.source
                return pose

    def take(self, kind: Kind, number: int, answer: Any) -> Callable[[], Picture] | None:
        """Of a drawn face the picture, still to be put together: that is nobody's business in the worker's thread."""
        match kind:
            case "hear":
                self._features[self._heard_from + number * CHUNK_FRAMES] = features(answer)
            case "move":
                before = self._memory.track.finished
                self._memory = reply.joined(self._memory, answer, self._steps[number].stride)
                self._keep(before)
            case "draw":
                frame, own = self._first + number, np.array(answer)  # a runtime may use its own again
                return partial(_picture, frame, self._sources.pop(frame), own)
        return None

    def end(self, standing: Standing | None) -> FaceState:
        """The state for the next span."""
        load = standing and FaceLoad(standing.chunk_ms, standing.window_ms, standing.frame_ms, standing.rung)
        end = self._first + self._span.want_frames
        return FaceState(ENGINE, end * FRAME, memories.pack(self._memory), load)

    def alone(self, run: Run) -> Iterator[Picture | FaceState]:
        """All of it, one thing at a time in the order of its frames; those that are not drawn without pixels."""
        heard = moved = 0
        for number in range(self._span.want_frames):
            while moved < len(self._steps) and self._memory.track.finished <= self._first + number:
                while heard < self.work.steps[moved].chunks:
                    self._one("hear", heard, run)
                    heard += 1
                self._one("move", moved, run)
                moved += 1
            if number in self.work.draws:
                made = self._one("draw", number, run)
                assert made is not None
                yield made()
            else:
                yield Picture((self._first + number) * FRAME, None)
        yield self.end(None)

    def _one(self, kind: Kind, number: int, run: Run) -> Callable[[], Picture] | None:
        [answer] = run(kind, [self.ask(kind, number)])
        return self.take(kind, number, answer)

    def _chunks(self, until: int) -> int:
        """How many are heard for the frames before ``until``: past the reply's end nothing is."""
        until = until if self._total is None else min(until, self._total)
        return max(-(-(until - self._heard_from) // CHUNK_FRAMES), 0)

    def _keep(self, before: int) -> None:
        """The motion of the span's frames that were finished since ``before``: the track forgets it."""
        track = self._memory.track
        wanted = range(max(before, self._first), min(track.finished, self._first + self._span.want_frames))
        self._vectors |= {frame: track.at(frame) for frame in wanted}


def _picture(frame: int, source: Source, drawn: Array) -> Picture:
    return Picture(frame * FRAME, paste(source.portrait, drawn, source.where))
