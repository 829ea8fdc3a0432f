"""The decoder: the warped features to the picture of a face, by blocks that are told the features at every size."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from actors.face.ditto.nets.blocks import SpectralConv2d


@dataclass(frozen=True, slots=True)
class Size:
    """Widths; the published ones by default."""

    told: int = 256
    middle: int = 512
    blocks: int = 6
    ups: tuple[int, int] = (256, 64)


class Spade(nn.Module):
    """Each channel normed over the picture, then scaled and shifted place by place as the told features say."""

    def __init__(self, width: int, told: int, hidden: int = 128) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(told, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, width, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, width, 3, padding=1)

    def forward(self, x: Any, told: Any) -> Any:
        if told.shape[-2:] != x.shape[-2:]:
            told = F.interpolate(told, size=x.shape[-2:], mode="nearest")
        shared = self.mlp_shared(told)
        return F.instance_norm(x) * (1 + self.mlp_gamma(shared)) + self.mlp_beta(shared)


class SpadeBlock(nn.Module):
    """Two told convolutions beside a straight way, which is a told 1x1 convolution where the width changes."""

    def __init__(self, before: int, after: int, told: int) -> None:
        super().__init__()
        between = min(before, after)
        self.conv_0 = SpectralConv2d(before, between, 3)
        self.conv_1 = SpectralConv2d(between, after, 3)
        self.norm_0 = Spade(before, told)
        self.norm_1 = Spade(between, told)
        self.learned = before != after
        if self.learned:
            self.conv_s = SpectralConv2d(before, after, 1, bias=False)
            self.norm_s = Spade(before, told)

    def forward(self, x: Any, told: Any) -> Any:
        straight = self.conv_s(self.norm_s(x, told)) if self.learned else x
        out = self.conv_0(F.leaky_relu(self.norm_0(x, told), 0.2))
        return straight + self.conv_1(F.leaky_relu(self.norm_1(out, told), 0.2))


class Decoder(nn.Module):
    """(b, 256, h, w) to (b, 3, 8h, 8w) RGB in [0, 1]."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        self.fc = nn.Conv2d(size.told, size.middle, 3, padding=1)
        self.middle = size.blocks
        for index in range(size.blocks):
            self.add_module(f"G_middle_{index}", SpadeBlock(size.middle, size.middle, size.told))
        self.up_0 = SpadeBlock(size.middle, size.ups[0], size.told)
        self.up_1 = SpadeBlock(size.ups[0], size.ups[1], size.told)
        self.conv_img = nn.Sequential(nn.Conv2d(size.ups[1], 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, feature: Any) -> Any:
        x = self.fc(feature)
        for index in range(self.middle):
            x = self.get_submodule(f"G_middle_{index}")(x, feature)
        x = self.up_0(F.interpolate(x, scale_factor=2.0), feature)
        x = self.up_1(F.interpolate(x, scale_factor=2.0), feature)
        return torch.sigmoid(self.conv_img(F.leaky_relu(x, 0.2)))

    def fold(self) -> None:
        """Divide the weights of all blocks by their singular values, once."""
        for part in self.modules():
            if isinstance(part, SpectralConv2d):
                part.fold()
