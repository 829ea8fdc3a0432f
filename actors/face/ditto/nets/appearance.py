"""The appearance extractor: a portrait to the volume of features that every picture is warped from."""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn import functional as F

from actors.face.ditto.nets.blocks import ConvNorm, Residual3d


@dataclass(frozen=True, slots=True)
class Size:
    """Widths; the published ones by default."""

    first: int = 64
    downs: tuple[int, ...] = (128, 256)
    volume: int = 32
    depth: int = 16
    blocks: int = 6


class Appearance(nn.Module):
    """(b, 3, h, w) RGB in [0, 1] to (b, 32, 16, h/4, w/4)."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        self.shape = (size.volume, size.depth)
        widths = (size.first, *size.downs)
        self.first = ConvNorm(3, size.first, dims=2)
        self.down_blocks = nn.ModuleList(
            ConvNorm(before, after, dims=2) for before, after in zip(widths, size.downs, strict=False)
        )
        self.second = nn.Conv2d(widths[-1], size.volume * size.depth, 1)
        self.resblocks_3d = nn.Sequential(
            OrderedDict((f"3dr{index}", Residual3d(size.volume)) for index in range(size.blocks))
        )

    def forward(self, image: Any) -> Any:
        x = self.first(image)
        for down in self.down_blocks:
            x = F.avg_pool2d(down(x), 2)
        x = self.second(x)
        return self.resblocks_3d(x.reshape(-1, *self.shape, *x.shape[-2:]))
