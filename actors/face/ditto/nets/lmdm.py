"""The motion diffusion's transformer: a noisy window and its condition to the clean window.

`branch` is the network as it was published, one branch of the guidance at a time. `begin` and `Guided.predict` are
the same arithmetic with both branches in one batch, and with all that is constant over the steps made beforehand:
the encoded condition, its keys and values, what the time tokens give, and every FiLM.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from actors.face.ditto.motion.sampler import TRAINED_STEPS, signal_left
from actors.face.ditto.nets.attention import DecoderLayer, EncoderLayer, Rotary
from actors.face.ditto.spec import CONDITION, MOTION, WINDOW

GUIDANCE = 2.0


@dataclass(frozen=True, slots=True)
class Size:
    """Widths; the published ones by default."""

    motion: int = MOTION
    condition: int = CONDITION
    window: int = WINDOW
    width: int = 512
    heads: int = 8
    hidden: int = 1024
    layers: int = 8
    encoder_layers: int = 2


class Places(nn.Module):
    """Sines and cosines of a time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.half = width // 2

    def forward(self, times: Any) -> Any:
        rate = torch.exp(torch.arange(self.half, device=times.device) * (-math.log(10_000) / (self.half - 1)))
        angle = times[:, None].to(rate.dtype) * rate
        return torch.cat([angle.sin(), angle.cos()], dim=-1)


class Stack(nn.Module):
    """The decoder's layers."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.stack = nn.ModuleList(DecoderLayer(size.width, size.heads, size.hidden) for _ in range(size.layers))


class MotionDecoder(nn.Module):
    """The transformer."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        width = size.width
        self.null_cond_embed = nn.Parameter(torch.randn(1, size.window, width))
        self.null_cond_hidden = nn.Parameter(torch.randn(1, width))
        self.rotary = Rotary(width)
        self.time_mlp = nn.Sequential(Places(width), nn.Linear(width, 4 * width), nn.Mish())
        self.to_time_cond = nn.Sequential(nn.Linear(4 * width, width))
        self.to_time_tokens = nn.Sequential(nn.Linear(4 * width, 2 * width), nn.Unflatten(-1, (2, width)))
        self.norm_cond = nn.LayerNorm(width)
        self.input_projection = nn.Linear(2 * size.motion, width)
        self.cond_encoder = nn.Sequential(
            *(EncoderLayer(width, size.heads, size.hidden) for _ in range(size.encoder_layers))
        )
        self.cond_projection = nn.Linear(size.condition, width)
        self.non_attn_cond_projection = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.seqTransDecoder = Stack(size)
        self.final_layer = nn.Linear(width, size.motion)

    def tokens(self, cond: Any) -> tuple[Any, Any]:
        """The condition (b, window, 1103) as tokens (b, window, width) and as one vector (b, width)."""
        tokens = self.cond_encoder(self.cond_projection(cond))
        return tokens, self.non_attn_cond_projection(tokens.mean(-2))

    def branch(self, x: Any, cond_frame: Any, cond: Any | None, times: Any) -> Any:
        """The clean window (b, window, 265) of one branch; ``cond`` None is the unconditional one."""
        beside = cond_frame[:, None].expand(-1, x.shape[1], -1)
        x = self.input_projection(torch.cat([x, beside], dim=-1))
        if cond is None:
            tokens = self.null_cond_embed.expand(len(x), -1, -1)
            pooled = self.null_cond_hidden.expand(len(x), -1)
        else:
            tokens, pooled = self.tokens(cond)
        hidden = self.time_mlp(times)
        memory = self.norm_cond(torch.cat([tokens, self.to_time_tokens(hidden)], dim=1))
        told = self.to_time_cond(hidden) + pooled
        for layer in self.seqTransDecoder.stack:
            x = layer(x, layer.memory(memory), layer.films(told))
        return self.final_layer(x)

    def guided(self, x: Any, cond_frame: Any, cond: Any, times: Any, weight: float = GUIDANCE) -> Any:
        """Both branches, one after the other: the plain way, kept to compare with."""
        without = self.branch(x, cond_frame, None, times)
        return without + weight * (self.branch(x, cond_frame, cond, times) - without)

    def begin(self, cond_frame: Any, cond: Any, times: Sequence[int], weight: float = GUIDANCE) -> Guided:
        """All that is constant over ``times`` for windows (b, ...) with these conditions."""
        count = len(cond)
        tokens, pooled = self.tokens(cond)
        null = self.null_cond_embed.expand(count, -1, -1)
        memory = self.norm_cond(torch.cat([null, tokens]))
        pooled = torch.cat([self.null_cond_hidden.expand(count, -1), pooled])
        hidden = self.time_mlp(torch.tensor(times, device=cond.device))
        time_tokens = self.norm_cond(self.to_time_tokens(hidden))
        told = (self.to_time_cond(hidden)[:, None] + pooled).flatten(0, 1)
        width = self.input_projection.weight.shape[1] // 2
        beside = nn.functional.linear(cond_frame, self.input_projection.weight[:, width:], self.input_projection.bias)
        steps: list[list[tuple[Any, Any]]] = [[] for _ in times]
        for layer in self.seqTransDecoder.stack:
            keys, values = layer.memory(memory)
            later = layer.memory(time_tokens, memory.shape[1])
            films = [film.unflatten(0, (len(times), 2 * count)) for film in layer.films(told)]
            for step, made in enumerate(steps):
                at = [part[step : step + 1].expand(2 * count, -1, -1, -1) for part in later]
                both = torch.cat([keys, at[0]], dim=2), torch.cat([values, at[1]], dim=2)
                made.append((both, tuple(film[step] for film in films)))
        return Guided(self, beside[:, None], tuple(times), steps, weight)


@dataclass(frozen=True, slots=True)
class Guided:
    """A window under way: what `MotionDecoder.begin` made."""

    network: MotionDecoder
    beside: Any
    times: tuple[int, ...]
    steps: list[list[tuple[Any, Any]]]
    weight: float

    def predict(self, x: Any, time: int) -> Any:
        """The clean windows (b, window, 265) at one of the times that it was begun for."""
        net = self.network
        width = x.shape[-1]
        start = nn.functional.linear(x, net.input_projection.weight[:, :width]) + self.beside
        out = torch.cat([start, start])
        made = self.steps[self.times.index(time)]
        for layer, (memory, films) in zip(net.seqTransDecoder.stack, made, strict=True):
            out = layer(out, memory, films)
        without, told = net.final_layer(out).chunk(2)
        return without + self.weight * (told - without)


class Lmdm(nn.Module):
    """The published file's outer shell: the transformer, and three tables of the schedule, which we make ourselves."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        left = signal_left()
        assert len(left) == TRAINED_STEPS
        self.register_buffer("alphas_cumprod", torch.from_numpy(left))
        self.register_buffer("sqrt_recipm1_alphas_cumprod", torch.from_numpy(np.sqrt(1 / left - 1)))
        self.register_buffer("sqrt_recip1m_alphas_cumprod", torch.from_numpy(np.sqrt(1 / (1 - left))))
        self.model = MotionDecoder(size)
