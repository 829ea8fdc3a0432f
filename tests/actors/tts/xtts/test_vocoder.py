"""The vocoder in parts gives the samples of the whole, which are those of coqui-tts's own decoder."""

# pyright: reportMissingImports=false
from __future__ import annotations

import tests.actors.tts.xtts.needs  # isort: skip  # noqa: F401  # skips this file where coqui-tts is missing

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from actors.tts.xtts.vocoder import CHUNKS, Vocoder, Window, chunks
from tests.actors.tts.xtts import tiny

EQUAL = 1e-5
"""Of full scale: what the order of additions in float32 may change. A step of 16 bits is three times as much."""


@pytest.fixture(scope="module")
def decoder() -> Any:
    return tiny.xtts()._model.hifigan_decoder


@pytest.fixture(scope="module")
def vocoder(decoder: Any) -> Vocoder:
    return Vocoder(decoder)


def some(count: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents and a speaker."""
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(count, 64, generator=chance), torch.randn(1, 512, 1, generator=chance)


def windowed(vocoder: Vocoder, latents: torch.Tensor, speaker: torch.Tensor, cuts: list[int]) -> np.ndarray:
    window = Window(vocoder, speaker)
    edges = [0, *cuts, len(latents)]
    return np.concatenate([
        window.more(list(latents[begin:end]), end == len(latents) and number == len(edges) - 2)
        for number, (begin, end) in enumerate(pairwise(edges))
    ])  # fmt: skip


@pytest.mark.parametrize("count", [1, 3, 8, 61])
def test_the_whole_is_as_coqui_decodes_it(decoder: Any, vocoder: Vocoder, count: int) -> None:
    """Two latents are left out: torch copies where a stretch does not change the number of frames."""
    latents, speaker = some(count)
    theirs = decoder(latents[None], g=speaker)[0, 0].numpy()
    ours = vocoder.whole(latents, speaker)
    assert theirs.std() > 0.05, "loud enough that a difference would show"
    assert ours.shape == theirs.shape == (vocoder.frames(count) * vocoder.hop,)
    assert np.abs(ours - theirs).max() < EQUAL


@pytest.mark.parametrize(
    "cuts", [[], [1], [8, 20, 40, 80], list(range(1, 100)), [3, 3, 50, 99, 100]], ids=lambda cuts: f"{len(cuts)} cuts"
)
def test_parts_join_to_the_whole_without_a_seam(vocoder: Vocoder, cuts: list[int]) -> None:
    latents, speaker = some(100)
    whole, parts = vocoder.whole(latents, speaker), windowed(vocoder, latents, speaker, cuts)
    assert parts.shape == whole.shape
    assert np.abs(parts - whole).max() < EQUAL


def test_a_sample_depends_on_frames_within_the_reach_and_on_no_others(decoder: Any, vocoder: Vocoder) -> None:
    network = copy.deepcopy(decoder.waveform_decoder).double()
    frames = torch.randn(1, 64, 41, dtype=torch.float64, requires_grad=True)
    sound = network(frames, g=torch.randn(1, 512, 1, dtype=torch.float64))[0, 0]
    sound[20 * vocoder.hop : 21 * vocoder.hop].sum().backward()
    assert frames.grad is not None
    touched = [number for number, slope in enumerate(frames.grad[0].abs().sum(dim=0)) if slope]
    assert 20 - vocoder.reach <= touched[0] and touched[-1] <= 20 + vocoder.reach
    assert touched[-1] - touched[0] >= 2 * (vocoder.reach - 1), "and it is not taken too large"


def test_every_frame_is_decoded_once_but_for_the_reach_at_its_edges(vocoder: Vocoder) -> None:
    latents, speaker = some(400)
    window, taken, before = Window(vocoder, speaker), 0, 0
    for size in chunks():
        part = latents[taken : taken + size]
        taken += size
        window.more(list(part), taken >= len(latents))
        assert window.decoded - before <= len(part) * 4.36 + 2 * vocoder.reach + 4
        before = window.decoded
        if taken >= len(latents):
            break
    assert len(window._kept if window._kept is not None else []) < CHUNKS[-1], "what is not needed any more is let go"


def test_the_first_chunk_gives_sound(vocoder: Vocoder) -> None:
    latents, speaker = some(CHUNKS[0])
    assert len(Window(vocoder, speaker).more(list(latents), False)) >= 4_000, "a sixth of a second"
