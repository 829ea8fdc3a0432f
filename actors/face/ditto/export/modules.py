"""The networks as their graphs want them: the same layers, cut and finished as `graphs` says.

Only what a graph needs and the network does not do itself is written here; weights and layers are the network's own.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from actors.face.ditto.export.diffusion import Begin, Step
from actors.face.ditto.nets.blocks import sampled
from actors.face.ditto.nets.motion_extractor import OUTPUTS


class Pose(nn.Module):
    """The motion extractor, its outputs in order."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Any) -> tuple[Any, ...]:
        found = self.network(image)
        return tuple(found[name] for name in OUTPUTS)


class Picture(nn.Module):
    """The decoder to bytes: (n, side, side, 3) BGR."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor([2, 1, 0]), persistent=False)

    def forward(self, feature: Any) -> Any:
        picture = self.network(feature).index_select(1, self.order) * 255
        return picture.round().permute(0, 2, 3, 1).to(torch.uint8)


class WarpSmall(nn.Module):
    """The portrait's volume with few channels, and all flows that are mixed."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.dense = network.dense_motion_network

    def forward(self, feature_3d: Any, kp_source: Any, kp_driving: Any) -> tuple[Any, Any]:
        small = F.relu(self.dense.norm(self.dense.compress(feature_3d)))
        return small, self.dense.flows(small, kp_driving, kp_source)


class Stack(nn.Module):
    """Heat and moved volume of each flow, side by side; a module of its own so that it can be in half precision."""

    def forward(self, heat: Any, moved: Any) -> Any:
        return torch.cat([heat[:, :, None], moved], dim=2).flatten(1, 2)


class WarpFlow(nn.Module):
    """From the small volume as each flow moves it to one deformation and what of it is seen."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.dense = network.dense_motion_network
        self.stack = Stack()

    def forward(self, moved: Any, flows: Any, kp_source: Any, kp_driving: Any) -> tuple[Any, Any]:
        dense, like = self.dense, moved[:, 0]
        heat = F.pad(dense.heat(like, kp_driving) - dense.heat(like, kp_source), (0,) * 6 + (1, 0))
        out = dense.hourglass(self.stack(heat, moved))
        mask = dense.mask(out).softmax(1)
        return (flows * mask[..., None]).sum(1), torch.sigmoid(dense.occlusion(out.flatten(1, 2)))


class WarpRest(nn.Module):
    """From the moved volume to what the decoder is given."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.third, self.fourth = network.third, network.fourth

    def forward(self, moved_3d: Any, occlusion: Any) -> Any:
        x = self.third.norm(self.third.conv(moved_3d.flatten(1, 2)))
        return self.fourth(F.leaky_relu(x, 0.01)) * occlusion


class Warp(nn.Module):
    """The three together, which read at places in between."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.small, self.flow, self.rest = WarpSmall(network), WarpFlow(network), WarpRest(network)

    def forward(self, feature_3d: Any, kp_source: Any, kp_driving: Any) -> Any:
        small, flows = self.small(feature_3d, kp_source, kp_driving)
        deformation, occlusion = self.flow(moved(small, flows), flows, kp_source, kp_driving)
        return self.rest(sampled(feature_3d, deformation), occlusion)


def moved(small: Any, flows: Any) -> Any:
    """(n, flows, c, d, h, w): the small volume (n, c, d, h, w) read at every flow (n, flows, d, h, w, 3)."""
    count = flows.shape[1]
    each = small[:, None].expand(-1, count, -1, -1, -1, -1).flatten(0, 1)
    return sampled(each, flows.flatten(0, 1)).unflatten(0, (-1, count))


MODULES: dict[str, Callable[[Any], nn.Module]] = {
    "appearance": lambda network: network,
    "motion": Pose,
    "stitch": lambda network: network,
    "warp": Warp,
    "decoder": Picture,
    "lmdm_begin": Begin,
    "lmdm_step": Step,
    "warp_small": WarpSmall,
    "warp_flow": WarpFlow,
    "warp_rest": WarpRest,
}
"""By the graph's name, what makes its module of the network."""
