"""The GPU face: spans of a reply to pictures, packets and the next state, by the networks of Ditto.

With one plan for a whole reply, every picture is a function of the reply's sound, of the seed and of the state; how the
reply was cut into spans does not change a bit of it. It knows no session, only caches that may be lost at any time.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from actors.face import shelf
from actors.face.avatars import DEFAULT, find, library
from actors.face.coders import Coders, Picture
from actors.face.ditto import loop, reply
from actors.face.ditto import memory as memories
from actors.face.ditto.avatar.paste import Pixels, paste
from actors.face.ditto.avatar.prepare import Preparer
from actors.face.ditto.avatar.source import SourceBroken
from actors.face.ditto.memory import Memory, StateUnreadable
from actors.face.ditto.motion.audio import CHUNK, Sound, features
from actors.face.ditto.motion.blink import blinks_of
from actors.face.ditto.motion.condition import emotion
from actors.face.ditto.motion.drive import RELATIVE, faded
from actors.face.ditto.motion.vector import Motion, keypoints
from actors.face.ditto.plan import Plan, parse
from actors.face.ditto.ready import Manner, Ready, ready
from actors.face.ditto.reply import LEAST, TooLittleSound
from actors.face.ditto.runtime import Pose, Runtime, Window
from actors.face.ditto.runtime import open as opened
from actors.face.ditto.spec import EMOTIONS, Array
from actors.threads import stepping
from streaming.media import FRAME, FramePacket, frames_for, samples
from streaming.stages import Avatar, FaceState, Span, StageError

log = logging.getLogger(__name__)

ENGINE = "ditto"
LOOK_AHEAD = LEAST
"""Samples at 24 kHz that a span that is not the last holds past its last frame, for the default plan."""
FADE_IN, FADE_OUT = 8, 5
"""Frames from the idle loop and back to it; LOOK_AHEAD is longer than the way back, so an end is known in time."""
_FACES_KEPT = 4


class Ditto:
    """One portrait that moves as a diffusion says, drawn anew for each frame."""

    def __init__(
        self, models: str | Path = "", folder: str | Path | None = None, *, device: str = "auto",
        mood: str = "neutral", pitch: float = 2.0, strength: float = 1.0, runtime: str | Runtime = "torch",
        weights: str = "",
    ) -> None:  # fmt: skip
        """``models``: folder that actors.face.ditto.convert made; ``folder``: of avatars beside the built-in ones.

        ``mood``: one of spec.EMOTIONS; ``pitch``: degrees that the head is raised, as in published settings;
        ``strength``: of all motion. ``runtime``: what runs the networks, by a name in runtime.RUNTIMES, or one that
        is ready and replaces ``models``; ``weights`` is then its name, under which what is made of an avatar is kept;
        without one nothing is. Raises StageError.
        """
        if mood not in EMOTIONS:
            raise StageError(f"there is no mood {mood!r}; choose one of {', '.join(EMOTIONS)}")
        given = not isinstance(runtime, str)
        self._runtime = runtime if not isinstance(runtime, str) else opened(runtime, Path(models), device)
        table = None if given else _blink_table(Path(models))
        self._manner = Manner(
            emotion(EMOTIONS.index(mood))[None], np.full(1, pitch, np.float32), dict.fromkeys(RELATIVE, strength), table
        )
        self._folder = Path(folder) if folder else None
        self._weights = weights if given else shelf.weights(Path(models))
        self._preparer = Preparer(None if given else Path(models), self._runtime.side, self._weights)
        self._silence = features(self._hear(np.zeros(CHUNK, np.float32)))
        self._faces: OrderedDict[tuple[str, int, int], Ready] = OrderedDict()
        self._coders = Coders()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ditto")
        shelf.prune(library(self._folder))
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

    async def idle(self, avatar: Avatar) -> bytes:
        """The avatar's idle loop as MP4, ``idle_frames`` long: drawn once for these weights, then read.

        It is drawn frame by frame between the frames of replies. Raises StageError.
        """
        clip = b""
        async for made in stepping(lambda: self._clip(avatar), self._executor):
            clip = made
        return clip

    def _clip(self, avatar: Avatar) -> Iterator[bytes]:
        """The idle loop's clip at the end; nothing with each frame."""
        face, kept = self._face(avatar), self._shelf(avatar)
        name = loop.name(avatar, face, self._weights)
        if kept_clip := kept.read(name):
            yield kept_clip
            return
        for made in loop.clip(avatar, lambda frame: self._drawn(face, frame, face.idle.frame(frame))):
            if made:
                kept.keep(name, made)
            yield made

    def _picture(self, face: Ready, memory: Memory, frame: int, total: int | None, seed: int) -> Pixels:
        place = memory.idle_frame + frame
        moved = face.moved(place, memory.track.at(frame)[None], memory.first, blinks_of(seed, frame, 1))
        share = _share(frame, total)
        if share < 1:
            moved = faded(moved, face.idle.frame(place % len(face.idle)), np.full(1, share, np.float32))
        return self._drawn(face, place, moved)

    def _drawn(self, face: Ready, place: int, moved: Motion) -> Pixels:
        shot = face.shot(place)
        [drawn] = self._runtime.draw([Pose(shot.looked, shot.keypoints, keypoints(moved))])
        return paste(shot.source.portrait, drawn, shot.source.where)

    def _hear(self, wave16k: Array) -> Array:
        return self._runtime.hear(wave16k[None])[0]

    def _move(self, frame: Array, rows: Array, seed: int, number: int, steps: int) -> Array:
        return self._runtime.move([Window(frame, rows, seed, number, steps)])[0]

    def _shelf(self, avatar: Avatar) -> shelf.Shelf:
        return shelf.shelf(avatar.id) if self._weights else shelf.Shelf(None)

    def _face(self, avatar: Avatar) -> Ready:
        look = (avatar.id, avatar.width, avatar.height)
        if look in self._faces:
            self._faces.move_to_end(look)
            return self._faces[look]
        try:
            self._faces[look] = ready(
                find(avatar.id, self._folder), avatar, self._shelf(avatar), self._manner, self._silence, self._preparer,
                self._runtime.side, self._runtime.look, self._move, self._weights,
            )  # fmt: skip
        except (LookupError, SourceBroken) as error:
            raise StageError(f"the face cannot be {avatar.id!r}: {error}") from error
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
