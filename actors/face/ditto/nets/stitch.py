"""The stitching network: driving keypoints moved so that the shoulders of the portrait stay where they are."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from actors.face.ditto.spec import POINTS


@dataclass(frozen=True, slots=True)
class Size:
    """Widths; the published ones by default."""

    widths: tuple[int, ...] = (128, 128, 64)


class Stitch(nn.Module):
    """(b, 21, 3) of the source and of the driving to (b, 21, 3) driving."""

    def __init__(self, size: Size = Size()) -> None:  # frozen
        super().__init__()
        layers: list[nn.Module] = []
        before = 6 * POINTS
        for width in size.widths:
            layers += [nn.Linear(before, width), nn.ReLU()]
            before = width
        self.mlp = nn.Sequential(*layers, nn.Linear(before, 3 * POINTS + 2))

    def forward(self, kp_source: Any, kp_driving: Any) -> Any:
        out = self.mlp(torch.cat([kp_source.flatten(1), kp_driving.flatten(1)], dim=1))
        each, all_xy = out[:, :-2].reshape(-1, POINTS, 3), out[:, -2:].reshape(-1, 1, 2)
        return kp_driving + each + nn.functional.pad(all_xy, (0, 1))
