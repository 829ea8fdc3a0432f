"""A convolution of size 3 behind nearest upsampling as small convolutions of what was not yet upsampled: the same sums.

Each output of such a convolution reads at most two different values along an axis. Which of its three weights meet on
one value depends only on the output's place among the ``factor`` that came from one input: at the first, the weights
fall on the value before and on its own (`low`), at the last on its own and the next (`high`), between them all on its
own (`middle`). Factor 2 takes 16 of 36 products, factor 4, whose two middles are alike, 25 of 144.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class AfterNearest(nn.Module):
    """``conv(nearest(x))`` with a convolution of size 3 and padding 1, upsampled in height and width by 2 or 4.

    With a depth before them (5-D), that axis is convolved as it is. Equal up to rounding, at the borders too.
    """

    def __init__(self, weight: Any, bias: Any, factor: int, *, relu: bool = False) -> None:
        """``weight``: (out, in, 3, 3) or (out, in, 3, 3, 3). Raises ValueError for another factor."""
        super().__init__()
        if factor not in (2, 4):
            raise ValueError(f"a map is upsampled by 2 or 4, not by {factor}")
        self.factor, self.out, self.relu = factor, len(weight), relu
        self.deep = weight.dim() == 5
        low, middle, high = _low, _middle, _high
        corners = [_both(weight, first, second) for first in (low, high) for second in (low, high)]
        self.corners = self._repeated(torch.cat(corners), bias, 4)
        if factor == 4:
            self.rows = self._repeated(torch.cat([_both(weight, end, middle) for end in (low, high)]), bias, 2)
            self.columns = self._repeated(torch.cat([_both(weight, middle, end) for end in (low, high)]), bias, 2)
            self.inner = self._repeated(_both(weight, middle, middle), bias, 1)

    @staticmethod
    def _repeated(weight: Any, bias: Any, times: int) -> nn.ParameterList:
        return nn.ParameterList([weight, bias.repeat(times)]).requires_grad_(False)

    def forward(self, x: Any) -> Any:
        *before, height, width = x.shape
        out = x.new_empty(before[0], self.out, *before[2:], height, self.factor, width, self.factor)
        corners = self._conv(x, self.corners, (1, 1)).unflatten(1, (4, self.out))
        ends = ((0, slice(0, height)), (self.factor - 1, slice(1, height + 1)))
        sides = ((0, slice(0, width)), (self.factor - 1, slice(1, width + 1)))
        for row, (top, rows) in enumerate(ends):
            for column, (left, columns) in enumerate(sides):
                out[..., top, :, left] = corners[:, 2 * row + column, ..., rows, columns]
        if self.factor == 4:
            for part, (top, rows) in zip(self._conv(x, self.rows, (1, 0)).chunk(2, 1), ends, strict=True):
                out[..., top, :, 1:3] = part[..., rows, :, None]
            for part, (left, columns) in zip(self._conv(x, self.columns, (0, 1)).chunk(2, 1), sides, strict=True):
                out[..., 1:3, :, left] = part[..., :, None, columns]
            out[..., 1:3, :, 1:3] = self._conv(x, self.inner, (0, 0))[..., :, None, :, None]
        return out.flatten(-2).flatten(-3, -2)

    def _conv(self, x: Any, part: Any, padding: tuple[int, int]) -> Any:
        weight, bias = part
        conv, pad = (F.conv3d, (1, *padding)) if self.deep else (F.conv2d, padding)
        made = conv(x, weight, bias, padding=pad)
        return F.relu_(made) if self.relu else made


def _low(weight: Any, axis: int) -> Any:
    first, second, third = weight.split(1, axis)
    return torch.cat([first, second + third], axis)


def _high(weight: Any, axis: int) -> Any:
    first, second, third = weight.split(1, axis)
    return torch.cat([first + second, third], axis)


def _middle(weight: Any, axis: int) -> Any:
    return weight.sum(axis, keepdim=True)


def _both(weight: Any, rows: Any, columns: Any) -> Any:
    return columns(rows(weight, -2), -1)
