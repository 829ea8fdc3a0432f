"""How far a mouth is open, picture by picture, from the pixels alone.

The mouth is where a face moves fastest: there, blinks left aside, neighbouring pictures differ most. How far it is
open is the height of what is neither skin nor lip between the lips: dark, or pale and without colour. Knows no
engine, no rig, no sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Curve = NDArray[np.float64]

SHUT = 0.06
"""An opening of at most this share of the clip's 90th percentile is shut."""
LEAST_REFERENCE = 0.10
"""Mouth widths: the reference of a short clip is at least this (speech has 0.15 to 0.2)."""

_WIDEST = 512  # px; wider pictures are reduced
_MAP = 128  # px; width of the map of motion
_PAIRS, _SAMPLES = 1024, 32  # neighbouring pictures compared, pictures kept to learn the face from
_BLINKS = 0.12  # the fastest share of all moments is left out: lids move in 10 % of them at most
_EDGE = 0.4  # of the peak of motion: where the mouth ends
_LEAST_MOTION = 0.3  # grey levels between neighbouring pictures
_CREASE = 0.02  # mouth widths that the dark line of shut lips may have


class NoMouth(ValueError):
    """Nothing in the pictures moves as a mouth does; the message says what was looked for."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """Where the mouth is while the head is in its usual place. Pixels of pictures at most 512 wide."""

    left: int
    top: int
    right: int
    bottom: int
    """The box in which lips move."""
    skin: tuple[float, float, float]
    """L, a, b of the skin around it (L 0-100)."""
    red: float
    """a of the lips."""
    anchor: Pixels
    """The nose, grey: what the head's motion is read from."""
    anchor_at: tuple[int, int]
    """x, y of the anchor's upper left corner."""

    @property
    def width(self) -> int:
        """From corner to corner, about."""
        return self.right - self.left


def mouth_opening(frames: Iterable[Pixels], mouth: Mouth | None = None) -> Curve:
    """Height of the opening in mouth widths, one value a picture; shut is about 0, a wide "ah" 0.3.

    ``frames`` are BGR (h, w, 3). Without ``mouth`` it is looked for in them, and they are all kept in memory; for
    a clip too short to find it in, find it in a longer one of the same face. Raises NoMouth.
    """
    if mouth is None:
        frames = list(frames)
        mouth = find_mouth(frames)
    return without_crease(heights(frames, mouth))


def first_open(opening: Curve, reference: float | None = None) -> int | None:
    """Number of the first picture whose mouth has left the closed state, None if there is none.

    ``reference``: the opening that SHUT is a share of, by default ``usual_opening(opening)``.
    """
    limit = SHUT * (usual_opening(opening) if reference is None else reference)
    found = np.flatnonzero(opening > limit)
    return int(found[0]) if len(found) else None


def usual_opening(opening: Curve) -> float:
    """The 90th percentile, in mouth widths, but LEAST_REFERENCE where a clip is short or hardly speaks."""
    return max(LEAST_REFERENCE, float(np.percentile(opening, 90))) if len(opening) else LEAST_REFERENCE


def without_crease(height: Curve) -> Curve:
    """Take off what shut lips show, a dark line at most: the 5th percentile, within limits."""
    if not len(height):
        return height
    return np.maximum(0.0, height - min(_CREASE, float(np.percentile(height, 5))))


# ---- where it is --------------------------------------------------------------------------------------------


def find_mouth(frames: Iterable[Pixels]) -> Mouth:
    """Look for the mouth in pictures of one face that speaks. Raises NoMouth."""
    pairs, samples = _Spaced(_PAIRS), _Spaced(_SAMPLES)
    before: Pixels | None = None
    for frame in map(fitted, frames):
        samples.offer(frame)
        small = _small(frame)
        if before is not None:
            pairs.offer(cv2.absdiff(small, before).max(axis=2))
        before = small
    if not pairs.kept:
        raise NoMouth("a mouth is found by its motion; that takes two pictures at least, better some seconds")
    box = _busiest(_motion(np.stack(pairs.kept)), samples.kept[0].shape[1] / _MAP)
    return _learn(box, np.stack(samples.kept))


