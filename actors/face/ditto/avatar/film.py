"""A filmed avatar: some seconds of a person who listens, shown to and fro under the speech.

Five seconds to and fro are the ten of the idle loop, so loop and film close together; a longer film is cut, a shorter
one goes to and fro within them. Frames are cut out when they are drawn. The head moves as in the film; of the speech
only the expression is added, and the eyes are the film's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from actors.face import avatars
from actors.face.ditto.avatar.paste import Pixels
from actors.face.ditto.avatar.prepare import Preparer, stored_mesh
from actors.face.ditto.avatar.source import Placed, Source, SourceBroken, cut_out
from actors.face.ditto.motion.condition import mirror
from actors.face.ditto.motion.vector import KEYS, Motion
from actors.face.ditto.spec import Array
from actors.face.shelf import Shelf, name_of
from actors.face.video import VideoUnreadable, read_video

TAPS = 13
"""Frames of the mean that takes the trembling out of what a network says of each frame."""
SHORTEST = 25
"""Frames; a film of less is a picture."""


@dataclass(frozen=True, slots=True)
class Film:
    """Frames of a texture's size, where the face is in each, and in which order they fill half an idle loop."""

    name: str
    """Of all that it was made of."""
    frames: Sequence[Pixels]
    """BGR, as they were filmed."""
    found: Sequence[Placed]
    order: Sequence[int]

    def __len__(self) -> int:
        return len(self.order)

    @property
    def count(self) -> int:
        """Frames that were filmed."""
        return len(self.frames)

    @property
    def placed(self) -> list[Placed]:
        """Where the face is, in the order of showing."""
        return [self.found[place] for place in self.order]

    def source(self, place: int, width: int, height: int, side: int) -> Source:
        """The frame at a place of the order, made ready."""
        filmed = self.order[place]
        return cut_out(self.frames[filmed], self.found[filmed], width, height, side)

    def square(self, filmed: int, side: int) -> Pixels:
        """The face of a frame that was filmed, RGB."""
        return cut_out(self.frames[filmed], self.found[filmed], 1, 1, side).square


def read(entry: avatars.Entry, most: int, preparer: Preparer, kept: Shelf, weights: str) -> Film | None:
    """The film of an avatar's folder, ``most`` frames long; None if it has none. Raises SourceBroken."""
    path = entry.folder / avatars.FILM
    if not path.is_file():
        return None
    stored = stored_mesh(entry.folder)
    if stored is None or "film" not in stored:
        raise SourceBroken(f"{entry.folder / avatars.MESH} holds no landmarks of the film; make the avatar again")
    try:
        frames = [picture for _, picture in read_video(path)][:most]
    except VideoUnreadable as error:
        raise SourceBroken(f"{error}; make the avatar again") from error
    if not SHORTEST <= len(frames) <= len(stored["film"]):
        raise SourceBroken(
            f"{path} has {len(frames)} frames, its landmarks are of {len(stored['film'])}; make it again"
        )
    name = name_of(weights, path.read_bytes(), stored["film"].tobytes(), str(preparer.recipe))
    placed = _placed(name, frames, stored["film"], preparer, kept)
    return Film(name, frames, placed, mirror(np.arange(most), len(frames)).tolist())


def _placed(name: str, frames: Sequence[Pixels], meshes: Array, preparer: Preparer, kept: Shelf) -> list[Placed]:
    name = f"film-{name}.npz"
    found = kept.arrays(name)
    if found is None:
        made = [preparer.about(frame, seen) for frame, seen in zip(frames, meshes, strict=False)]
        found = {part: np.stack([getattr(each, part) for each in made]) for part in ("cut", "eye_open", "eye_ball")}
        kept.keep_arrays(name, found)
    return [Placed(*parts) for parts in zip(found["cut"], found["eye_open"], found["eye_ball"], strict=True)]


def smoothed(numbers: Array, taps: int = TAPS) -> Array:
    """(n, ...) each the mean of those around it, ``taps`` in all; fewer at the ends."""
    half = taps // 2
    sums = np.concatenate([np.zeros((1, *numbers.shape[1:])), np.cumsum(numbers, axis=0, dtype=np.float64)])
    at = np.arange(len(numbers))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(numbers))
    count = (high - low).reshape(-1, *([1] * (numbers.ndim - 1)))
    return ((sums[high] - sums[low]) / count).astype(np.float32)


def motion(frames: Sequence[Motion]) -> Motion:
    """What a network says of each frame, as one smoothed motion."""
    parts = {key: smoothed(np.concatenate([getattr(frame, key) for frame in frames])) for key in (*KEYS, "kp")}
    return Motion(**parts)
