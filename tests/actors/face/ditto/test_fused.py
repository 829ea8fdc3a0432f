"""The rewritten renderer against the plain one, in single precision: every element, borders too."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import pytest

from tests.actors.face.ditto.needs import torch

# isort: split

from torch.nn import functional as F

from actors.face.ditto.nets import decoder, fused, warp
from actors.face.ditto.nets.fused import Rewrites
from actors.face.ditto.nets.phases import AfterNearest

ROUNDING = 2e-5
EACH = [Rewrites(phases, shared) for phases in (True, False) for shared in (True, False)]


def drawn(network: Any, seed: int = 3) -> Any:
    """With numbers in everything that training would have moved."""
    draw = torch.Generator().manual_seed(seed)
    for name, numbers in [*network.named_parameters(), *network.named_buffers()]:
        if name.endswith("running_var") or name.endswith("norm.weight"):
            numbers.data.copy_(torch.rand(numbers.shape, generator=draw) + 0.5)
        elif name.endswith(("bias", "running_mean")):
            numbers.data.copy_(torch.randn(numbers.shape, generator=draw) / 4)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 3, 1, 1), (2, 3, 2, 4, 3)])
def test_a_convolution_behind_nearest_upsampling_is_the_same_to_its_borders(
    factor: int, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(factor)
    deep = len(shape) == 5
    x, weight, bias = torch.randn(shape), torch.randn(7, 3, *(3,) * (3 if deep else 2)), torch.randn(7)
    up = F.interpolate(x, scale_factor=((1.0,) if deep else ()) + (float(factor),) * 2)
    plain = (F.conv3d if deep else F.conv2d)(up, weight, bias, padding=1)
    quick = AfterNearest(weight, bias, factor)
    assert quick(x).shape == plain.shape
    assert (quick(x) - plain).abs().max() < ROUNDING
    assert (AfterNearest(weight, bias, factor, relu=True)(x) - plain.relu()).abs().max() < ROUNDING


def test_no_other_factor_is_taken() -> None:
    with pytest.raises(ValueError, match="by 2 or 4, not by 3"):
        AfterNearest(torch.ones(1, 1, 3, 3), torch.ones(1), 3)


@pytest.mark.parametrize("rewrites", EACH, ids=str)
@pytest.mark.parametrize("ups", [(6, 4), (8, 4)], ids=["both learnt", "one straight"])
def test_the_decoder(rewrites: Rewrites, ups: tuple[int, int]) -> None:
    torch.manual_seed(0)
    plain = drawn(decoder.Decoder(decoder.Size(told=6, middle=8, blocks=2, ups=ups)))
    plain.fold()
    feature = torch.randn(3, 6, 5, 7)
    assert (fused.Decoder(plain, rewrites)(feature) - plain(feature)).abs().max() < ROUNDING


@pytest.mark.parametrize("rewrites", EACH[::2], ids=str)
def test_the_warp(rewrites: Rewrites) -> None:
    torch.manual_seed(0)
    plain = drawn(warp.Warp(warp.Size(volume=4, depth=3, compressed=2, base=4, widest=16, blocks=2, out=8)))
    volume, source, driving = torch.randn(2, 4, 3, 8, 8), torch.rand(2, 21, 3) - 0.5, torch.rand(2, 21, 3) - 0.5
    assert (fused.Warp(plain, rewrites)(volume, source, driving) - plain(volume, source, driving)).abs().max() < 1e-4


def test_half_precision_stays_near() -> None:
    """Places are of single precision still."""
    torch.manual_seed(0)
    plain = drawn(warp.Warp(warp.Size(volume=4, depth=4, compressed=2, base=4, widest=16, blocks=2, out=8)))
    volume, source, driving = torch.randn(1, 4, 4, 16, 16), torch.rand(1, 21, 3) - 0.5, torch.rand(1, 21, 3) - 0.5
    wanted = plain(volume, source, driving)
    half = fused.Warp(plain).half()(volume.half(), source, driving)
    assert half.dtype == torch.float16
    assert ((half.float() - wanted).square().mean() / wanted.square().mean()) ** 0.5 < 0.01
