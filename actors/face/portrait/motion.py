"""Lips from phones: coarticulated tracks with closures enforced, one lip vector a frame.

Each track is a dominance-weighted mean of the targets around a moment (after the dominance model of Cohen and
Massaro), smoothed by a Gaussian that stands for inertia. Everything is a function of the phones that begin
before the frame's end plus LOOK_AHEAD, so that it does not matter how a reply was cut into spans. It knows
neither sound nor pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.visemes import FV, JAW, PRESS, ROUND, TONGUE, TRACKS, UP, visemes_of
from streaming.media import FRAME, RATE
from streaming.stages import Phone

Lips = NDArray[np.float64]
"""(8,) in the order of visemes.TRACKS."""

MS = RATE // 1000
_TAU_BEFORE = np.array([50, 85, 100, 55, 32, 36, 50, 85]) * MS
_TAU_AFTER = np.array([48, 60, 65, 50, 30, 36, 45, 60]) * MS
_SILENCE_PULL = np.array([1.2, 0.5, 0.5, 1.2, 1.2, 1.2, 1.2, 0.5])
_REACH = 160 * MS  # no sound is felt further away than this
_SILENCE_REACH = 90 * MS
_SHORT_PAUSE = 130 * MS  # shorter ones belong half to each neighbour
_MEMORY = 400 * MS  # phones that ended longer ago than this have no effect
_FORESIGHT = 290 * MS  # nor have phones that begin later than this
_INERTIA_MS = 17.0
_STEPS = np.arange(-4, 5) * 10 * MS
_INERTIA = np.exp(-0.5 * (_STEPS / (_INERTIA_MS * MS)) ** 2)
_INERTIA /= _INERTIA.sum()
_STRESS = (0.84, 1.14, 1.0)  # jaw of a vowel by Phone.stress: none, primary, secondary


@dataclass(frozen=True, slots=True)
class Segments:
    """Visemes on the time axis; every array is (n,) or (n, 8), in samples at 24 kHz."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    margin: NDArray[np.float64]
    target: NDArray[np.float64]
    pull: NDArray[np.float64]
    silences: NDArray[np.float64]
    """(s, 2): stretches without speech, the first from minus and the last to plus infinity."""


def around(phones: Sequence[Phone], at: int) -> list[Phone]:
    """The sounded phones that can be felt at sample ``at``, in order."""
    near = [p for p in phones if p.start < at + _FORESIGHT and p.start + p.samples > at - _MEMORY and p.samples > 0]
    return sorted((p for p in near if visemes_of(p.symbol)), key=lambda p: p.start)


def segments(phones: Sequence[Phone]) -> Segments:
    """Lay sounded phones (in order) out as visemes; short pauses between them are closed from both sides."""
    edges = [[p.start, p.start + p.samples] for p in phones]
    silences, before = [], -np.inf
    for here, following in pairwise(edges):
        if 0 < following[0] - here[1] < _SHORT_PAUSE:
            here[1] = following[0] = (here[1] + following[0]) // 2
    for start, end in edges:
        if start > before:
            silences.append((before, float(start)))
        before = max(before, float(end))
    silences.append((before, np.inf))
    rows = [row for p, (start, end) in zip(phones, edges, strict=True) for row in _rows(p, start, end)]
    start, end, margin = (np.array([r[i] for r in rows], float) for i in range(3))
    target = np.array([r[3] for r in rows], float).reshape(-1, len(TRACKS))
    pull = np.array([r[4] for r in rows], float).reshape(-1, len(TRACKS))
    return Segments(start, end, margin, target, pull, np.array(silences))


def _rows(phone: Phone, start: int, end: int) -> list[tuple[float, float, float, Lips, Lips]]:
    rows, done = [], 0.0
    for viseme, share in visemes_of(phone.symbol):
        own = phone.samples * share
        first, last = start + (end - start) * done, start + (end - start) * (done + share)
        target = viseme.target.copy()
        if viseme.vowel:
            target[JAW] *= _STRESS[phone.stress]
        weight = min(1.3, max(0.35, own / (60 * MS)))
        rows.append((first, last, min(0.22 * own, 24.0 * MS), target, viseme.dominance * weight))
        done += share
    return rows


