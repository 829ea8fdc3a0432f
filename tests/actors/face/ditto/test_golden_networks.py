"""The networks, small, against what the published code gave with the same made-up weights; and all published names."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.actors.face.ditto.golden import files, golden, unread
from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.nets import appearance, decoder, lmdm, motion_extractor, stitch, warp
from actors.face.ditto.nets.blocks import grid, sampled
from actors.face.ditto.nets.hoisted import Hoisted
from actors.face.ditto.nets.load import NETWORKS, bare

TOLERANCE = 1e-4


class Told:
    """A golden file: weights by name, inputs, outputs."""

    def __init__(self, name: str) -> None:
        self.arrays = arrays = golden(name)
        self.weights = {key[2:]: torch.from_numpy(arrays[key]) for key in arrays if key.startswith("w:")}
        self.given = {key[3:]: torch.from_numpy(arrays[key]) for key in arrays if key.startswith("in:")}

    def filled(self, network: Any, prefix: str = "") -> Any:
        """The network with the file's weights, every one of them."""
        network.load_state_dict(
            {key.removeprefix(prefix): value for key, value in self.weights.items() if key.startswith(prefix)}
        )
        return network.eval().requires_grad_(False)

    def check(self, name: str, got: Any) -> None:
        wanted = self.arrays[f"out:{name}"]
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got.numpy(), wanted, rtol=0, atol=TOLERANCE, err_msg=name)


def test_appearance() -> None:
    told = Told("tiny_appearance")
    network = told.filled(appearance.Appearance(appearance.Size(4, (8, 8), 2, 4, 2)))
    told.check("f_s", network(told.given["image"]))


def test_motion_extractor() -> None:
    told = Told("tiny_convnextv2")
    size = motion_extractor.Size((1, 1, 1, 1), (4, 8, 8, 16), points=3, bins=6)
    found = told.filled(motion_extractor.ConvNeXt(size))(told.given["image"])
    assert tuple(found) == motion_extractor.OUTPUTS
    for name, numbers in found.items():
        told.check(name, numbers)


def test_stitch() -> None:
    told = Told("tiny_stitch")
    network = told.filled(stitch.Stitch(stitch.Size((8, 8, 4))))
    told.check("out", network(told.given["kp_source"], told.given["kp_driving"]))


def test_dense_motion_and_reading_a_volume_at_its_flow() -> None:
    told = Told("tiny_dense_motion")
    size = warp.Size(points=3, volume=4, depth=4, compressed=2, base=4, widest=16, blocks=2)
    network = told.filled(warp.DenseMotion(size))
    feature, driving, source = (told.given[key] for key in ("feature", "kp_driving", "kp_source"))
    deformation, occlusion, mask = network(feature, driving, source)
    told.check("grid", grid(4, 8, 8, like=feature))
    told.check("heat", network.heat(feature, source))
    told.check("mask", mask)
    told.check("occlusion", occlusion)
    told.check("deformation", deformation)
    told.check("sampled", sampled(feature, deformation))


def test_spade_blocks_before_and_after_folding() -> None:
    told = Told("tiny_spade_blocks")
    same = told.filled(decoder.SpadeBlock(4, 4, 4), "a.")
    wider = told.filled(decoder.SpadeBlock(4, 2, 4), "b.")
    x, told_features = told.given["x"], told.given["seg"]
    larger = torch.nn.functional.interpolate(x, scale_factor=2.0)
    for _ in range(2):
        told.check("same_size_no_shortcut", same(x, told_features))
        told.check("up2_learned_shortcut", wider(larger, told_features))
        for block in (same, wider):
            for part in (block.conv_0, block.conv_1):
                if part.folded is None:
                    part.fold()


def tiny_transformer(told: Told) -> lmdm.MotionDecoder:
    return told.filled(lmdm.MotionDecoder(lmdm.Size(6, 10, 8, 16, 2, 24, 2, 2)))


def test_transformer_branch_by_branch_and_both_at_once() -> None:
    told = Told("tiny_motion_decoder")
    network = tiny_transformer(told)
    x, frame, cond, times = (told.given[key] for key in ("x", "cond_frame", "cond", "times"))
    told.check("uncond", network.branch(x, frame, cond, times, null=True))
    told.check("cond", network.branch(x, frame, cond, times))
    told.check("guided_w2", network.guided(x, frame, cond, times))
    begun = Hoisted(network).begin(frame, cond, [999, int(times[0]), 3])
    told.check("guided_w2", begun.predict(x, int(times[0])))


def test_several_windows_at_once_give_what_each_gives_alone() -> None:
    network = tiny_transformer(Told("tiny_motion_decoder"))
    draw = torch.Generator().manual_seed(1)
    x, frame, cond = (torch.randn(shape, generator=draw) for shape in ((3, 8, 6), (3, 6), (3, 8, 10)))
    together = Hoisted(network).begin(frame, cond, [700]).predict(x, 700)
    for place in range(3):
        one = slice(place, place + 1)
        alone = network.guided(x[one], frame[one], cond[one], torch.tensor([700]))
        np.testing.assert_allclose(together[one], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_all_published_names_are_read_with_their_shapes_and_none_is_left_over(name: str) -> None:
    rows = [str(row).split("|") for row in golden("state_dict_layout")["rows"]]
    published = {key: (shape, kind) for network, key, shape, kind in rows if network == name}
    ours = {
        key: (",".join(map(str, value.shape)), str(value.dtype).removeprefix("torch."))
        for key, value in bare(name).state_dict().items()
    }
    assert ours == published


def test_they_are_858_in_all() -> None:
    assert sum(len(bare(name).state_dict()) for name in NETWORKS) == 858 == len(golden("state_dict_layout")["rows"])


def test_every_array_is_compared(request: pytest.FixtureRequest) -> None:
    golden("state_dict_layout")  # without a folder there are none
    mine = {name for name in files() if name.startswith("tiny_") or name == "state_dict_layout"}
    assert len(mine) == 7 and unread(mine, request) == []
