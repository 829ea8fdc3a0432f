"""Teach listen.py its network: `python -m actors.face.portrait.train`, a minute of CPU for a developer.

The teacher is a voice that knows its phones: its sound goes in, the lips that motion.py makes of its phones are to
come out. So the weights owe nothing to recordings of people.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.face.portrait.hearing import STEP, WARM_UP, Sound, begin, hear
from actors.face.portrait.listen import LAYERS, WEIGHTS, features
from actors.face.portrait.memory import CEPSTRA, NOW
from actors.face.portrait.motion import around, lips_at
from actors.face.portrait.visemes import TRACKS
from streaming.media import FRAME, RATE, frames_for
from streaming.stages import Phone

Array = NDArray[np.float64]
Small = NDArray[np.float32]
Speech = tuple[bytes, Sequence[Phone]]

SENTENCES = Path(__file__).resolve().parent / "sentences.txt"
TEACHER = "actors.tts.hibari:Hibari"
_PACES = (0.86, 1.0, 1.12)  # resampling by these moves pitch and formants, so one voice stands for a few
_GAINS = (0.5, 1.0, 2.0)
_ROUNDS, _BATCH, _RATE, _DECAY, _NOISE = 40, 256, 3e-3, 0.03, 0.5


def teach(speech: Sequence[Speech]) -> dict[str, NDArray[np.float16]]:
    """Fit the network; the arrays that listen.Ears reads."""
    takes = [_resampled(said, pace) for said in speech for pace in _PACES]
    mean = np.concatenate([_cepstra(pcm) for pcm, _ in takes]).mean(axis=0)
    rows, targets = [], []
    for number, (pcm, phones) in enumerate(takes):
        loud = np.clip(np.frombuffer(pcm, "<i2") * _GAINS[number % 3], -32768, 32767).astype("<i2").tobytes()
        for row, lips in _lessons(loud, phones, mean):
            rows.append(row)
            targets.append(lips)
    inputs = np.array(rows, np.float32).reshape(len(rows), -1, CEPSTRA)
    spread = inputs.std(axis=(0, 1)).astype(np.float16).astype(np.float32)
    matrices, offsets = _fitted((inputs / spread).reshape(len(rows), -1), np.array(targets, np.float32))
    named = {f"matrix{i}": matrix for i, matrix in enumerate(matrices)}
    named |= {f"offset{i}": offset for i, offset in enumerate(offsets)}
    return {name: np.asarray(a, np.float16) for name, a in {"mean": mean, "spread": spread, **named}.items()}


def _fitted(inputs: Small, targets: Small) -> tuple[list[Small], list[Small]]:
    """Matrices and offsets of the layers, by Adam (Kingma and Ba, 2015) with noise on the inputs."""
    rng = np.random.default_rng(0)
    size = targets.std(axis=0) + 1e-6
    weights: list[Small] = []
    for taken, given in pairwise(LAYERS):
        weights += [(rng.standard_normal((taken, given)) / np.sqrt(taken)).astype(np.float32)]
        weights += [np.zeros(given, np.float32)]
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    steps = _ROUNDS * (len(inputs) // _BATCH)
    for step in range(steps):
        chosen = rng.integers(0, len(inputs), _BATCH)
        noise = rng.standard_normal((_BATCH, inputs.shape[1]), np.float32) * np.float32(_NOISE)
        slopes = _slopes(weights, np.asarray(inputs[chosen] + noise, np.float32), targets[chosen] / size)
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        for i, slope in enumerate(slopes):
            first[i] += 0.1 * (slope - first[i])
            second[i] += 0.001 * (slope * slope - second[i])
            move = first[i] / (1 - 0.9 ** (step + 1))
            move /= np.sqrt(second[i] / (1 - 0.999 ** (step + 1))) + 1e-8
            weights[i] -= rate * (move + (_DECAY * weights[i] if weights[i].ndim > 1 else 0))
    weights[-2], weights[-1] = weights[-2] * size, weights[-1] * size
    return weights[::2], weights[1::2]


def _slopes(weights: Sequence[Small], inputs: Small, targets: Small) -> list[NDArray[Any]]:
    """Gradient of half the mean squared error by every weight, in order."""
    layers = [inputs]
    for matrix, offset in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        layers.append(np.tanh(layers[-1] @ matrix + offset))
    error = (layers[-1] @ weights[-2] + weights[-1] - targets) / len(inputs)
    slopes: list[NDArray[Any]] = []
    for number in range(len(layers) - 1, -1, -1):
        slopes = [layers[number].T @ error, error.sum(axis=0), *slopes]
        if number:
            error = (error @ weights[2 * number].T) * (1 - layers[number] ** 2)
    return slopes


def _resampled(said: Speech, pace: float) -> Speech:
    samples = np.frombuffer(said[0], "<i2").astype(np.float64)
    at = np.arange(int(len(samples) / pace)) * pace
    pcm = np.round(np.interp(at, np.arange(len(samples)), samples)).astype("<i2").tobytes()
    return pcm, [Phone(p.symbol, round(p.start / pace), round(p.samples / pace), p.stress) for p in said[1]]


def _heard(pcm: bytes, mean: Array) -> Iterator[tuple[int, Array, Array]]:
    """(frame, cepstra ring, running mean) for every frame, exactly as in a reply."""
    sound, memory = Sound(pcm, 0), begin(0, 0, mean)
    for frame in range(-WARM_UP, frames_for(len(pcm) // 2)):
        hear(sound, frame, memory)
        if frame >= 0:
            yield frame, memory.cepstra, memory.cepstra_mean


def _cepstra(pcm: bytes) -> Array:
    return np.array([ring[NOW] for _, ring, _ in _heard(pcm, np.zeros(CEPSTRA))])


def _lessons(pcm: bytes, phones: Sequence[Phone], mean: Array) -> Iterator[tuple[Array, Array]]:
    """(features not yet scaled, lips) for every 10 ms."""
    for frame, ring, running in _heard(pcm, mean):
        for step in range(-1, 3):
            sample = frame * FRAME + FRAME // 2 + step * STEP
            near = around(phones, sample)
            lips = lips_at(near, sample) if near else np.zeros(len(TRACKS))
            yield features(ring, running, np.ones(CEPSTRA), NOW + step), lips


async def _spoken(voice: object, text: str) -> Speech:
    pcm, phones = b"", []
    async for piece in voice.speak(text, "default", "en", 1):  # type: ignore[attr-defined]
        pcm += piece.pcm24k
        phones += piece.phones
    return pcm, phones


async def _all_spoken(sentences: Sequence[str]) -> list[Speech]:
    module, name = TEACHER.split(":")
    voice = getattr(importlib.import_module(module), name)()
    return [await _spoken(voice, text) for text in sentences]


def main(say: Callable[[str], None] = print) -> None:
    """Speak the sentences, fit, write the weights."""
    speech = asyncio.run(_all_spoken(SENTENCES.read_text("utf-8").splitlines()))
    weights = teach(speech)
    with WEIGHTS.open("wb") as file:
        np.savez(file, allow_pickle=False, **weights)
    seconds = sum(len(pcm) for pcm, _ in speech) / 2 / RATE
    say(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes, taught by {seconds:.0f} s of speech")


if __name__ == "__main__":
    main()
