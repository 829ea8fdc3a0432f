"""The motion diffusion's transformer with all that does not change taken out of its loop.

The same windows as `MotionDecoder.guided` gives, up to rounding, for several windows at once. Made once for a network:
rotations, the keys and values of the branch without a condition. Once for a choice of steps: what the times give. Once
for a window: the encoded condition, its keys and values, every FiLM with the bias before it. A step then is the layers
alone, both branches in one batch; the first layer's attention to itself, in which they do not differ yet, is done once.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional as F

from actors.face.ditto.nets.attention import Attention, DecoderLayer
from actors.face.ditto.nets.lmdm import GUIDANCE, MotionDecoder

_ROWS = 160
"""Rows that packed weights are laid out for: one window, both branches."""


class Product:
    """``x @ weight.T + bias`` with weights that stay; with ``gelu`` behind it.

    On an x86 CPU the weights are laid out once as its kernels read them, where a plain call does so every time; a fifth
    of a step's time was spent on that.
    """

    def __init__(self, weight: Any, bias: Any = None, *, gelu: bool = False) -> None:
        self._weight, self._bias, self._gelu = weight.contiguous(), bias, gelu
        self._packed = packs(weight)
        if self._packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, _ROWS)

    def __call__(self, x: Any) -> Any:
        if self._packed:
            after = ("gelu", [], "none") if self._gelu else ("none", [], "")
            return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, *after)
        out = F.linear(x, self._weight, self._bias)
        return F.gelu(out) if self._gelu else out


def packs(weight: Any) -> bool:
    """Whether products with this weight are packed."""
    able = weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return able and torch.backends.cpu.get_cpu_capability().startswith("AVX")


class _Layer:
    """A decoder layer's products; biases that a FiLM scales are in the FiLM."""

    def __init__(self, layer: DecoderLayer) -> None:
        own, other, width = layer.self_attn, layer.multihead_attn, layer.norm1.weight.shape[0]
        self.heads = own.heads
        self.norms = [(norm.weight, norm.bias) for norm in (layer.norm1, layer.norm2, layer.norm3)]
        self.queries_keys = _part(own, slice(0, 2 * width))
        self.values = _part(own, slice(2 * width, None))
        self.out = Product(own.out_proj.weight)
        self.queries = _part(other, slice(0, width))
        self.other_out = Product(other.out_proj.weight)
        self.up = Product(layer.linear1.weight, layer.linear1.bias, gelu=True)
        self.down = Product(layer.linear2.weight)
        self.other = other

    def attend_self(self, x: Any, turns: Any) -> Any:
        normed = self._normed(x, 0)
        queries, keys = self.queries_keys(turned(normed, turns)).chunk(2, dim=-1)
        return self.out(self._attended(self._split(queries), self._split(keys), self._split(self.values(normed))))

    def attend_other(self, x: Any, turns: Any, keys: Any, values: Any) -> Any:
        queries = self.queries(turned(self._normed(x, 1), turns))
        return self.other_out(self._attended(self._split(queries), keys, values))

    def feed(self, x: Any) -> Any:
        return self.down(self.up(self._normed(x, 2)))

    def _normed(self, x: Any, which: int) -> Any:
        weight, bias = self.norms[which]
        return F.layer_norm(x, weight.shape, weight, bias)

    def _split(self, x: Any) -> Any:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _attended(self, queries: Any, keys: Any, values: Any) -> Any:
        return F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2)


def _part(attention: Attention, rows: slice) -> Product:
    return Product(attention.in_proj_weight[rows], attention.in_proj_bias[rows])


def turned(x: Any, turns: Any) -> Any:
    """`Rotary` by its table (n, width / 2) of complex numbers."""
    return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * turns).flatten(-2)


@dataclass(frozen=True, slots=True)
class Times:
    """What T times give."""

    times: tuple[int, ...]
    told: Any
    """(T, width) before a condition is added."""
    keys: Any
    """(T, layers, 1, heads, 2, width / heads) of the time tokens."""
    values: Any
    null: Any
    """(T, 1, layers, 3, 2, width): the FiLMs of the branch without a condition."""


