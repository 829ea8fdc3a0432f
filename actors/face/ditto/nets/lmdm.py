"""The motion diffusion's transformer: a noisy window and its condition to the clean window.

The network as it was published, one branch of the guidance after the other, everything made anew in every step: what
`hoisted` is compared with, in its numbers and in its cost.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
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

    def branch(self, x: Any, cond_frame: Any, cond: Any, times: Any, *, null: bool = False) -> Any:
        """The clean window (b, window, 265) of one branch.

        ``null``: the one without a condition. It encodes the condition nevertheless and then puts the learnt nulls in
        its place, as the published one does.
        """
        beside = cond_frame[:, None].expand(-1, x.shape[1], -1)
        x = self.input_projection(torch.cat([x, beside], dim=-1))
        tokens, pooled = self.tokens(cond)
        if null:
            tokens = self.null_cond_embed.expand(len(x), -1, -1)
            pooled = self.null_cond_hidden.expand(len(x), -1)
        hidden = self.time_mlp(times)
        memory = self.norm_cond(torch.cat([tokens, self.to_time_tokens(hidden)], dim=1))
        told = self.to_time_cond(hidden) + pooled
        for layer in self.seqTransDecoder.stack:
            x = layer(x, layer.memory(memory), layer.films(told))
        return self.final_layer(x)

    def guided(self, x: Any, cond_frame: Any, cond: Any, times: Any, weight: float = GUIDANCE) -> Any:
        """The clean window by both branches."""
        without = self.branch(x, cond_frame, cond, times, null=True)
        return without + weight * (self.branch(x, cond_frame, cond, times) - without)


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
