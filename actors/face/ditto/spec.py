"""The numbers of Ditto that several files need: sizes of its vectors, rates, and which keypoint is what.

Kept apart so that the motion stage and the networks agree without knowing each other.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
"""Numbers, float32 unless a docstring says otherwise."""

POINTS = 21
"""Implicit keypoints of a face, three coordinates each."""
BINS = 66
"""Classes of 3 degrees that an angle's logits are spread over; the first is centred at -97.5 degrees."""
EXPRESSION = 3 * POINTS
MOTION = 1 + 3 * BINS + 3 + EXPRESSION
"""265: scale - 1, pitch, yaw and roll as logits, translation, expression."""
HEAD_DIMS = MOTION - EXPRESSION
"""The first 202: everything but the expression. Only these are smoothed, only these condition the next window."""

AUDIO = 1024
"""Numbers of one audio feature."""
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise", "contempt")
CONDITION = AUDIO + len(EMOTIONS) + 2 + 6 + EXPRESSION
"""1103: audio, emotion, how open two eyes are, how two eyeballs are turned, the avatar's keypoints."""

WINDOW = 80
"""Frames that one run of the diffusion gives."""

RATE = 16_000
"""Samples per second that the audio encoder hears."""
HOP = 640
"""Samples at 16 kHz of one frame."""
CHUNK_FRAMES = 5
"""Frames that one run of the audio encoder gives."""
CHUNK = 6480
"""Samples at 16 kHz of that run: three frames before, the five, two after, and 80 samples of the encoder's own."""
CHUNK_BEFORE = 3 * HOP
"""Samples at 16 kHz of it that lie before its first frame."""
ENCODED = 20
"""Rows at 50 Hz of that run; those 14 to 4 from the end, meaned in pairs, are the five frames."""

LIPS = (6, 12, 14, 17, 19, 20)
"""Keypoints that the audio always moves."""
EYES = (11, 13, 15, 16, 18)
"""Keypoints that blink."""
