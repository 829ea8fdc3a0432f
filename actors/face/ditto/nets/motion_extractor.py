"""The motion extractor: a portrait to its pose, its expression and its keypoints at rest. A ConvNeXt V2 with heads."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from actors.face.ditto.spec import BINS, POINTS

OUTPUTS = ("pitch", "yaw", "roll", "t", "exp", "scale", "kp")
"""In the order of the published graph."""


@dataclass(frozen=True, slots=True)
class Size:
    """Depths and widths; the published ones by default."""

    depths: tuple[int, ...] = (3, 3, 9, 3)
    widths: tuple[int, ...] = (96, 192, 384, 768)
    points: int = POINTS
    bins: int = BINS


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (b, c, h, w)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Any) -> Any:
        moved = F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, 1e-6)
        return moved.movedim(3, 1)


class ResponseNorm(nn.Module):
    """Global response norm of (b, h, w, c)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(self, x: Any) -> Any:
        response = (x * x).sum((1, 2), keepdim=True).sqrt()
        share = response / (response.mean(-1, keepdim=True) + 1e-6)
        return self.gamma * (x * share) + self.beta + x


class Block(nn.Module):
    """One ConvNeXt V2 block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.grn = ResponseNorm(4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        out = self.norm(self.dwconv(x).movedim(1, -1))
        out = self.pwconv2(self.grn(F.gelu(self.pwconv1(out))))
        return x + out.movedim(3, 1)


class ConvNeXt(nn.Module):
    """(b, 3, h, w) RGB in [0, 1] to the seven OUTPUTS by name."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        widths = size.widths
        stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, stride=4), ChannelNorm(widths[0]))
        downs = [
            nn.Sequential(ChannelNorm(before), nn.Conv2d(before, after, 2, stride=2))
            for before, after in pairwise(widths)
        ]
        self.downsample_layers = nn.ModuleList([stem, *downs])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth)))
            for width, depth in zip(widths, size.depths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        heads = {"kp": 3 * size.points, "scale": 1, "pitch": size.bins, "yaw": size.bins, "roll": size.bins}
        for name, count in {**heads, "t": 3, "exp": 3 * size.points}.items():
            self.add_module(f"fc_{name}", nn.Linear(widths[-1], count))

    def forward(self, image: Any) -> dict[str, Any]:
        x = image
        for down, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(down(x))
        x = self.norm(x.mean((-2, -1)))
        return {name: self.get_submodule(f"fc_{name}")(x) for name in OUTPUTS}


class MotionExtractor(nn.Module):
    """The published file's outer shell."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        self.detector = ConvNeXt(size)

    def forward(self, image: Any) -> dict[str, Any]:
        return self.detector(image)
