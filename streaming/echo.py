"""Whether what a microphone heard is what a loudspeaker played, by sound and by words.

Sound is compared as energy in eight bands every 10 ms: a room changes level, colour and delay of a voice, but hardly
when which band is loud. This file is pure: it knows no reply, no turn and no time but the two pieces of sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streaming.media import MIC_RATE, RATE

Floats = npt.NDArray[np.float64]

HOPS = 100
"""Frames a second: one every 10 ms, each 20 ms long."""

EDGES = (100, 300, 500, 800, 1200, 1700, 2400, 3400, 5000)
"""Borders of the bands in Hz: where voices have their energy, and small loudspeakers and microphones agree."""

LOUD_DB = 20.0
"""How far under its loudest place the played sound still counts as loud: only there can its level be learned."""

LOW = 0.35
"""Of the loud places, the share that is taken for echo alone. A person only adds energy: the quiet ones are pure."""

SPARE_DB = 6.0
"""What an echo may be louder than its level says: reverberation, and frames that do not begin together."""

MOST_DB = 6.0
"""What an echo may be louder than it was played. More is a voice over a pause of ours."""

FEWEST = 16
"""Loud places needed to learn a level: two frames of all bands."""

SILENT = 1e4
"""Energy of a frame's bands that no microphone is quieter than while somebody speaks (PCM16, squared): about -75 dB."""


def left_over(heard: bytes, played: bytes) -> float:
    """Share of the microphone's energy that the played sound does not explain: 0 is pure echo, 1 has none.

    ``heard`` is PCM16 at 16 kHz. ``played``, PCM16 at 24 kHz, ends with it and begins earlier by the longest delay
    that is tried. The delay and the level that explain most are taken. Too little sound of either kind gives 1.
    """
    mic, speaker = energies(heard, MIC_RATE), energies(played, RATE)
    count, total = len(mic), mic.sum()
    if count < 2 or len(speaker) < count or total < SILENT * count:
        return 1.0
    padded = np.pad(speaker, ((1, 1), (0, 0)))
    widened = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    tried = _decibels(np.lib.stride_tricks.sliding_window_view(widened, count, axis=0))  # delay, band, frame
    over = _decibels(mic).T - tried
    loud = tried > np.maximum(tried.max(axis=(1, 2), keepdims=True) - LOUD_DB, _QUIETEST)
    places = loud.sum(axis=(1, 2))
    ordered = np.sort(np.where(loud, over, np.inf).reshape(len(over), -1), axis=1)
    level = np.minimum(ordered[np.arange(len(over)), (places * LOW).astype(np.intp)], MOST_DB)
    strange = np.where(over > level[:, None, None] + SPARE_DB, mic.T, 0.0).sum(axis=(1, 2)) / total
    return float(np.where(places < FEWEST, 1.0, strange).min())


def energies(pcm: bytes, rate: int) -> Floats:
    """Energy in each band of every 10 ms, shape (frames, bands); PCM16 mono, ``rate`` samples a second."""
    sound = np.frombuffer(pcm, "<i2").astype(np.float64)
    hop = rate // HOPS
    if len(sound) < 2 * hop:
        return np.zeros((0, len(EDGES) - 1))
    frames = np.lib.stride_tricks.sliding_window_view(sound, 2 * hop)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(2 * hop), axis=1)) ** 2 / hop**2
    edges = [edge * 2 * hop // rate for edge in EDGES]
    return np.add.reduceat(power, edges, axis=1)[:, :-1]


_QUIETEST = 10 * np.log10(SILENT)


def _decibels(energy: Floats) -> Floats:
    return 10 * np.log10(energy + 1.0)


def repeated(text: str, played: Sequence[str]) -> float:
    """Share of the words of ``text`` that are among ``played``, in the same order; 0 for no words.

    A word cut off at either end counts, from three letters on: an echo rarely begins with a whole word.
    """
    heard, said = _words(text), _words(" ".join(played))
    if not heard:
        return 0.0
    best = [0] * (len(said) + 1)
    for word in heard:
        row = [0]
        for k, other in enumerate(said):
            row.append(best[k] + 1 if _alike(word, other) else max(best[k + 1], row[k]))
        best = row
    return best[-1] / len(heard)


def _words(text: str) -> list[str]:
    plain = ("".join(c for c in word if c.isalnum()).lower() for word in text.replace("-", " ").split())
    return [word for word in plain if word]


def _alike(word: str, other: str) -> bool:
    short, long = sorted((word, other), key=len)
    return word == other or (len(short) > 2 and (long.startswith(short) or long.endswith(short)))
