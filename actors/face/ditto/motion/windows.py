"""Windows of predicted motion joined to one track: cross-fade, smoothing, and what conditions the next window.

A window covers 80 frames. Its last ``stride`` are new; the few before them are cross-faded into the track's open end,
which is kept back until then. Strides may change from window to window: each fades over as many frames as the
window before it kept back. It knows neither sound nor network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from actors.face.ditto.spec import HEAD_DIMS, WINDOW, Array

LONGEST_FADE = 10
"""Frames of a cross-fade, but for strides below it, which fade over as many as they bring."""


def kept_back(stride: int) -> int:
    """Frames that a window of this stride leaves open for the next one to fade into."""
    return min(WINDOW - stride, stride, LONGEST_FADE)


@dataclass(frozen=True, slots=True)
class Track:
    """The motion of a reply so far."""

    frames: Array
    """(at most 80, n): the newest ones."""
    end: int
    """Frame of the reply after the last one; the frames before 0 are the silence that a reply begins with."""
    open: int
    """How many at the end are still to be faded into."""
    windows: int
    """How many windows it was made of."""

    @property
    def finished(self) -> int:
        """Frame of the reply after the last one that no window will change."""
        return self.end - self.open

    def at(self, frame: int) -> Array:
        """(n,) one finished frame. Raises IndexError if it is not there any more, or not yet."""
        place = frame - (self.end - len(self.frames))
        if not 0 <= place < len(self.frames) - self.open:
            raise IndexError(f"frame {frame} is not kept: {self.end - len(self.frames)} to {self.finished - 1} are")
        return self.frames[place]


EMPTY = Track(np.zeros((0, 0), np.float32), 0, 0, 0)


def condition(track: Track, stride: int, source: Array, *, keep: int | None = HEAD_DIMS) -> Array:
    """(n,) what the next window, of ``stride``, is conditioned with: the frame just before its first.

    Its first ``keep`` numbers are the track's, the others the avatar's own (``source``), so that errors do not pile
    up in the expression; None keeps all. Before the first window it is ``source``.
    """
    if not track.windows:
        return source
    before = track.frames[stride - 1]
    return before if keep is None else np.concatenate([before[:keep], source[keep:]])


def joined(track: Track, window: Array, stride: int, *, back: int | None = None, smooth: bool = True) -> Track:
    """The track with a predicted window (80, n) whose last ``stride`` frames are new.

    ``back``: frames to keep back; None takes ``kept_back(stride)``. Raises ValueError for a stride that cannot be.
    """
    if window.shape[0] != WINDOW or not 0 < stride < WINDOW or track.open > WINDOW - stride:
        raise ValueError(f"a window of {WINDOW} frames cannot bring {stride} new ones; choose a stride of 5 to 70")
    back = kept_back(stride) if back is None else back
    if not track.windows:
        frames = np.asarray(window, np.float32)
        return Track(_smoothed(frames, 0, WINDOW) if smooth else frames, track.end + stride, back, 1)
    fade = track.open
    share = (np.arange(fade, dtype=np.float32) / max(fade, 1))[:, None]
    old, new = track.frames[len(track.frames) - fade :], window[WINDOW - stride - fade : WINDOW - stride]
    settled = track.frames[: len(track.frames) - fade]
    frames = np.concatenate([settled, old * (1 - share) + new * share, window[WINDOW - stride :]])
    if smooth:
        frames = _smoothed(frames, len(settled), len(settled) + fade + 1)
    return Track(frames[-WINDOW:].astype(np.float32), track.end + stride, back, track.windows + 1)


def _smoothed(frames: Array, first: int, end: int) -> Array:
    """Each head of ``first`` to ``end`` the mean of itself and its neighbours; expressions stay sharp."""
    head = frames[:, :HEAD_DIMS]
    total, count = head.copy(), np.ones((len(head), 1), np.float32)
    total[1:] += head[:-1]
    total[:-1] += head[1:]
    count[1:] += 1
    count[:-1] += 1
    out = frames.copy()
    out[first:end, :HEAD_DIMS] = (total / count)[first:end]
    return out
