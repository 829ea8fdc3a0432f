"""The GPU face: spans of a reply to pictures, packets and the next state, by the networks of Ditto.

With one plan for a whole reply, every picture is a function of the reply's sound, of the seed and of the state; how the
reply was cut into spans does not change a bit of it. It knows no session, only caches that may be lost at any time.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actors.face.avatars import DEFAULT, find
from actors.face.coders import Coders, Picture
from actors.face.ditto import memory as memories
from actors.face.ditto import reply
from actors.face.ditto.avatar.paste import Pixels, paste
from actors.face.ditto.avatar.source import Source, SourceBroken, read
from actors.face.ditto.memory import Memory, StateUnreadable
from actors.face.ditto.motion.audio import CHUNK, Sound, features
from actors.face.ditto.motion.blink import blinks_of
from actors.face.ditto.motion.condition import emotion
from actors.face.ditto.motion.drive import RELATIVE, Controls, drive, faded
from actors.face.ditto.motion.vector import Motion, from_vector, keypoints, to_vector
from actors.face.ditto.plan import Plan, parse
from actors.face.ditto.reply import LEAST, Mind, TooLittleSound
from actors.face.ditto.runtime import Looked, Pose, Runtime, Window
from actors.face.ditto.runtime import open as opened
from actors.face.ditto.spec import EMOTIONS, Array
from streaming.media import FRAME, FramePacket, frames_for, samples
from streaming.stages import Avatar, FaceState, Span, StageError

log = logging.getLogger(__name__)

ENGINE = "ditto"
LOOK_AHEAD = LEAST
"""Samples at 24 kHz that a span that is not the last holds past its last frame, for the default plan."""
IDLE_SEAM = 25
"""Frames over which the idle loop closes."""
FADE_IN, FADE_OUT = 8, 5
"""Frames from the idle loop and back to it; LOOK_AHEAD is longer than the way back, so an end is known in time."""
_FACES_KEPT = 4


@dataclass(frozen=True, slots=True)
class _Face:
    """An avatar made ready."""

    source: Source
    looked: Looked
    keypoints: Array
    """(1, 21, 3) of the portrait itself."""
    mind: Mind
    idle: Motion
    """250 frames."""


class Ditto:
    """One portrait that moves as a diffusion says, drawn anew for each frame."""

    def __init__(
        self, models: str | Path = "", folder: str | Path | None = None, *, device: str = "auto",
        mood: str = "neutral", pitch: float = 2.0, strength: float = 1.0, runtime: str | Runtime = "torch",
    ) -> None:  # fmt: skip
        """``models``: folder that actors.face.ditto.convert made; ``folder``: of avatars beside the built-in ones.

        ``mood``: one of spec.EMOTIONS; ``pitch``: degrees that the head is raised, as in published settings;
        ``strength``: of all motion. ``runtime``: what runs the networks, by a name in runtime.RUNTIMES, or one that
        is ready and replaces ``models``. Raises StageError.
        """
        if mood not in EMOTIONS:
            raise StageError(f"there is no mood {mood!r}; choose one of {', '.join(EMOTIONS)}")
        self._runtime = opened(runtime, Path(models), device) if isinstance(runtime, str) else runtime
        self._blink = _blink_table(Path(models)) if isinstance(runtime, str) else None
        self._folder = Path(folder) if folder else None
        self._mood = emotion(EMOTIONS.index(mood))[None]
        self._pitch = np.full(1, pitch, np.float32)
        self._gain: dict[str, float] = {part: strength for part in RELATIVE}
        self._silence = features(self._hear(np.zeros(CHUNK, np.float32)))
        self._faces: OrderedDict[tuple[str, int, int], _Face] = OrderedDict()
        self._coders = Coders()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ditto")
        self.avatar: Avatar = find(DEFAULT, self._folder).avatar
        self._face(self.avatar)

    def draw(self, span: Span, avatar: Avatar, state: FaceState | None) -> Iterator[Picture | FaceState]:
        """The span's pictures in order, those to be skipped without pixels, then the state for the next span.

        Raises StageError on a span, state, plan or avatar that this engine cannot use.
        """
        first, plan = _checked(span, state)
        face = self._face(avatar)
        sound = Sound.of(span.pcm24k, span.pts)
        memory = _remembered(span, state, self._silence)
        total = frames_for(sound.end) if span.last else None
        begun = memory.track.windows
        for frame in range(first, first + span.want_frames):
            try:
                memory = reply.up_to(
                    frame, memory, sound, total, plan, begun, span.seed, face.mind, self._hear, self._move,
                )  # fmt: skip
            except TooLittleSound as error:
                raise StageError(str(error)) from error
            if frame < first + span.skip or not plan.draws(frame, total):
                yield Picture(frame * FRAME, None)
            else:
                yield Picture(frame * FRAME, self._picture(face, memory, frame, total, span.seed))
        yield FaceState(ENGINE, (first + span.want_frames) * FRAME, memories.pack(memory))

    def animate(self, span: Span, avatar: Avatar, state: FaceState | None) -> AsyncIterator[FramePacket | FaceState]:
        """The span's packets in order, but for the first ``span.skip``, then the next state. Raises StageError."""
        return self._coders.packets(span, avatar, lambda: self.draw(span, avatar, state), self._executor)

    def _picture(self, face: _Face, memory: Memory, frame: int, total: int | None, seed: int) -> Pixels:
        moved = self._moved(face.looked.motion, memory.track.at(frame)[None], memory.first, seed, frame)
        share = _share(frame, total)
        if share < 1:
            resting = face.idle.frame((memory.idle_frame + frame) % len(face.idle))
            moved = faded(moved, resting, np.full(1, share, np.float32))
        [drawn] = self._runtime.draw([Pose(face.looked, face.keypoints, keypoints(moved))])
        return paste(face.source.portrait, drawn, face.source.where)

    def _hear(self, wave16k: Array) -> Array:
        return self._runtime.hear(wave16k[None])[0]

    def _move(self, frame: Array, rows: Array, seed: int, number: int, steps: int) -> Array:
        return self._runtime.move([Window(frame, rows, seed, number, steps)])[0]

    def _moved(self, own: Motion, vectors: Array, first: Array, seed: int, frame: int) -> Motion:
        """The avatar moved by (n, 265) for the frames ``frame`` on."""
        blink = None if self._blink is None else self._blink[blinks_of(seed, frame, len(vectors))]
        wish = Controls(gain=self._gain, turn={"pitch": self._pitch}, blink=blink)
        return drive(own, from_vector(vectors, own.kp), from_vector(first[None], own.kp), wish)

    def _face(self, avatar: Avatar) -> _Face:
        look = (avatar.id, avatar.width, avatar.height)
        if look in self._faces:
            self._faces.move_to_end(look)
            return self._faces[look]
        try:
            source = read(find(avatar.id, self._folder).folder, avatar.width, avatar.height, self._runtime.side)
        except (LookupError, SourceBroken) as error:
            raise StageError(f"the face cannot be {avatar.id!r}: {error}") from error
        looked = self._runtime.look(source.square)
        own = looked.motion
        mind = Mind(to_vector(own)[0], self._mood, source.eye_open, source.eye_ball, own.kp.reshape(-1))
        loop, first = reply.idle(self._silence, avatar.idle_frames, IDLE_SEAM, mind, self._move)
        self._faces[look] = _Face(source, looked, keypoints(own), mind, self._moved(own, loop, first, 0, 0))
        while len(self._faces) > _FACES_KEPT:
            self._faces.popitem(last=False)
        return self._faces[look]


