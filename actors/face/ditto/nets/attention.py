"""Attention and what goes with it in the diffusion's transformer: rotated places, FiLM, layers with both.

Places are rotated into the whole vector before the projections, not into each head, and values are not rotated: that
is how the published weights were trained. Keys and values can be made beforehand where they are the same in all steps.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Rotary(nn.Module):
    """Turns neighbouring pairs of numbers by an angle that grows with the place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.freqs = nn.Parameter(10_000.0 ** -(torch.arange(0, width, 2) / width), requires_grad=False)

    def forward(self, x: Any, first: int = 0) -> Any:
        """(b, n, width) at the places ``first`` on."""
        at = torch.arange(first, first + x.shape[1], dtype=self.freqs.dtype, device=x.device)
        angle = at[:, None] * self.freqs
        cos, sin = angle.cos(), angle.sin()
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


class Attention(nn.Module):
    """Multi-head attention by the names of torch's own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) / math.sqrt(width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def queries(self, x: Any) -> Any:
        return self._part(x, 0)

    def keys_values(self, keys: Any, values: Any) -> tuple[Any, Any]:
        """(b, heads, n, width / heads) each."""
        return self._part(keys, 1), self._part(values, 2)

    def attend(self, queries: Any, keys: Any, values: Any) -> Any:
        out = F.scaled_dot_product_attention(queries, keys, values)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def _part(self, x: Any, index: int) -> Any:
        width = x.shape[-1]
        rows = slice(index * width, (index + 1) * width)
        out = F.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])
        return out.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Film(nn.Module):
    """From a vector, what another is scaled and shifted by."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Mish(), nn.Linear(width, 2 * width))

    def forward(self, told: Any) -> Any:
        """(b, 1, 2 * width)"""
        return self.block(told)[:, None]


def affine(x: Any, film: Any) -> Any:
    """``x`` scaled and shifted by what `Film` gave."""
    scale, shift = film.chunk(2, dim=-1)
    return (scale + 1) * x + shift


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, norms first."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.rotary = Rotary(width)

    def forward(self, x: Any) -> Any:
        normed = self.norm1(x)
        x = x + attend_self(self.self_attn, self.rotary, normed)
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the condition, feed-forward; each told by FiLM."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.multihead_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.film1 = Film(width)
        self.film2 = Film(width)
        self.film3 = Film(width)
        self.rotary = Rotary(width)

    def films(self, told: Any) -> tuple[Any, Any, Any]:
        return self.film1(told), self.film2(told), self.film3(told)

    def memory(self, tokens: Any, first: int = 0) -> tuple[Any, Any]:
        """Keys and values of condition tokens at the places ``first`` on."""
        return self.multihead_attn.keys_values(self.rotary(tokens, first), tokens)

    def forward(self, x: Any, memory: tuple[Any, Any], films: tuple[Any, Any, Any]) -> Any:
        x = x + affine(attend_self(self.self_attn, self.rotary, self.norm1(x)), films[0])
        queries = self.multihead_attn.queries(self.rotary(self.norm2(x)))
        x = x + affine(self.multihead_attn.attend(queries, *memory), films[1])
        return x + affine(self.linear2(F.gelu(self.linear1(self.norm3(x)))), films[2])


def attend_self(attention: Attention, rotary: Rotary, x: Any) -> Any:
    turned = rotary(x)
    return attention.attend(attention.queries(turned), *attention.keys_values(turned, x))
