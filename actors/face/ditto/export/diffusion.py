"""The diffusion's transformer as two graphs: what is constant over a window's steps, and one step with its update.

The same layers as `actors.face.ditto.nets.lmdm`, written with sizes that are known and rotations that are tables: a
graph of a step then holds a fifth of the nodes, for nothing is left of how shapes are found out.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from actors.face.ditto.nets.lmdm import GUIDANCE


class Tables(nn.Module):
    """Rotations of the places of a window and of the two time tokens after it."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.window, self.width = (int(size) for size in net.null_cond_embed.shape[1:])
        self.heads = int(net.seqTransDecoder.stack[0].self_attn.heads)
        angle = torch.arange(self.window + 2)[:, None] * net.rotary.freqs.detach().cpu()
        cos, sin = angle.cos().repeat_interleave(2, 1), torch.stack([-angle.sin(), angle.sin()], 2).flatten(1)
        for name, rows in (("window", slice(0, self.window)), ("later", slice(self.window, None))):
            self.register_buffer(f"cos_{name}", cos[rows].clone())
            self.register_buffer(f"sin_{name}", sin[rows].clone())
        self.register_buffer("swap", torch.arange(self.width).unflatten(0, (-1, 2)).flip(1).flatten())

    def turned(self, x: Any, *, later: bool = False) -> Any:
        """``x`` (b, n, width) rotated as the places of the window are, or ``later`` those of the time tokens."""
        cos, sin = (self.cos_later, self.sin_later) if later else (self.cos_window, self.sin_window)
        return x * cos + x.index_select(2, self.swap) * sin

    def part(self, attention: Any, x: Any, which: int, count: int) -> Any:
        """Queries, keys or values (b, heads, count, width / heads)."""
        rows = slice(which * self.width, (which + 1) * self.width)
        out = F.linear(x, attention.in_proj_weight[rows], attention.in_proj_bias[rows])
        return out.reshape(-1, count, self.heads, self.width // self.heads).transpose(1, 2)

    def attended(self, attention: Any, queries: Any, keys: Any, values: Any) -> Any:
        scale = 1 / math.sqrt(self.width // self.heads)
        weights = torch.matmul(queries * scale, keys.transpose(2, 3)).softmax(3)
        out = torch.matmul(weights, values).transpose(1, 2).reshape(-1, self.window, self.width)
        return attention.out_proj(out)

    def attended_to_itself(self, layer: Any, x: Any) -> Any:
        own, turned = layer.self_attn, self.turned(x)
        queries, keys = (self.part(own, turned, which, self.window) for which in (0, 1))
        return self.attended(own, queries, keys, self.part(own, x, 2, self.window))

    def memory(self, layer: Any, tokens: Any, *, later: bool = False) -> tuple[Any, Any]:
        """Keys and values of condition tokens."""
        other, count = layer.multihead_attn, 2 if later else self.window
        return self.part(other, self.turned(tokens, later=later), 1, count), self.part(other, tokens, 2, count)


class Begin(nn.Module):
    """All that is constant over the steps of windows (n, ...), in the order of `graphs`."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.net = network.model
        self.tables = Tables(self.net)

    def forward(self, cond_frame: Any, cond: Any, times: Any) -> tuple[Any, ...]:
        net, tables = self.net, self.tables
        tokens = net.cond_projection(cond)
        for layer in net.cond_encoder:
            tokens = tokens + tables.attended_to_itself(layer, layer.norm1(tokens))
            tokens = tokens + layer.linear2(F.gelu(layer.linear1(layer.norm2(tokens))))
        pooled = net.non_attn_cond_projection(tokens.mean(1))
        null = net.null_cond_embed.expand(cond.shape[0], -1, -1)
        memory = net.norm_cond(torch.cat([null, tokens]))
        pooled = torch.cat([net.null_cond_hidden.expand(cond.shape[0], -1), pooled])
        hidden = net.time_mlp(times)
        later = net.norm_cond(net.to_time_tokens[0](hidden).reshape(-1, 2, tables.width))
        told = net.to_time_cond(hidden)[:, None] + pooled
        size = net.final_layer.out_features
        beside = F.linear(cond_frame, net.input_projection.weight[:, size:], net.input_projection.bias)[:, None]
        layers = net.seqTransDecoder.stack
        kept = [tables.memory(layer, memory) for layer in layers]
        coming = [tables.memory(layer, later, later=True) for layer in layers]
        films = [torch.stack([film.block(told) for film in (at.film1, at.film2, at.film3)], 2) for at in layers]
        return (
            beside, torch.stack([keys for keys, _ in kept]), torch.stack([values for _, values in kept]),
            torch.stack([keys for keys, _ in coming], 1), torch.stack([values for _, values in coming], 1),
            torch.stack(films, 2).unflatten(4, (2, -1)),
        )  # fmt: skip


class Step(nn.Module):
    """One step of the sampler: the clean window, and from it the next noisy one by the step's five weights.

    ``weights`` (steps, 5): of the noisy window in the predicted noise, of the clean one in it (taken away), of the
    clean window, of the predicted noise and of fresh noise in the next one. In the last row the clean window's is 1
    and the others 0.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.net = network.model
        self.tables = Tables(self.net)

    def forward(
        self, x: Any, step: Any, weights: Any, noise: Any, beside: Any, keys: Any, values: Any, later_keys: Any,
        later_values: Any, films: Any,
    ) -> Any:  # fmt: skip
        net, tables = self.net, self.tables
        start = F.linear(x, net.input_projection.weight[:, : net.final_layer.out_features]) + beside
        out = torch.cat([start, start])
        later_keys, later_values, films, weights, noise = (
            part.index_select(0, step).squeeze(0) for part in (later_keys, later_values, films, weights, noise)
        )
        layers = net.seqTransDecoder.stack
        keys, values = (
            torch.cat([part, later[:, None].expand(-1, x.shape[0] * 2, -1, -1, -1)], 3)
            for part, later in ((keys, later_keys), (values, later_values))
        )
        for index, layer in enumerate(layers):
            told = films[:, index, :, :, None]
            out = out + _affine(tables.attended_to_itself(layer, layer.norm1(out)), told[:, 0])
            queries = tables.part(layer.multihead_attn, tables.turned(layer.norm2(out)), 0, tables.window)
            other = tables.attended(layer.multihead_attn, queries, keys[index], values[index])
            out = out + _affine(other, told[:, 1])
            out = out + _affine(layer.linear2(F.gelu(layer.linear1(layer.norm3(out)))), told[:, 2])
        without, guided = net.final_layer(out).chunk(2)
        clean = without + GUIDANCE * (guided - without)
        eps = x * weights[0] - clean * weights[1]
        return clean * weights[2] + eps * weights[3] + noise * weights[4]


def _affine(x: Any, film: Any) -> Any:
    """Scaled by the first of ``film`` (b, 2, 1, width), and one more, and shifted by the second."""
    return x * (film[:, 0] + 1) + film[:, 1]
