"""The GPU face: spans of a reply to pictures, packets and the next state, by the networks of Ditto.

With one plan for a whole reply, every picture is a function of the reply's sound, of the seed and of the state; how the
reply was cut into spans does not change a bit of it. It knows no session, only caches that may be lost at any time.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from actors.face import shelf
from actors.face.avatars import DEFAULT, find, library
from actors.face.coders import Coders, Picture
from actors.face.ditto import loop
from actors.face.ditto import memory as memories
from actors.face.ditto.avatar.paste import Pixels, paste
from actors.face.ditto.avatar.prepare import Preparer
from actors.face.ditto.avatar.source import SourceBroken
from actors.face.ditto.course import ENGINE, Course, Looks
from actors.face.ditto.memory import Memory, StateUnreadable
from actors.face.ditto.motion.audio import CHUNK, Sound, features
from actors.face.ditto.motion.blink import blinks_of
from actors.face.ditto.motion.condition import emotion
from actors.face.ditto.motion.drive import RELATIVE, faded
from actors.face.ditto.motion.vector import Motion
from actors.face.ditto.plan import DEFAULT as USUAL
from actors.face.ditto.plan import LEAST_STEPS, Plan, parse
from actors.face.ditto.ready import Manner, Ready, Shot, ready
from actors.face.ditto.reply import LEAST, TooLittleSound
from actors.face.ditto.runtime import Pose, Runtime, Window
from actors.face.ditto.runtime import open as opened
from actors.face.ditto.spec import CONDITION, EMOTIONS, WINDOW, Array
from actors.face.scheduler import Scheduler
from actors.face.scheduling.costs import Costs, Kind
from actors.face.scheduling.measuring import measured
from actors.face.spans import check
from actors.face.worker import Worker
from actors.models import built
from actors.threads import stepping
from streaming.media import FRAME, FramePacket, frames_for
from streaming.metrics import Reading
from streaming.stages import Avatar, FaceState, Span, StageError

log = logging.getLogger(__name__)

LOOK_AHEAD = LEAST
"""Samples at 24 kHz that a span that is not the last holds past its last frame, for the default plan."""
FADE_IN, FADE_OUT = 8, 5
"""Frames from the idle loop and back to it; LOOK_AHEAD is longer than the way back, so an end is known in time."""
PENS = 2
"""Threads that put pictures together and encode them, some 3 ms each: 25 frames a second for each of many sessions."""
_FACES_KEPT = 4


class Ditto:
    """One portrait that moves as a diffusion says, drawn anew for each frame."""

    def __init__(
        self, models: str | Path = "", folder: str | Path | None = None, *, device: str = "auto",
        mood: str = "neutral", pitch: float = 2.0, strength: float = 1.0, runtime: str | Runtime = "torch",
        weights: str = "", batch: int = 8,
    ) -> None:  # fmt: skip
        """``models``: folder that actors.face.ditto.convert made, without one that of `avatar models build`;
        ``folder``: of avatars beside the built-in ones.

        ``mood``: one of spec.EMOTIONS; ``pitch``: degrees that the head is raised, as in published settings;
        ``strength``: of all motion. ``runtime``: what runs the networks, by a name in runtime.RUNTIMES, or one that
        is ready and replaces ``models``; ``weights`` is then its name, under which what is made of an avatar is kept;
        without one nothing is. ``batch``: most pictures of all sessions that are drawn at once; with 1 a picture is the
        same to the bit whoever else speaks. Raises StageError.
        """
        if mood not in EMOTIONS:
            raise StageError(f"there is no mood {mood!r}; choose one of {', '.join(EMOTIONS)}")
        given = not isinstance(runtime, str)
        place = Path(models) if models or given else built(ENGINE)
        self._runtime = opened(runtime, place, device) if isinstance(runtime, str) else runtime
        table = None if given else _blink_table(place)
        self._manner = Manner(
            emotion(EMOTIONS.index(mood))[None], np.full(1, pitch, np.float32), dict.fromkeys(RELATIVE, strength), table
        )
        self._folder = Path(folder) if folder else None
        self._weights = weights if given else shelf.weights(place)
        self._preparer = Preparer(None if given else place, self._runtime.side, self._weights)
        self._silence = features(self._hear(np.zeros(CHUNK, np.float32)))
        self._faces: OrderedDict[tuple[str, int, int], Ready] = OrderedDict()
        self._coders = Coders()
        self._pens = ThreadPoolExecutor(PENS, thread_name_prefix="ditto pictures")
        shelf.prune(library(self._folder))
        self.avatar: Avatar = find(DEFAULT, self._folder).avatar
        self._samples = _samples(self._face(self.avatar))
        self._worker = Worker(
            self._run, Scheduler(self._costs(batch)), probe=self._tried,
            executor=ThreadPoolExecutor(1, thread_name_prefix="ditto"),
        )  # fmt: skip
        self._skipped: Counter[str] = Counter()
        """Pictures that were left out, by reason, since somebody asked."""
        self._late_told = 0

    def draw(self, span: Span, avatar: Avatar, state: FaceState | None) -> Iterator[Picture | FaceState]:
        """The span's pictures in order, those to be skipped without pixels, then the state for the next span.

        All by itself, in the caller's thread, while nobody is animated. Raises StageError on a span, state, plan or
        avatar that this engine cannot use.
        """
        yield from self._course(span, avatar, state, 0.0).alone(self._run)

    async def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncGenerator[FramePacket | FaceState]:
        """The span's packets in order, but for the first ``span.skip``, then the next state.

        Any number of sessions at once. Pictures that would be late have no packet. Raises StageError; FaceBusy where
        the session would be one too many; StageLost once the device is lost.
        """
        due, made = self._worker.now() + span.slack_ms, list[Course]()

        def begin() -> Course:
            made.append(self._course(span, avatar, state, due))
            return made[0]

        stream = self._worker.stream(begin)
        async with (
            aclosing(stream) as drawn,
            aclosing(self._coders.encoded(span, avatar, drawn, self._pens)) as packets,
        ):
            async for item in packets:
                if isinstance(item, FaceState):
                    self._skipped[made[0].left_out_by] += made[0].left_out
                yield item

    def well(self) -> None:
        """Raise StageLost if the device is lost."""
        self._worker.well()

    async def idle(self, avatar: Avatar) -> bytes:
        """The avatar's idle loop as MP4, ``idle_frames`` long: drawn once for these weights, then read.

        It is drawn frame by frame between the batches of replies. Raises StageError.
        """
        clip = b""
        async for made in stepping(lambda: self._clip(avatar), self._worker.aside):
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

    def measured(self) -> list[Reading]:
        """How many pictures each batch held, and why pictures were left out, since the last question."""
        self._skipped["late"] = self._worker.skipped - self._late_told
        self._late_told += self._skipped["late"]
        told: list[Reading] = [
            ("avatar_frames_skipped_total", count, {"reason": reason})
            for reason, count in self._skipped.items()
            if count
        ]
        self._skipped.clear()
        while self._worker.sizes:
            told.append(("avatar_batch_size", self._worker.sizes.popleft(), {"stage": "face"}))
        return told

    def _course(self, span: Span, avatar: Avatar, state: FaceState | None, due: float) -> Course:
        check(span, state, ENGINE)
        plan = _plan(span)
        face = self._face(avatar)
        sound = Sound.of(span.pcm24k, span.pts)
        memory = _remembered(span, state, self._silence)
        total = frames_for(sound.end) if span.last else None

        def pose(frame: int, vector: Array, memory: Memory) -> tuple[Shot, Pose]:
            return face.pose(memory.idle_frame + frame, _moved(face, vector, memory, frame, total, span.seed))

        try:
            return Course(span, plan, memory, sound, total, Looks(face.mind, pose), due)
        except TooLittleSound as error:
            raise StageError(str(error)) from error

    def _drawn(self, face: Ready, place: int, moved: Motion) -> Pixels:
        shot, pose = face.pose(place, moved)
        [drawn] = self._runtime.draw([pose])
        return paste(shot.source.portrait, drawn, shot.source.where)

    def _run(self, kind: Kind, asked: Sequence[Any]) -> Sequence[Any]:
        """`actors.face.scheduling.measuring.Run`."""
        match kind:
            case "hear":
                return list(self._runtime.hear(np.stack(asked)))
            case "move":
                return list(self._runtime.move(asked))
            case "draw":
                return list(self._runtime.draw(asked))

    def _costs(self, most: int) -> Costs:
        costs = measured(self._run, self._samples, most)
        fewer = replace(self._samples["move"], steps=LEAST_STEPS)
        for size in range(1, costs.most("move") + 1):  # prepared before the first overload, not in it
            self._run("move", [fewer] * size)
        return costs

    def _tried(self) -> None:
        """Run one of each kind, as when the engine was built."""
        for kind, sample in self._samples.items():
            self._run(kind, [sample])

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


def _samples(face: Ready) -> dict[Kind, Any]:
    """One of each kind, of an avatar: to measure what it costs, and whether it works."""
    rows = np.zeros((WINDOW, CONDITION), np.float32)
    _, pose = face.pose(0, face.idle.frame(0))
    window = Window(face.mind.source, rows, 0, 0, USUAL.steps)
    return {"hear": np.zeros(CHUNK, np.float32), "move": window, "draw": pose}


def _moved(face: Ready, vector: Array, memory: Memory, frame: int, total: int | None, seed: int) -> Motion:
    place, share = memory.idle_frame + frame, _share(frame, total)
    moved = face.moved(place, vector[None], memory.first, blinks_of(seed, frame, 1))
    if share < 1:
        moved = faded(moved, face.idle.frame(place % len(face.idle)), np.full(1, share, np.float32))
    return moved


def _share(frame: int, total: int | None) -> float:
    """How much of a frame is the reply's motion; the rest is the idle loop's."""
    inward = (frame + 1) / (FADE_IN + 1)
    outward = 1.0 if total is None else (total - 1 - frame) / FADE_OUT
    return min(1.0, inward, outward)


def _plan(span: Span) -> Plan:
    """The plan of a span. Raises StageError."""
    try:
        return parse(span.plan)
    except ValueError as error:
        raise StageError(str(error)) from error