def _blink_table(models: Path) -> Array | None:
    """Movements (15, 63) of a blink from the converted configuration; without one the diffusion moves the lids."""
    try:
        with np.load(models / "config.npz", allow_pickle=False) as arrays:
            table = arrays.get("default_kwargs.delta_eye_arr")
    except FileNotFoundError:
        table = None
    log.info("ditto blinks %s", "by its configuration's table" if table is not None else "as the diffusion says")
    return table


def _remembered(span: Span, state: FaceState | None, silence: Array) -> Memory:
    if state is None:
        return memories.begin(span.idle_frame, silence, span.pts // FRAME)
    try:
        return memories.unpack(state.data)
    except StateUnreadable as error:
        raise StageError(str(error)) from error


def _share(frame: int, total: int | None) -> float:
    """How much of a frame is the reply's motion; the rest is the idle loop's."""
    inward = (frame + 1) / (FADE_IN + 1)
    outward = 1.0 if total is None else (total - 1 - frame) / FADE_OUT
    return min(1.0, inward, outward)


def _checked(span: Span, state: FaceState | None) -> tuple[int, Plan]:
    """First frame and plan of a span. Raises StageError if something does not fit."""
    try:
        samples(span.pcm24k)
        plan = parse(span.plan)
    except ValueError as error:
        raise StageError(str(error)) from error
    if span.pts % FRAME:
        raise StageError(f"a span begins at a whole frame, a multiple of {FRAME} samples, not at {span.pts}")
    if state is not None and (state.engine != ENGINE or state.pts != span.pts):
        raise StageError(
            f"the state is of engine {state.engine!r} at {state.pts}, the span begins at {span.pts} on {ENGINE!r};"
            " send the state that the span before gave, or none"
        )
    return span.pts // FRAME, plan
