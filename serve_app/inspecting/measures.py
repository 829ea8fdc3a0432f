"""What is measured of a clip's lips: closures, silence, agreement with speech sounds and with loudness.

Pure: from the opening of every picture, the sound and the labels. It knows no file and no pixel; what is good
enough is told in ``bars``. A picture counts at the middle of the time it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actors.tts.align import label_shift
from serve_app.inspecting.curves import Agreement, agreement, loudness, quiet_stretches, resampled
from serve_app.inspecting.labels import STEP, Labels, openness
from serve_app.inspecting.mouth import SHUT
from streaming.media import RATE

Curve = NDArray[np.float64]

_NEAR = RATE // 5  # samples: a closure counts if the mouth opens within 200 ms of it
_OPENS = 0.25  # of the 90th percentile: that it opens
_EDGE = RATE // 10  # samples: 100 ms at either end of a silence are left to the lips
_WINDOW = 5 * RATE  # samples


@dataclass(frozen=True, slots=True)
class Lips:
    """The mouth over time."""

    pts: NDArray[np.int64]
    """(n,) when each picture is first shown, in samples at 24 kHz."""
    opening: Curve
    """(n,) opening as a share of the clip's 90th percentile."""

    @property
    def duration(self) -> float:
        """How long a picture is usually shown, in samples."""
        return float(np.median(np.diff(self.pts))) if len(self.pts) > 1 else RATE / 25

    @property
    def middles(self) -> NDArray[np.float64]:
        """(n,) the middle of the time that each picture is shown, in samples."""
        return np.asarray(self.pts + self.duration / 2, np.float64)


@dataclass(frozen=True, slots=True)
class Closures:
    """What the lips do at p, b and m."""

    labelled: int
    counted: int
    """Those within 200 ms of which the mouth opens."""
    shut: int
    """Those of the counted at which the lips meet within one picture."""
    missed_s: tuple[float, ...]
    """Where they do not, in seconds."""
    chance: float
    """Share that would be shut if they lay anywhere else in speech."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What the lips do while nothing is said."""

    frames: int
    """Pictures shown in silence, less 100 ms at either end of each."""
    open: int
    open_s: tuple[float, ...]
    """Where the mouth is open all the same, in seconds."""


def closures(lips: Lips, labels: Labels) -> Closures:
    """Whether p, b and m are shut within one picture, where the mouth opens nearby."""
    middles, opening = lips.middles, lips.opening
    nearby = [np.abs(middles - middle) <= _NEAR for middle in middles]
    opens = np.array([bool(near.any()) and opening[near].max() >= _OPENS for near in nearby])
    padded = np.pad(opening, 1, mode="edge")
    shut = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:]) <= SHUT
    frames = np.array([np.searchsorted(lips.pts, at, "right") - 1 for at in labels.closures()], int)
    frames = frames[(frames >= 0) & (frames < len(opening))]
    counted = frames[opens[frames]]
    missed = counted[~shut[counted]]
    return Closures(
        len(labels.closures()),
        len(counted),
        int(shut[counted].sum()),
        tuple(round(float(middles[k]) / RATE, 2) for k in missed),
        float(shut[opens].mean()) if opens.any() else 0.0,
    )


def silence(lips: Lips, stretches: list[tuple[int, int]]) -> Silence:
    """How many pictures in the stretches (samples at 24 kHz) show an open mouth."""
    inside = np.zeros(len(lips.pts), bool)
    for first, last in stretches:
        inside |= (lips.pts >= first + _EDGE) & (lips.pts + lips.duration <= last - _EDGE)
    wrong = inside & (lips.opening > SHUT)
    where = tuple(round(float(at) / RATE, 2) for at in lips.middles[wrong])
    return Silence(int(inside.sum()), int(wrong.sum()), where)


def with_phonemes(lips: Lips, labels: Labels) -> tuple[Agreement, tuple[Agreement, ...]]:
    """Agreement with the openness expected of the labels: over the whole, and in windows of 5 s."""
    end = int(lips.pts[-1] + lips.duration)
    seen, expected = resampled(lips.middles, lips.opening, end), openness(labels.phones, end)
    size = _WINDOW // STEP
    parts = [slice(at, at + size) for at in range(0, len(seen) - size + 1, size)]
    return agreement(seen, expected), tuple(agreement(seen[part], expected[part]) for part in parts)


def with_loudness(lips: Lips, sound: NDArray[np.int16]) -> Agreement:
    """Agreement with how loud the sound is."""
    return agreement(resampled(lips.middles, lips.opening, len(sound)), loudness(sound))


def heard_silences(sound: NDArray[np.int16]) -> list[tuple[int, int]]:
    """Silences for want of labels: where nothing is heard for longer than a stop consonant."""
    return [(first, last) for first, last in quiet_stretches(loudness(sound)) if last - first > 2 * _EDGE]


def labels_late_ms(sound: NDArray[np.int16], labels: Labels) -> float:
    """How much later the labels lie than the sound; negative: early. Raises ValueError where it cannot be told."""
    return -label_shift(sound.astype("<i2").tobytes(), labels.phones)