class Hoisted:
    """A network made ready to sample. Weights that change afterwards are not seen."""

    def __init__(self, network: MotionDecoder) -> None:
        self.network = network
        layers: list[Any] = list(network.seqTransDecoder.stack)
        self.layers = [_Layer(layer) for layer in layers]
        window = network.null_cond_embed.shape[1]
        places = torch.arange(window, dtype=network.rotary.freqs.dtype, device=network.rotary.freqs.device)
        angle = places[:, None] * network.rotary.freqs
        self.turns = torch.polar(torch.ones_like(angle), angle)
        films = [film.block[1] for layer in layers for film in (layer.film1, layer.film2, layer.film3)]
        self._films = Product(torch.cat([film.weight for film in films]), torch.cat([film.bias for film in films]))
        ends = [part.bias for layer in layers for part in _ends(layer)]
        self._biases = torch.stack(ends).unflatten(0, (len(layers), 3))
        size = network.input_projection.weight.shape[1] // 2
        self.into = Product(network.input_projection.weight[:, :size])
        self._beside = Product(network.input_projection.weight[:, size:], network.input_projection.bias)
        self.final = Product(network.final_layer.weight, network.final_layer.bias)
        self._null = self._memory(network.norm_cond(network.null_cond_embed))
        self.at = lru_cache(8)(self._at)

    def begin(self, cond_frame: Any, cond: Any, times: Sequence[int], weight: float = GUIDANCE) -> Guided:
        """Windows under way for conditions (b, 265) and (b, window, 1103) and falling times."""
        net, count = self.network, len(cond)
        of_times = self.at(tuple(times))
        tokens, pooled = net.tokens(cond)
        keys, values = (
            self._room(null, own, count)
            for null, own in zip(self._null, self._memory(net.norm_cond(tokens)), strict=True)
        )
        told = self._filmed(of_times.told[:, None] + pooled)
        films = torch.cat([of_times.null.expand(-1, count, -1, -1, -1, -1), told], dim=1)
        beside = self._beside(cond_frame)[:, None]
        return Guided(self, beside, keys, values, of_times, films, weight)

    def _at(self, times: tuple[int, ...]) -> Times:
        net = self.network
        hidden = net.time_mlp(torch.tensor(times, device=net.null_cond_embed.device))
        told = net.to_time_cond(hidden)
        window = net.null_cond_embed.shape[1]
        keys, values = self._memory(net.norm_cond(net.to_time_tokens(hidden)), window)
        null = self._filmed((told + net.null_cond_hidden)[:, None])
        return Times(times, told, keys.transpose(0, 1)[:, :, None], values.transpose(0, 1)[:, :, None], null)

    def _memory(self, tokens: Any, first: int = 0) -> tuple[Any, Any]:
        """Keys and values (layers, b, heads, n, width / heads) of normed tokens at the places ``first`` on."""
        places = self.network.rotary(tokens, first)
        made = [layer.other.keys_values(places, tokens) for layer in self.layers]
        return torch.stack([keys for keys, _ in made]), torch.stack([values for _, values in made])

    @staticmethod
    def _room(null: Any, own: Any, count: int) -> Any:
        """Both branches' (layers, 2b, heads, n + 2, width / heads), with room for two time tokens."""
        layers, _, heads, places, size = own.shape
        room = own.new_empty(layers, 2 * count, heads, places + 2, size)
        room[:, :count, :, :places] = null
        room[:, count:, :, :places] = own
        return room

    def _filmed(self, told: Any) -> Any:
        """(T, b, width) to (T, b, layers, 3, 2, width): scale, and shift with the scaled bias of what it scales."""
        made = self._films(F.mish(told)).unflatten(-1, (len(self.layers), 3, 2, -1))
        scale = made[..., 0, :] + 1
        return torch.stack([scale, made[..., 1, :] + scale * self._biases], dim=-2)


def _ends(layer: Any) -> tuple[Any, Any, Any]:
    return layer.self_attn.out_proj, layer.multihead_attn.out_proj, layer.linear2


@dataclass(frozen=True, slots=True)
class Guided:
    """Windows under way: what `Hoisted.begin` made. One at a time may be asked, for the room is written to."""

    made: Hoisted
    beside: Any
    keys: Any
    values: Any
    of_times: Times
    films: Any
    weight: float

    def predict(self, x: Any, time: int) -> Any:
        """The clean windows (b, window, 265) at one of the times that they were begun for."""
        step, made = self.of_times.times.index(time), self.made
        self.keys[..., -2:, :] = self.of_times.keys[step]
        self.values[..., -2:, :] = self.of_times.values[step]
        films = self.films[step].unflatten(0, (2, -1))[..., None, :]
        start = made.into(x) + self.beside
        first = made.layers[0].attend_self(start, made.turns)
        scale, shift = films[:, :, 0, 0].unbind(2)
        out = torch.addcmul(start, first, scale).add_(shift).flatten(0, 1)
        films = films.flatten(0, 1)
        for index, layer in enumerate(made.layers):
            if index:
                out = _told(out, layer.attend_self(out, made.turns), films[:, index, 0])
            other = layer.attend_other(out, made.turns, self.keys[index], self.values[index])
            out = _told(out, other, films[:, index, 1])
            out = _told(out, layer.feed(out), films[:, index, 2])
        without, told = out.chunk(2)
        return made.final(torch.lerp(without, told, self.weight))


def _told(x: Any, change: Any, film: Any) -> Any:
    """``film`` (b, 2, 1, width)."""
    return torch.addcmul(x, change, film[:, 0]).add_(film[:, 1])
