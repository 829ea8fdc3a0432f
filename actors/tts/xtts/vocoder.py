"""Latents to a waveform, each part of it decoded once: the same samples as decoding everything at the end.

The published loop decodes all latents again for every chunk, so its work grows with the square of a text's length. But
the vocoder (HiFi-GAN) is a stack of convolutions: a sample depends on latents within a fixed reach, 14 frames of 256
samples on either side in XTTS-v2. So a chunk is decoded with that much before it, and what lies within the reach of the
newest latent is held back until more is known. The seam is then inside a region where both decodings agree, and nothing
need be faded. This file knows no text and no transformer.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

CHUNKS = (8, 12, 20, 40)
"""Tokens of the first, second, third and every further chunk: the first sound early, later ones cheap."""


def chunks() -> Iterator[int]:
    """How many tokens each chunk of a text takes."""
    return chain(CHUNKS, repeat(CHUNKS[-1]))


class Vocoder:
    """coqui-tts's HifiDecoder and how far its parts see."""

    def __init__(self, decoder: Any) -> None:
        """``decoder``: on its device in its precision."""
        self._network = decoder.waveform_decoder
        self._like = next(self._network.parameters())
        self.mels = decoder.ar_mel_length_compression // decoder.output_hop_length
        """Frames that a latent is stretched to, before the rate changes."""
        self.stretch: float = decoder.output_sample_rate / decoder.input_sample_rate
        self.hop = math.prod(layer.stride[0] for layer in self._network.ups)
        """Samples of a frame."""
        self.reach = _reach(self._network)
        """Frames on either side that a sample depends on."""

    def frames(self, latents: int) -> int:
        """Frames of a whole text of so many latents."""
        return math.floor(latents * self.mels * self.stretch)

    def settled(self, latents: int) -> int:
        """How many frames will not change when more latents follow."""
        mels = latents * self.mels - self.mels // 2  # the last ones lie between a latent and the next
        return max(0, math.floor((mels - 0.5) * self.stretch - 0.5))

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, speaker: torch.Tensor, begin: int, end: int, at: int, last: int) -> Sound:
        """Frames ``begin`` to ``end`` as samples in [-1, 1].

        ``latents`` (n, channels): from number ``at`` on; ``last``: number of the newest latent there is;
        ``speaker`` (1, channels, 1).
        """
        frames = self._stretched(latents, begin, end, at, last)
        sound = self._network(frames.T[None].to(self._like), g=speaker.to(self._like))
        return sound[0, 0].float().cpu().numpy()

    def warm(self) -> None:
        """Decode a first chunk of nothing: libraries choose their kernels, and nobody waits for it later."""
        speaker = torch.zeros(1, self._network.cond_layer.in_channels, 1)
        self.whole(torch.zeros(CHUNKS[0], self._network.conv_pre.in_channels), speaker)

    def whole(self, latents: torch.Tensor, speaker: torch.Tensor) -> Sound:
        """A text decoded at once."""
        return self.decode(latents, speaker, 0, self.frames(len(latents)), 0, len(latents) - 1)

    def _stretched(self, latents: torch.Tensor, begin: int, end: int, at: int, last: int) -> torch.Tensor:
        """Frames (end - begin, channels): latents interpolated to frames, and again to the output's rate.

        The arithmetic is that of ``interpolate(mode="linear")`` over all latents, in float32, for these frames only.
        """
        wanted = torch.arange(begin, end, dtype=torch.float32)
        low, high, share = _between(wanted, 1 / self.stretch, (last + 1) * self.mels - 1)
        first = _between(low, 1 / self.mels, last)
        second = _between(high, 1 / self.mels, last)
        latents = latents.float()
        return _mixed(_taken(latents, first, at), _taken(latents, second, at), share.to(latents.device))

    def first_latent(self, frame: int) -> int:
        """Number of the first latent that a frame is made of."""
        low, _, _ = _between(torch.tensor([float(frame)]), 1 / self.stretch, 1 << 30)
        return int(_between(low, 1 / self.mels, 1 << 30)[0])


Sound = NDArray[np.float32]


class Window:
    """One text's waveform as its latents come."""

    def __init__(self, vocoder: Vocoder, speaker: torch.Tensor) -> None:
        self._vocoder, self._speaker = vocoder, speaker
        self._kept: torch.Tensor | None = None
        self._at = 0  # number of the first latent kept
        self._given = 0  # frames that were given out
        self.decoded = 0
        """Frames that went through the network so far."""

    def more(self, latents: Sequence[torch.Tensor], last: bool) -> Sound:
        """The next samples, maybe none. ``last``: no more latents will come, so nothing is held back."""
        fresh = [torch.stack(list(latents))] if latents else []
        kept = torch.cat([part for part in (self._kept, *fresh) if part is not None])
        count = self._at + len(kept)
        known = self._vocoder.frames(count) if last else self._vocoder.settled(count)
        ready = known if last else max(self._given, known - self._vocoder.reach)
        self._kept = kept
        if ready <= self._given:
            return np.zeros(0, np.float32)
        begin = max(0, self._given - self._vocoder.reach)
        sound = self._vocoder.decode(kept, self._speaker, begin, known, self._at, count - 1)
        self.decoded += known - begin
        hop = self._vocoder.hop
        sound = sound[(self._given - begin) * hop : (ready - begin) * hop]
        self._given = ready
        unneeded = self._vocoder.first_latent(max(0, ready - self._vocoder.reach)) - self._at
        self._kept, self._at = kept[unneeded:], self._at + unneeded
        return sound


Between = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _between(wanted: torch.Tensor, scale: float, last: int) -> Between:
    """The two places that each wanted one lies between, and how near it is to the second, in [0, 1)."""
    place = ((wanted + 0.5) * torch.tensor(scale) - 0.5).clamp(min=0)
    low = place.floor()
    return low, (low + 1).clamp(max=last), place - low


def _taken(latents: torch.Tensor, between: Between, at: int) -> torch.Tensor:
    low, high, share = (part.to(latents.device) for part in between)
    return _mixed(latents[(low - at).long()], latents[(high - at).long()], share)


def _mixed(low: torch.Tensor, high: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    return low * (1 - share[:, None]) + high * share[:, None]


def _reach(network: Any) -> int:
    """Input frames on either side that one output sample depends on, by the sizes of the layers."""
    reach, rate, blocks = float(_half(network.conv_pre)), 1, iter(network.resblocks)
    for layer in network.ups:
        reach += math.ceil((layer.kernel_size[0] - layer.stride[0]) / 2 / layer.stride[0]) / rate
        rate *= layer.stride[0]
        of_layer = [next(blocks) for _ in range(network.num_kernels)]
        reach += max(sum(map(_half, (*block.convs1, *block.convs2))) for block in of_layer) / rate
    return math.ceil(reach + _half(network.conv_post) / rate)


def _half(layer: Any) -> int:
    return (layer.kernel_size[0] - 1) // 2 * layer.dilation[0]
