"""What the benchmarks measure, its whole path with small networks: on a CPU, with recordings that only pretend."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import pytest

from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.measure.counting import calls, macs, moved
from actors.face.ditto.measure.renderer import rendered
from actors.face.ditto.measure.sampler import sampled
from actors.face.ditto.nets import decoder, fused, lmdm, warp
from actors.face.ditto.nets.hoisted import Product
from tests.actors.face.ditto.recorder import Recorder
from tests.actors.face.ditto.tiny import SIDE, parts


def test_multiplications_bytes_and_calls_are_counted() -> None:
    x, weight = torch.ones(3, 4), torch.ones(5, 4)
    assert macs(lambda: x @ weight.T) == macs(lambda: Product(weight)(x)) == 60
    assert moved(lambda: x + x) == 3 * 4 * 4 * 3
    assert moved(lambda: x.T) == 0
    assert calls(lambda: (x.T, x + x)) == 2
    queries = torch.ones(1, 2, 3, 4)
    attend = torch.nn.functional.scaled_dot_product_attention
    assert macs(lambda: attend(queries, queries, queries)) == 2 * 2 * 3 * 3 * 4


@pytest.mark.parametrize(
    ("plain", "rewritten", "given", "saved"),
    [
        (decoder.Decoder, fused.Decoder, ((1, 256, 64, 64),), 0.1245),
        (warp.Warp, fused.Warp, ((1, 32, 16, 64, 64), (1, 21, 3), (1, 21, 3)), 0.0749),
    ],
)
def test_the_rewrites_save_what_is_told_of_them(
    plain: Any, rewritten: Any, given: tuple[tuple[int, ...], ...], saved: float
) -> None:
    """In the published sizes, without a number in them."""
    with torch.device("meta"):
        network = plain().eval().requires_grad_(False)
        if isinstance(network, decoder.Decoder):
            network.fold()
        inputs = [torch.ones(shape) for shape in given]
        costs = [macs(lambda made=made: made(*inputs)) for made in (network, rewritten(network))]
    assert 1 - costs[1] / costs[0] == pytest.approx(saved, abs=1e-4)


def test_the_sampler_is_measured_against_the_published_loop() -> None:
    found = sampled(1, lmdm.Size(width=32, heads=2, hidden=64, layers=3, encoder_layers=2), 5)
    assert found.apart < 1e-4 < found.largest
    assert found.ratio > 0 and found.published.ms > 0
    assert found.hoisted.gmac < 0.75 * found.published.gmac
    assert found.hoisted.calls < 0.6 * found.published.calls


def test_the_renderer_is_measured_every_way() -> None:
    record = Recorder()
    found = rendered("cpu", parts=lambda device: parts(), side=SIDE, record=record, rounds=1, batches=(1, 3))
    names = [row.what for row in found.pictures]
    graphs = [f"fp16, graphs, {count} at once" for count in (1, 3)]
    assert names == ["plain, by way of the host", "eager", "fp16", *graphs]
    plain, eager, half, *_ = found.pictures
    assert 0.7 * plain.gmac < eager.gmac < plain.gmac and half.gmac == pytest.approx(eager.gmac)
    assert half.megabytes < eager.megabytes
    assert [row.what for row in found.windows][:3] == [
        "plain loop, 5 steps",
        "hoisted, 5 steps",
        "hoisted, graph, 5 steps",
    ]
    loop, hoisted, *_ = found.windows
    assert hoisted.launches < loop.launches
    assert all(row.ms > 0 and row.launches > 0 for row in (*found.pictures, *found.windows))
    assert found.psnr > 30 and len(record.made) == 5