def fitted(frame: Pixels) -> Pixels:
    """The picture, reduced if it is wider than 512 px."""
    height, width = frame.shape[:2]
    if width <= _WIDEST:
        return frame
    size = (_WIDEST, round(height * _WIDEST / width))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


class _Spaced:
    """At most ``most`` of the items offered, evenly spaced over all of them."""

    def __init__(self, most: int) -> None:
        self.kept: list[Pixels] = []
        self._most, self._step, self._seen = most, 1, 0

    def offer(self, item: Pixels) -> None:
        if self._seen % self._step == 0:
            self.kept.append(item)
        self._seen += 1
        if len(self.kept) > self._most:
            self.kept, self._step = self.kept[::2], self._step * 2


def _small(frame: Pixels) -> Pixels:
    size = (_MAP, round(frame.shape[0] * _MAP / frame.shape[1]))
    return np.asarray(cv2.GaussianBlur(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0), np.uint8)


def _motion(changes: Pixels) -> NDArray[np.float32]:
    """Usual change from picture to picture (h, w), from changes (n, h, w), the rare fast ones nearly left out."""
    ordered = np.sort(changes.transpose(1, 2, 0), axis=2)
    usual = ordered[..., : max(1, round(ordered.shape[2] * (1 - _BLINKS)))].mean(axis=2)
    return (usual + 0.25 * ordered.mean(axis=2)).astype(np.float32)


def _busiest(motion: NDArray[np.float32], scale: float) -> tuple[int, int, int, int]:
    """Box around the patch that moves most: left, top, right, bottom in picture pixels; never the picture's top."""
    height, width = motion.shape
    down = np.clip((np.arange(height) / height - 0.25) / 0.2, 0, 1)
    across = np.exp(-0.5 * ((np.arange(width) / width - 0.5) / 0.3) ** 2)
    weighed = cv2.GaussianBlur(motion, (0, 0), width * 0.02) * down[:, None] * across
    row, column = np.unravel_index(int(np.argmax(weighed)), weighed.shape)
    peak = motion[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4].max()
    if peak < _LEAST_MOTION:
        raise NoMouth("no mouth moves: the pictures hardly differ from one to the next where a mouth could be")
    _, names = cv2.connectedComponents((motion > _EDGE * peak).astype(np.uint8))
    rows, columns = np.nonzero(names == names[row, column])
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    if names[row, column] == 0 or not 0.04 * width < right - left < 0.6 * width:
        raise NoMouth("what moves most in the lower face is not of a mouth's size; the clip must show one face, large")
    return tuple(round(float(edge) * scale) for edge in (left, top, right, bottom))  # type: ignore[return-value]


