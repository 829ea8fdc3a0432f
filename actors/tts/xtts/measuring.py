"""What the windowed vocoder saves: frames decoded, time and difference, against decoding all again for every chunk.

For `python -m serve_app.bench vocoder`. The networks' weights are made up, for neither work nor difference depends on
what they say; the vocoder is narrower than the published one (64 of 512 channels), for a CPU.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from actors.tts.xtts.checkpoint import vocoder
from actors.tts.xtts.package import coqui
from actors.tts.xtts.vocoder import CHUNKS, Sound, Vocoder, Window, chunks

WIDTH = 64
TOKENS_S = 22_050 / 1024
"""Sound tokens of a second of speech."""


@dataclass(frozen=True, slots=True)
class Work:
    """One length of speech."""

    seconds: float
    windowed: int
    """Frames of 256 samples that went through the network."""
    again: int
    """As the published loop does it: everything so far, for every chunk."""
    once: int
    """Frames that there are."""
    windowed_s: float
    again_s: float
    """Time that all of it took."""
    difference: float
    """Largest difference of a sample between the windowed sound and that decoded at once, over the sound's RMS."""
    first: int
    again_first: int
    """Frames decoded before the first sound of each, which both do after the same number of tokens."""
    first_sound_s: float
    """Sound that the first chunk gives."""
    again_sound_s: float
    """And that of the published loop, which keeps 1,024 samples back for a fade."""


def works(lengths: tuple[float, ...]) -> list[Work]:
    """For each length in seconds. Raises StageError if coqui-tts is not installed."""
    package = coqui()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        decoder = vocoder(package, package.XttsConfig().model_args, WIDTH).eval().requires_grad_(False)
        latents, speaker = torch.randn(round(max(lengths) * TOKENS_S), 1024), torch.randn(1, 512, 1)
    voice = Vocoder(decoder)
    voice.warm()
    return [_work(voice, latents[: round(seconds * TOKENS_S)], speaker, seconds) for seconds in lengths]


def _work(voice: Vocoder, latents: torch.Tensor, speaker: torch.Tensor, seconds: float) -> Work:
    parts, windowed, frames = _windowed(voice, latents, speaker)
    again: list[float] = []
    for count in _counts(len(latents)):
        begun = time.perf_counter()
        voice.whole(latents[:count], speaker)
        again.append(time.perf_counter() - begun)
    whole = voice.whole(latents, speaker)
    sound, first = np.concatenate(parts), CHUNKS[0]
    return Work(
        seconds, frames, sum(map(voice.frames, _counts(len(latents)))), voice.frames(len(latents)), sum(windowed),
        sum(again), float(np.abs(sound - whole).max() / whole.std()), voice.settled(first), voice.frames(first),
        len(parts[0]) / 24_000, (voice.frames(first) * voice.hop - 1_024) / 24_000,
    )  # fmt: skip


def _windowed(voice: Vocoder, latents: torch.Tensor, speaker: torch.Tensor) -> tuple[list[Sound], list[float], int]:
    window, parts, spent, taken = Window(voice, speaker), list[Sound](), list[float](), 0
    for count in _counts(len(latents)):
        begun = time.perf_counter()
        parts.append(window.more(list(latents[taken:count]), count == len(latents)))
        spent.append(time.perf_counter() - begun)
        taken = count
    return parts, spent, window.decoded


def _counts(tokens: int) -> list[int]:
    """How many tokens there are after each chunk."""
    counts: list[int] = []
    for size in chunks():
        counts.append(min(tokens, (counts[-1] if counts else 0) + size))
        if counts[-1] == tokens:
            return counts
    raise AssertionError("chunks never end")