def tracks(parts: Segments, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means at the samples ``at`` (t,): (t, 8)."""
    moment = at[:, None]
    ahead = parts.start[None] + parts.margin[None] - moment
    behind = moment - (parts.end[None] - parts.margin[None])
    weight = parts.pull[None] * _felt(ahead, behind, _REACH)
    quiet_ahead = (np.where(parts.silences[None, :, 1] >= moment, parts.silences[None, :, 0] - moment, np.inf)).min(1)
    quiet_behind = (np.where(parts.silences[None, :, 0] <= moment, moment - parts.silences[None, :, 1], np.inf)).min(1)
    inside = (quiet_ahead <= 0) | (quiet_behind <= 0)
    quiet = np.maximum(
        _felt(quiet_ahead, np.zeros_like(quiet_ahead), _SILENCE_REACH),
        _felt(np.zeros_like(quiet_behind), quiet_behind, _SILENCE_REACH),
    )
    quiet = _SILENCE_PULL * np.where(inside[:, None], 1.0, quiet)
    return (weight * parts.target[None]).sum(1) / (weight.sum(1) + quiet)


def _felt(ahead: NDArray[np.float64], behind: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """How strongly a stretch is felt that begins ``ahead`` samples later or ended ``behind`` earlier: (..., 8)."""
    far = np.maximum(np.maximum(ahead, behind), 0.0)
    tau = np.where((ahead > behind)[..., None], _TAU_BEFORE, _TAU_AFTER)
    fade = np.clip((reach - far) / (50.0 * MS), 0.0, 1.0)
    return np.exp(-((np.minimum(far, reach)[..., None] / tau) ** 1.35)) * fade[..., None]


def lips_from_phones(phones: Sequence[Phone], frame: int, loudness: float) -> Lips:
    """The lips in the middle of a frame.

    ``phones`` count from the reply's first sample and hold every one that begins before the frame's end plus
    LOOK_AHEAD; ``loudness`` is the sound's level relative to its running 85th percentile.
    """
    middle = frame * FRAME + FRAME // 2
    near = around(phones, middle)
    if not near:
        return np.zeros(len(TRACKS))
    lips = lips_at(near, middle)
    lips[JAW] *= min(1.22, max(0.72, 0.72 + 0.42 * loudness))
    return closed_where_needed(lips, near, frame)


def lips_at(phones: Sequence[Phone], sample: int) -> Lips:
    """Tracks with inertia at a sample, from sounded phones in order; neither loudness nor enforced closures."""
    return (tracks(segments(phones), (sample + _STEPS).astype(float)) * _INERTIA[:, None]).sum(0)


def closed_where_needed(lips: Lips, phones: Sequence[Phone], frame: int) -> Lips:
    """Enforce what the eye checks: p b m shut in the frame of their middle, f v on the teeth."""
    middle = frame * FRAME + FRAME // 2
    shut, near_shut, bite = False, False, False
    for phone in phones:
        start = float(phone.start)
        for viseme, share in visemes_of(phone.symbol):
            samples = phone.samples * share
            centre = int(start + samples / 2) // FRAME
            core = start + 0.25 * samples <= middle <= start + 0.75 * samples
            if viseme.name == "PBM":
                shut |= centre == frame or core
                near_shut |= abs(centre - frame) == 1
            bite |= viseme.name == "FV" and (centre == frame or core)
            start += samples
    if shut:
        lips[[JAW, UP, FV, TONGUE]] = 0.0
        lips[PRESS] = max(lips[PRESS], 0.9)
        lips[ROUND] *= 0.7
    elif bite:
        lips[JAW] = min(lips[JAW], 0.06)
        lips[FV] = max(lips[FV], 0.9)
        lips[PRESS] = 0.0
    elif near_shut:
        lips[JAW] *= 0.62
    return lips