def _learn(box: tuple[int, int, int, int], samples: Pixels) -> Mouth:
    left, top, right, bottom = box
    width, usual = right - left, np.median(samples, axis=0).astype(np.uint8)
    ring = slice(max(0, top - width), bottom + width // 2), slice(max(0, left - width // 2), right + width // 2)
    colours = _lab(usual[ring])
    outside = np.ones(colours.shape[:2], bool)
    outside[top - ring[0].start : bottom - ring[0].start, left - ring[1].start : right - ring[1].start] = False
    skin = [float(value) for value in np.median(colours[outside], axis=0)]
    red = float(np.percentile(_lab(usual[top:bottom, left + width // 4 : right - width // 4])[..., 1], 80))
    middle, nose = (left + right) // 2, (max(0, top - width), max(0, top - width // 6))
    reach = round(0.6 * width)
    anchor = cv2.cvtColor(usual[nose[0] : nose[1], max(0, middle - reach) : middle + reach], cv2.COLOR_BGR2GRAY)
    at = (max(0, middle - reach), nose[0])
    return Mouth(left, top, right, bottom, (skin[0], skin[1], skin[2]), red, np.asarray(anchor, np.uint8), at)


# ---- how far it is open --------------------------------------------------------------------------------------


def heights(frames: Iterable[Pixels], mouth: Mouth) -> Curve:
    """Height of what is neither skin nor lip, in mouth widths, mean of the middle columns, one value a picture."""
    return np.array([inside_of(window, mouth).sum(axis=0).mean() for _, window in windows(frames, mouth)]) / mouth.width


def windows(frames: Iterable[Pixels], mouth: Mouth) -> Iterator[tuple[tuple[int, int], Pixels]]:
    """The middle two fifths of the mouth in every picture, wherever the head is: ((x, y) of its corner, pixels)."""
    width, middle = mouth.width, (mouth.left + mouth.right) / 2
    size = round(0.4 * width), mouth.bottom - mouth.top + round(0.4 * width)
    dx = dy = 0
    for frame in map(fitted, frames):
        dx, dy = _head_at(frame, mouth, (dx, dy))
        x = min(max(0, round(middle - size[0] / 2) + dx), frame.shape[1] - size[0])
        y = min(max(0, mouth.top - round(0.12 * width) + dy), frame.shape[0] - 1)
        yield (x, y), frame[y : y + size[1], x : x + size[0]]


def _head_at(frame: Pixels, mouth: Mouth, before: tuple[int, int]) -> tuple[int, int]:
    """How far the nose is from its usual place, in px; where it cannot be told, as ``before``."""
    if mouth.anchor.size == 0 or mouth.anchor.std() < 2:
        return before
    reach = round(0.3 * mouth.width)
    x, y = max(0, mouth.anchor_at[0] - reach), max(0, mouth.anchor_at[1] - reach)
    height, width = mouth.anchor.shape
    view = frame[y : mouth.anchor_at[1] + height + reach, x : mouth.anchor_at[0] + width + reach]
    fits = cv2.matchTemplate(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY), mouth.anchor, cv2.TM_CCOEFF_NORMED)
    _, best, _, where = cv2.minMaxLoc(fits)
    if best < 0.5:
        return before
    return where[0] + x - mouth.anchor_at[0], where[1] + y - mouth.anchor_at[1]


def inside_of(window: Pixels, mouth: Mouth) -> NDArray[np.float32]:
    """How much of each pixel is inside of the mouth, 0-1.

    A core that can be nothing else (far darker than the skin, or with far less colour) and what looks somewhat so
    right above and below it; the crease of shut lips has no core.
    """
    light, a, b = cv2.split(_lab(window))
    skin_light, skin_a, skin_b = mouth.skin
    colour, skin_colour = np.hypot(a, b), max(1.0, float(np.hypot(skin_a, skin_b)))
    dark, pale = light / skin_light, colour / skin_colour
    unlike_skin = np.hypot(a - skin_a, b - skin_b) > 0.3 * skin_colour
    core = np.maximum(_ramp(dark, 0.50, 0.30), _ramp(pale, 0.85, 0.50) * unlike_skin)
    rim = np.maximum(_ramp(dark, 0.60, 0.48), _ramp(pale, 1.0, 0.8) * unlike_skin)
    tall = 1 + 2 * max(1, round(0.08 * mouth.width))
    redder = max(2.0, mouth.red - skin_a)
    between = _between(_ramp(a, skin_a + 0.3 * redder, skin_a + 0.6 * redder))
    near = cv2.dilate(np.minimum(core, between), np.ones((tall, 3), np.uint8))
    return np.minimum(np.minimum(rim, between), _ramp(near, 0.25, 0.75)).astype(np.float32)


def _between(lip: NDArray[np.float32]) -> NDArray[np.float32]:
    """How sure it is that a pixel has lip above it and below it: no light on the skin above, no shadow below."""
    above = np.maximum.accumulate(lip, axis=0)
    return np.minimum(above, np.maximum.accumulate(lip[::-1], axis=0)[::-1])


def _ramp(value: NDArray[Any], nothing: float, all_: float) -> NDArray[Any]:
    """0 at ``nothing``, 1 at ``all_``, a line between."""
    return np.clip((value - nothing) / (all_ - nothing), 0, 1)


def _lab(picture: Pixels | Sequence[Pixels]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(np.asarray(picture, np.float32) / np.float32(255), cv2.COLOR_BGR2LAB), np.float32)
