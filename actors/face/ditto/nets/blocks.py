"""Blocks that several networks are built of. Names of parameters are those of the published files."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU; in two dimensions or three."""

    def __init__(self, before: int, after: int, *, dims: int, size: int = 3) -> None:
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.conv = conv(before, after, size, padding=size // 2)
        self.norm = norm(after)

    def forward(self, x: Any) -> Any:
        return F.relu(self.norm(self.conv(x)))


class Residual3d(nn.Module):
    """Norm, ReLU, convolution, twice, beside a straight way."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(width, width, 3, padding=1)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(width)
        self.norm2 = nn.BatchNorm3d(width)

    def forward(self, x: Any) -> Any:
        out = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(out)))


class SpectralConv2d(nn.Module):
    """A convolution whose weight is divided by its largest singular value; ``fold`` does that once and for all."""

    def __init__(self, before: int, after: int, size: int, *, bias: bool = True) -> None:
        super().__init__()
        self.padding = size // 2
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.weight_orig = nn.Parameter(torch.randn(after, before, size, size) / (before * size * size) ** 0.5)
        self.register_buffer("weight_u", F.normalize(torch.randn(after), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(before * size * size), dim=0))
        self.folded: Any = None

    def weight(self) -> Any:
        if self.folded is not None:
            return self.folded
        sigma = self.weight_u @ (self.weight_orig.flatten(1) @ self.weight_v)
        return self.weight_orig / sigma

    def fold(self) -> None:
        """Keep the divided weight alone; the published names are gone afterwards."""
        weight = self.weight().detach()
        del self.weight_orig, self.weight_u, self.weight_v, self.folded
        self.register_buffer("folded", weight)

    def forward(self, x: Any) -> Any:
        return F.conv2d(x, self.weight(), self.bias, padding=self.padding)


def grid(depth: int, height: int, width: int, *, like: Any) -> Any:
    """(depth, height, width, 3) coordinates x, y, z from -1 to 1, the corners' centres being at -1 and 1."""
    axes = [torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device) for size in (depth, height, width)]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def sampled(volume: Any, places: Any) -> Any:
    """(b, c, d, h, w) read at (b, d, h, w, 3); nothing outside. The published networks read off-corner, so we do."""
    return F.grid_sample(volume, places, mode="bilinear", padding_mode="zeros", align_corners=False)
