"""The warp and the decoder rewritten to cost less: the same pictures up to rounding, from the same weights.

Batch norms are in the weights before them. Convolutions behind nearest upsampling are of what was not upsampled
(`phases`). A block's scale and shift are one convolution, and its two norms of one map are made once, before that is
upsampled. A keypoint's heat is a product over the axes; where a voxel comes from is the grid and a product of mask and
shifts. In half precision, places, heat and the reading at places stay in single precision.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from actors.face.ditto.nets import decoder, warp
from actors.face.ditto.nets.blocks import grid, sampled
from actors.face.ditto.nets.phases import AfterNearest


@dataclass(frozen=True, slots=True)
class Rewrites:
    """Which rewrites are on that do not pay everywhere."""

    phases: bool = True
    """Convolutions behind nearest upsampling as phases."""
    one_shared: bool = True
    """What the blocks of one size make of the told features in one convolution."""


def folded(conv: Any, norm: Any) -> tuple[Any, Any]:
    """Weight and bias of a convolution with the batch norm behind it."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = conv.weight * scale.view(-1, *(1,) * (conv.weight.dim() - 1))
    return weight, (conv.bias - norm.running_mean) * scale + norm.bias


class Conv(nn.Module):
    """A convolution of odd size that keeps the map's."""

    def __init__(self, weight: Any, bias: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.padding = tuple(size // 2 for size in weight.shape[2:])
        self.conv = F.conv3d if weight.dim() == 5 else F.conv2d

    def forward(self, x: Any) -> Any:
        return self.conv(x, self.weight, self.bias, padding=self.padding)


class Nearest(nn.Module):
    """The plain way beside `AfterNearest`: upsample, convolve."""

    def __init__(self, weight: Any, bias: Any, factor: int, *, relu: bool = False) -> None:
        super().__init__()
        self.conv, self.relu = Conv(weight, bias), relu
        self.scale = (1.0,) * (weight.dim() - 4) + (float(factor),) * 2

    def forward(self, x: Any) -> Any:
        made = self.conv(F.interpolate(x, scale_factor=self.scale))
        return F.relu_(made) if self.relu else made


# ---- the decoder -------------------------------------------------------------------------------------------


class Shared(nn.Module):
    """What the told features are to some norms of one size: a list, one for each."""

    def __init__(self, norms: list[Any], factor: int, rewrites: Rewrites) -> None:
        super().__init__()
        convs = [norm.mlp_shared[0] for norm in norms]
        groups = [convs] if rewrites.one_shared else [[conv] for conv in convs]
        self.width = convs[0].weight.shape[0]
        after = AfterNearest if rewrites.phases else Nearest
        made: list[nn.Module] = []
        for group in groups:
            weight, bias = (torch.cat([getattr(conv, name) for conv in group]) for name in ("weight", "bias"))
            plain = nn.Sequential(Conv(weight, bias), nn.ReLU(inplace=True))
            made.append(plain if factor == 1 else after(weight, bias, factor, relu=True))
        self.parts = nn.ModuleList(made)

    def forward(self, told: Any) -> list[Any]:
        return [each for part in self.parts for each in part(told).split(self.width, 1)]


class Block(nn.Module):
    """A `SpadeBlock` behind nearest upsampling by ``up``, if that is 2."""

    def __init__(self, block: Any, up: int) -> None:
        super().__init__()
        norms = [block.norm_0, block.norm_1] + ([block.norm_s] if block.learned else [])
        self.up = up
        self.scale_shifts = nn.ModuleList(_scale_shift(norm) for norm in norms)
        self.conv_0 = Conv(block.conv_0.weight(), block.conv_0.bias)
        self.conv_1 = Conv(block.conv_1.weight(), block.conv_1.bias)
        self.conv_s = Conv(block.conv_s.weight(), None) if block.learned else None

    def forward(self, x: Any, shared: list[Any]) -> Any:
        normed = self._larger(F.instance_norm(x))
        out = self.conv_0(F.leaky_relu_(self._told(normed, shared, 0), 0.2))
        out = self.conv_1(F.leaky_relu_(self._told(F.instance_norm(out), shared, 1), 0.2))
        straight = self._larger(x) if self.conv_s is None else self.conv_s(self._told(normed, shared, 2))
        return straight + out

    def _larger(self, x: Any) -> Any:
        return x if self.up == 1 else F.interpolate(x, scale_factor=float(self.up))

    def _told(self, normed: Any, shared: list[Any], which: int) -> Any:
        scale, shift = self.scale_shifts[which](shared[which]).chunk(2, 1)
        return torch.addcmul(shift, normed, scale)


def _scale_shift(norm: Any) -> Conv:
    """Gamma, with the 1 that is added to it, and beta."""
    weight = torch.cat([norm.mlp_gamma.weight, norm.mlp_beta.weight])
    return Conv(weight, torch.cat([norm.mlp_gamma.bias + 1, norm.mlp_beta.bias]))


class Decoder(nn.Module):
    """`decoder.Decoder`, whose spectral norms are folded."""

    def __init__(self, plain: decoder.Decoder, rewrites: Rewrites = Rewrites()) -> None:  # frozen
        super().__init__()
        middle: list[Any] = [plain.get_submodule(f"G_middle_{index}") for index in range(plain.middle)]
        stages = [(middle, 1), ([plain.up_0], 2), ([plain.up_1], 4)]
        self.fc = Conv(plain.fc.weight, plain.fc.bias)
        self.shared = nn.ModuleList(
            Shared([norm for block in blocks for norm in _norms(block)], factor, rewrites) for blocks, factor in stages
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(Block(block, 1 if factor == 1 else 2) for block in blocks) for blocks, factor in stages
        )
        last: Any = plain.conv_img[0]
        self.last = Conv(last.weight, last.bias)

    def forward(self, feature: Any) -> Any:
        """(b, 256, h, w) to (b, 3, 8h, 8w) RGB in [0, 1]."""
        x = self.fc(feature)
        for shared, blocks in zip(self.shared, self.blocks, strict=True):
            told: list[Any] = shared(feature)
            for block in blocks:
                count = len(block.scale_shifts)
                x = block(x, told[:count])
                told = told[count:]
        return torch.sigmoid(F.pixel_shuffle(self.last(F.leaky_relu_(x, 0.2)), 2))


def _norms(block: Any) -> list[Any]:
    return [block.norm_0, block.norm_1] + ([block.norm_s] if block.learned else [])


# ---- the warp ----------------------------------------------------------------------------------------------


class Hourglass(nn.Module):
    """`warp.Hourglass`."""

    def __init__(self, plain: warp.Hourglass, rewrites: Rewrites) -> None:
        super().__init__()
        downs: list[Any] = list(plain.encoder.down_blocks)
        ups: list[Any] = list(plain.decoder.up_blocks)
        after = AfterNearest if rewrites.phases else Nearest
        self.downs = nn.ModuleList(Conv(*folded(down.conv, down.norm)) for down in downs)
        self.ups = nn.ModuleList(after(*folded(up.conv, up.norm), 2, relu=True) for up in ups)
        self.last = Conv(*folded(plain.decoder.conv, plain.decoder.norm))

    def forward(self, x: Any) -> Any:
        stages = [x]
        for down in self.downs:
            stages.append(_halved(F.relu_(down(stages[-1]))))
        x = stages.pop()
        for up in self.ups:
            x = torch.cat([up(x), stages.pop()], dim=1)
        return F.relu_(self.last(x))


def _halved(x: Any) -> Any:
    """Means of 2 x 2; not by torch's pooling of volumes, which knows no half precision on a CPU."""
    return x.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean((-3, -1))


class Warp(nn.Module):
    """`warp.Warp`."""

    def __init__(self, plain: warp.Warp, rewrites: Rewrites = Rewrites()) -> None:  # frozen
        super().__init__()
        dense = plain.dense_motion_network
        self.compress = Conv(*folded(dense.compress, dense.norm))
        self.hourglass = Hourglass(dense.hourglass, rewrites)
        self.mask = Conv(dense.mask.weight, dense.mask.bias)
        self.occlusion = Conv(dense.occlusion.weight, dense.occlusion.bias)
        self.third = Conv(*folded(plain.third.conv, plain.third.norm))
        self.fourth = Conv(plain.fourth.weight, plain.fourth.bias)

    def forward(self, feature_3d: Any, kp_source: Any, kp_driving: Any) -> Any:
        """A volume (b, 32, 16, 64, 64), keypoints (b, 21, 3) in single precision, to (b, 256, 64, 64)."""
        kind, places = feature_3d.dtype, grid(*feature_3d.shape[-3:], like=kp_source)
        shifts = F.pad(kp_source - kp_driving, (0, 0, 1, 0))  # first nothing moves
        moved = self._moved(F.relu_(self.compress(feature_3d)), places, shifts)
        heat = F.pad(_heat(places, kp_driving) - _heat(places, kp_source), (0,) * 6 + (1, 0))
        out = self.hourglass(torch.cat([heat[:, :, None], moved], dim=2).flatten(1, 2).to(kind))
        mask = self.mask(out).float().softmax(1)
        deformation = places + (mask.flatten(2).transpose(1, 2) @ shifts).view(-1, *places.shape)
        read = sampled(feature_3d.float(), deformation).to(kind)
        x = F.leaky_relu_(self.third(read.flatten(1, 2)), 0.01)
        return self.fourth(x) * torch.sigmoid(self.occlusion(out.flatten(1, 2)))

    @staticmethod
    def _moved(small: Any, places: Any, shifts: Any) -> Any:
        """(b, points + 1, c, d, h, w): the small volume as each point's shift would have it."""
        at = places + shifts[:, :, None, None, None]
        count = shifts.shape[1]
        return sampled(small.float(), at.flatten(1, 2)).unflatten(2, (count, -1)).transpose(1, 2)


def _heat(places: Any, points: Any) -> Any:
    """(b, points, d, h, w), as `warp.DenseMotion.heat` has it."""
    axes = (places[0, 0, :, 0], places[0, :, 0, 1], places[:, 0, 0, 2])
    x, y, z = (torch.exp((at - points[..., k, None]) ** 2 * (-0.5 / warp.VARIANCE)) for k, at in enumerate(axes))
    return z[..., None, None] * (y[..., None] * x[..., None, :])[:, :, None]
