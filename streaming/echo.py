"""Whether what a microphone heard is what a loudspeaker played, by sound and by words.

Sound is compared as energy in eight bands every 10 ms: a room changes level, colour and delay of a voice, but hardly
when which band is loud. This file is pure: it knows no reply, no turn and no time but the two pieces of sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streaming.media import MIC_RATE, RATE

Floats = npt.NDArray[np.float64]

HOPS = 100
"""Frames a second of what was heard: one every 10 ms, each 20 ms long."""

FINER = 2
"""Delays are tried in half hops: where a word begins, a band rises by 20 dB in one."""

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

ALIKE = 0.02
"""Shares of energy that differ by less are the same."""

LEAST = 0.01
"""What is kept of the energy of an echo that is taken out: none at all would leave holes that sound like consonants."""

FEWEST = 6
"""Loud places needed to learn a level: the first consonant of a word has no more."""

FAINT_DB = -40.0
"""An echo that is weaker than this wakes no listener."""

SILENT = 25.0
"""Energy of a frame's bands under which there is nothing to compare: about -70 dB of full scale."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the played sound explains the heard one best."""

    left: float
    """Share of the microphone's energy that stays unexplained: 0 is pure echo, 1 has none."""
    delay: int = 0
    """Samples at 16 kHz by which the echo comes later, both taken to end at once; a multiple of 5 ms."""
    level: float = 0.0
    """Decibels from played to heard."""


def fit(heard: bytes, played: bytes) -> Fit:
    """The delay and the level that explain most of ``heard`` by ``played``.

    ``heard`` is PCM16 at 16 kHz. ``played``, PCM16 at 24 kHz, ends with it and begins earlier by the longest delay
    that is tried. Too little sound of either kind explains nothing.
    """
    mic, speaker = energies(heard, MIC_RATE, HOPS), energies(played, RATE, HOPS * FINER)
    count, total = len(mic), mic.sum()
    if count < 2 or len(speaker) < FINER * count or total < SILENT * count:
        return Fit(1.0)
    tried = _decibels(_delayed(speaker, count))
    over = _decibels(mic).T - tried
    loud = tried > np.maximum(tried.max(axis=(1, 2), keepdims=True) - LOUD_DB, _QUIETEST)
    places = loud.sum(axis=(1, 2))
    ordered = np.sort(np.where(loud, over, np.inf).reshape(len(over), -1), axis=1)
    level = np.minimum(ordered[np.arange(len(over)), (places * LOW).astype(np.intp)], MOST_DB)
    allowed = _delayed(_widened(speaker, FINER), count) * 10 ** ((level + SPARE_DB) / 10)[:, None, None]
    strange = np.where(mic.T > allowed, mic.T, 0.0).sum(axis=(1, 2)) / total
    strange = np.where(places < FEWEST, 1.0, strange)
    # Several delays may explain all: the best of them is the one whose level is the same everywhere.
    spread = np.where(loud, np.abs(over - level[:, None, None]), 0.0).sum(axis=(1, 2)) / np.maximum(places, 1)
    best = int(np.where(strange <= strange.min() + ALIKE, spread, np.inf).argmin())
    return Fit(float(strange[best]), (len(strange) - 1 - best) * MIC_RATE // (HOPS * FINER), float(level[best]))


def carried(heard: bytes, played: bytes) -> bool:
    """False if ``heard`` shows that no loudspeaker reaches this microphone: it was silent while ``played`` was loud.

    Both as for ``fit``. True as well where that cannot be told: too little was played, or the room is not quiet.
    """
    mic, speaker = energies(heard, MIC_RATE, HOPS), energies(played, RATE, HOPS * FINER)
    if not len(mic) or len(speaker) < FINER * len(mic):
        return True
    least = _delayed(speaker, len(mic)).sum(axis=(1, 2)).min()  # whatever the delay, so much was played
    return bool(mic.sum() > least * 10 ** (FAINT_DB / 10))


def without(heard: bytes, played: bytes, level: float) -> bytes:
    """``heard`` with an echo turned down: that of ``played``, which is moved to where it is heard, at ``level`` dB."""
    mic, speaker = _spectra(heard, MIC_RATE, HOPS), _spectra(played, RATE, HOPS)
    if not len(mic):
        return heard
    own = _widened(np.abs(speaker[: len(mic), : mic.shape[1]]) ** 2, 1) * 10 ** ((level + SPARE_DB) / 10)
    kept = np.fft.irfft(mic * np.sqrt(np.clip(1 - own / (np.abs(mic) ** 2 + 1e-9), LEAST, 1.0)), axis=1)
    hop, size = MIC_RATE // HOPS, 2 * MIC_RATE // HOPS
    sound = np.frombuffer(heard, "<i2").astype(np.float64)
    sound[hop : len(mic) * hop] = 0.0
    for k, frame in enumerate(kept * size):
        first = hop if k == 0 else 0  # the first and the last half frame have no neighbour to add to: left as they are
        last = size if k < len(mic) - 1 else hop
        sound[k * hop + first : k * hop + last] += frame[first:last]
    return np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes()


def energies(pcm: bytes, rate: int, hops: int) -> Floats:
    """Energy in each band of 20 ms, ``hops`` times a second, shape (frames, bands); PCM16 mono, ``rate`` a second."""
    power = np.abs(_spectra(pcm, rate, hops)) ** 2
    edges = [edge * 2 // HOPS for edge in EDGES]
    return np.add.reduceat(power, edges, axis=1)[:, :-1]


def _spectra(pcm: bytes, rate: int, hops: int) -> npt.NDArray[np.complex128]:
    """Spectra of 20 ms each, ``hops`` times a second, in steps of 50 Hz, as large at any rate."""
    sound = np.frombuffer(pcm, "<i2").astype(np.float64)
    size = 2 * rate // HOPS
    if len(sound) < size:
        return np.zeros((0, size // 2 + 1), np.complex128)
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[:: rate // hops]
    return np.fft.rfft(frames * np.hanning(size + 1)[:-1], axis=1) / size


def _widened(energy: Floats, by: int) -> Floats:
    """Each place with the most of itself and its neighbours ``by`` frames away."""
    around = np.pad(energy, ((by, by), (0, 0)))
    return np.maximum(np.maximum(around[: -2 * by], energy), around[2 * by :])


def _delayed(speaker: Floats, count: int) -> Floats:
    """``count`` frames a whole hop apart for each delay, shape (delays, bands, frames); the longest delay first."""
    return np.lib.stride_tricks.sliding_window_view(speaker, FINER * (count - 1) + 1, axis=0)[:, :, ::FINER]


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
