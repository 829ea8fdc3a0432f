"""The warping network: the portrait's volume moved to where the driving keypoints are, as the decoder's input."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from actors.face.ditto.nets.blocks import ConvNorm, grid, sampled
from actors.face.ditto.spec import POINTS

VARIANCE = 0.01
"""Of a keypoint's heat, in the picture's own coordinates."""


@dataclass(frozen=True, slots=True)
class Size:
    """Widths; the published ones by default."""

    points: int = POINTS
    volume: int = 32
    depth: int = 16
    compressed: int = 4
    base: int = 32
    widest: int = 1024
    blocks: int = 5
    out: int = 256


class Down(nn.Module):
    """Half the height and width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(before, after, 3, padding=1)
        self.norm = nn.BatchNorm3d(after)

    def forward(self, x: Any) -> Any:
        return F.avg_pool3d(F.relu(self.norm(self.conv(x))), (1, 2, 2))


class Up(Down):
    """Twice the height and width."""

    def forward(self, x: Any) -> Any:
        return F.relu(self.norm(self.conv(F.interpolate(x, scale_factor=(1.0, 2.0, 2.0)))))


class Encoder(nn.Module):
    """The hourglass's way down; it gives every stage on the way."""

    def __init__(self, before: int, widths: list[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(Down(a, b) for a, b in zip([before, *widths], widths, strict=False))

    def forward(self, x: Any) -> list[Any]:
        stages = [x]
        for down in self.down_blocks:
            stages.append(down(stages[-1]))
        return stages


class Decoder(nn.Module):
    """The hourglass's way up, with what the way down gave beside it."""

    def __init__(self, before: int, widths: list[int], base: int) -> None:
        super().__init__()
        outs = [base, *widths]
        last = len(widths) - 1
        self.up_blocks = nn.ModuleList(Up(widths[i] * (1 if i == last else 2), outs[i]) for i in range(last, -1, -1))
        self.conv = nn.Conv3d(base + before, base + before, 3, padding=1)
        self.norm = nn.BatchNorm3d(base + before)

    def forward(self, stages: list[Any]) -> Any:
        x = stages[-1]
        for up, beside in zip(self.up_blocks, stages[-2::-1], strict=True):
            x = torch.cat([up(x), beside], dim=1)
        return F.relu(self.norm(self.conv(x)))


class Hourglass(nn.Module):
    """(b, before, d, h, w) to (b, base + before, d, h, w)."""

    def __init__(self, before: int, size: Size) -> None:
        super().__init__()
        widths = [min(size.widest, size.base * 2 ** (i + 1)) for i in range(size.blocks)]
        self.encoder = Encoder(before, widths)
        self.decoder = Decoder(before, widths, size.base)

    def forward(self, x: Any) -> Any:
        return self.decoder(self.encoder(x))


class DenseMotion(nn.Module):
    """From where keypoints are and shall be, where every voxel comes from and how much of it is seen."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        flows = size.points + 1
        stacked = flows * (size.compressed + 1)
        self.hourglass = Hourglass(stacked, size)
        self.mask = nn.Conv3d(size.base + stacked, flows, 7, padding=3)
        self.compress = nn.Conv3d(size.volume, size.compressed, 1)
        self.norm = nn.BatchNorm3d(size.compressed)
        self.occlusion = nn.Conv2d((size.base + stacked) * size.depth, 1, 7, padding=3)

    def forward(self, feature: Any, kp_driving: Any, kp_source: Any) -> tuple[Any, Any, Any]:
        """Deformation (b, d, h, w, 3), occlusion (b, 1, h, w), mask (b, points + 1, d, h, w)."""
        small = F.relu(self.norm(self.compress(feature)))
        flows = self.flows(small, kp_driving, kp_source)
        count, channels = flows.shape[1], small.shape[1]
        moved = sampled(
            small[:, None].expand(-1, count, -1, -1, -1, -1).reshape(-1, *small.shape[1:]), flows.flatten(0, 1)
        ).reshape(len(small), count, channels, *small.shape[2:])
        heat = F.pad(self.heat(small, kp_driving) - self.heat(small, kp_source), (0,) * 6 + (1, 0))
        stacked = torch.cat([heat[:, :, None], moved], dim=2)
        out = self.hourglass(stacked.flatten(1, 2))
        mask = self.mask(out).softmax(1)
        deformation = (flows * mask[..., None]).sum(1)
        return deformation, torch.sigmoid(self.occlusion(out.flatten(1, 2))), mask

    @staticmethod
    def flows(like: Any, kp_driving: Any, kp_source: Any) -> Any:
        """(b, points + 1, d, h, w, 3): first nothing moves, then everything as each keypoint does."""
        still = grid(*like.shape[-3:], like=like)[None, None]
        moved = still + (kp_source - kp_driving)[:, :, None, None, None]
        return torch.cat([still.expand(moved.shape[0], -1, -1, -1, -1, -1), moved], dim=1)

    @staticmethod
    def heat(like: Any, points: Any) -> Any:
        """(b, points, d, h, w): 1 at each keypoint, falling off around it."""
        places = grid(*like.shape[-3:], like=like)[None, None]
        return torch.exp(-0.5 * ((places - points[:, :, None, None, None]) ** 2).sum(-1) / VARIANCE)


class Warp(nn.Module):
    """(b, 32, 16, 64, 64) and two (b, 21, 3) to (b, 256, 64, 64)."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        self.dense_motion_network = DenseMotion(size)
        self.third = ConvNorm(size.volume * size.depth, size.out, dims=2)
        self.fourth = nn.Conv2d(size.out, size.out, 1)

    def forward(self, feature_3d: Any, kp_source: Any, kp_driving: Any) -> Any:
        deformation, occlusion, _ = self.dense_motion_network(feature_3d, kp_driving, kp_source)
        moved = sampled(feature_3d, deformation).flatten(1, 2)
        x = F.leaky_relu(self.third.norm(self.third.conv(moved)), 0.01)
        return self.fourth(x) * occlusion
