"""An avatar made ready for the engine: its picture or film, what the networks say of it, and how its idle loop moves.

Everything here follows from the avatar's folder, the weights and the manner. What takes long is kept on the avatar's
shelf, as arrays; what lies on the device is made again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from actors.face import avatars
from actors.face.ditto import reply
from actors.face.ditto.avatar import film as films
from actors.face.ditto.avatar.film import Film
from actors.face.ditto.avatar.prepare import Preparer
from actors.face.ditto.avatar.source import Source, cut_out, texture
from actors.face.ditto.motion.blink import BLINK, blinks
from actors.face.ditto.motion.condition import mirror
from actors.face.ditto.motion.drive import Controls, drive
from actors.face.ditto.motion.vector import KEYS, Motion, from_vector, keypoints, to_vector
from actors.face.ditto.reply import Mind, Run
from actors.face.ditto.runtime import Looked, Pose
from actors.face.ditto.spec import Array
from actors.face.shelf import Shelf, name_of
from streaming.stages import Avatar

log = logging.getLogger(__name__)

SEAM = 25
"""Frames over which the idle loop closes."""
IDLE_GAPS = (62, 71, 68)
"""Frames before each blink of the idle loop: none lies across its seam."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How every avatar of an engine moves."""

    mood: Array
    """(m, 8)"""
    pitch: Array
    """(1,) degrees that the head is raised."""
    gain: dict[str, float]
    blinks: Array | None
    """(15, 63) movements of a blink; None: the diffusion moves the lids."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What one frame is drawn on."""

    source: Source
    looked: Looked
    keypoints: Array
    """(1, 21, 3) of the source itself."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An avatar made ready. Frames are counted with the idle loop: its frame 0, or a reply's ``idle_frame + k``."""

    manner: Manner
    mind: Mind
    own: Motion
    """Of the picture, one frame; of a film all of its frames."""
    idle: Motion
    """The idle loop."""
    shot: Callable[[int], Shot]
    """What a frame is drawn on."""

    def pose(self, frame: int, moved: Motion) -> tuple[Shot, Pose]:
        """What a frame is drawn on, and what is drawn. Of a film it is looked at now: in the networks' thread."""
        shot = self.shot(frame)
        return shot, Pose(shot.looked, shot.keypoints, keypoints(moved))

    def moved(self, frame: int, vectors: Array, first: Array, blink: Array | None = None) -> Motion:
        """The avatar as (n, 265) say of the frames ``frame`` on, relative to ``first``. ``blink``: rows (n,)."""
        return _moved(self.own, self.manner, frame, vectors, first, blink)


def ready(
    entry: avatars.Entry, avatar: Avatar, kept: Shelf, manner: Manner, silence: Array, preparer: Preparer, side: int,
    look: Callable[[Array], Looked], run: Run, weights: str,
) -> Ready:  # fmt: skip
    """Make an avatar ready, shown as ``avatar`` says. ``weights`` names the networks. Raises SourceBroken."""
    film = films.read(entry, avatar.idle_frames // 2, preparer, kept, weights)
    if film is None:
        source = cut_out(texture(entry.folder), preparer.place(entry, kept), avatar.width, avatar.height, side)
        looked = look(source.square)
        own, opened, turned = looked.motion, source.eye_open, source.eye_ball
        still = Shot(source, looked, keypoints(own))
        name, shot = name_of(weights, source.square.tobytes(), opened.tobytes()), lambda frame: still
    else:
        name, own = film.name, _seen(film, look, side, kept, weights)
        opened, turned = (np.stack([getattr(each, part) for each in film.placed]) for part in ("eye_open", "eye_ball"))
        shot = _shots(film, own, avatar, side, look)
    mind = Mind(to_vector(own.frame(0))[0], manner.mood, opened, turned, own.kp[:1].reshape(-1))
    loop, first = _loop(name, avatar.idle_frames, manner, mind, silence, run, kept)
    rows = blinks(avatar.idle_frames, IDLE_GAPS) if avatar.idle_frames > sum(IDLE_GAPS[:1]) + BLINK else None
    return Ready(manner, mind, own, _moved(own, manner, 0, loop, first, rows), shot)


def _shots(
    film: Film, own: Motion, avatar: Avatar, side: int, look: Callable[[Array], Looked]
) -> Callable[[int], Shot]:
    """A film's frames, looked at when they are drawn: kept on the device they would take a gigabyte."""

    def shot(frame: int) -> Shot:
        place = int(mirror(np.array(frame), len(film)))
        source = film.source(place, avatar.width, avatar.height, side)
        return Shot(source, look(source.square), keypoints(own.frame(place)))

    return shot


def _seen(film: Film, look: Callable[[Array], Looked], side: int, kept: Shelf, weights: str) -> Motion:
    """What the networks say of a film's frames, smoothed."""
    name = f"seen-{name_of(weights, film.name)}.npz"
    if (found := kept.arrays(name)) is not None:
        return Motion(**found)
    looked = [look(film.square(place, side)).motion for place in range(film.count)]
    seen = films.motion([looked[place] for place in film.order])
    kept.keep_arrays(name, {part: getattr(seen, part) for part in (*KEYS, "kp")})
    return seen


def _loop(
    name: str, frames: int, manner: Manner, mind: Mind, silence: Array, run: Run, kept: Shelf
) -> tuple[Array, Array]:
    """Motion (frames, 265) of the idle loop, and the frame that it is relative to."""
    name = f"idle-{name_of(name, str(frames), manner.mood.tobytes())}.npz"
    if (found := kept.arrays(name)) is None:
        loop, first = reply.idle(silence, frames, SEAM, mind, run)
        found = {"loop": loop, "first": first}
        kept.keep_arrays(name, found)
    return found["loop"], found["first"]


def _moved(own: Motion, manner: Manner, frame: int, vectors: Array, first: Array, rows: Array | None) -> Motion:
    blink = None if manner.blinks is None or rows is None else manner.blinks[rows]
    if len(own) == 1:
        wish = Controls(gain=manner.gain, turn={"pitch": manner.pitch}, blink=blink)
        return drive(own, from_vector(vectors, own.kp), from_vector(first[None], own.kp), wish)
    wish, out = Controls(gain=manner.gain, parts=("exp",), eyes=False), list[Motion]()
    for number, place in enumerate(mirror(np.arange(frame, frame + len(vectors)), len(own)).tolist()):
        here = own.frame(place)
        driving = from_vector(vectors[number : number + 1], here.kp)
        out.append(drive(here, driving, from_vector(first[None], here.kp), wish))
    return Motion(**{part: np.concatenate([getattr(each, part) for each in out]) for part in (*KEYS, "kp")})
