"""The condition rows of the diffusion: for each frame its audio, emotion, eyes and the avatar's keypoints.

It knows no window and no network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from actors.face.ditto.spec import EMOTIONS, Array

_CERTAIN = 8.0
"""What a chosen emotion's logit is; the others' is 0."""


def emotion(*labels: int) -> Array:
    """(8,) shares of the chosen emotions, by their place in ``spec.EMOTIONS``. Raises ValueError on an unknown one."""
    logits = np.zeros(len(EMOTIONS), np.float32)
    for label in labels:
        if not 0 <= label < len(EMOTIONS):
            raise ValueError(f"there is no emotion {label}; they are 0-{len(EMOTIONS) - 1}: {', '.join(EMOTIONS)}")
        logits[label] = _CERTAIN
    shares = np.exp(logits - logits.max())
    return (shares / shares.sum()).astype(np.float32)


def mirror(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Frames of a clip of ``size`` that is played to its end, back to its beginning, and so on."""
    turn, place = np.divmod(index, size)
    return np.where(turn % 2 == 0, place, size - 1 - place)


def rows(
    audio: Array, first: int, emotion_rows: Array, eye_open: Array, eye_ball: Array, keypoints: Array,
    eyes_from: int = 0,
) -> Array:  # fmt: skip
    """Condition rows (n, 1103) of the frames ``first`` on, one for each of ``audio`` (n, 1024).

    ``emotion_rows`` (m, 8) are cycled, ``eye_open`` (m, 2) and ``eye_ball`` (m, 6) go to and fro; ``keypoints`` (63)
    stay. Frames before 0 count as 0. ``eyes_from``: frame of the film that frame 0 shows.
    """
    at = np.maximum(np.arange(first, first + len(audio)), 0)
    return np.concatenate(
        [
            audio,
            emotion_rows[at % len(emotion_rows)],
            eye_open[mirror(at + eyes_from, len(eye_open))],
            eye_ball[mirror(at + eyes_from, len(eye_ball))],
            np.broadcast_to(keypoints.reshape(1, -1), (len(audio), keypoints.size)),
        ],
        axis=1,
    ).astype(np.float32)
