"""The graphs: which network each is of, what it takes and gives, and which sizes may vary.

Stages are cut where a host or a loop comes in, not where published files end: the diffusion is two graphs, what is
constant over the steps of a window and one step with its update, so that a window stays on the device; the decoder
gives finished bytes, a fourth of what its floats would be. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.face.ditto.spec import CHUNK, CONDITION, MOTION, POINTS, WINDOW

MANY = "n"
"""Pictures, poses or windows in one call."""
BOTH = "2n"
"""Windows times the two branches of the guidance, the branch without a condition first."""
STEPS = "steps"
MOST_STEPS = 50

Shape = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What shapes depend on; those of the published networks by default."""

    side: int = 512
    volume: int = 32
    depth: int = 16
    compressed: int = 4
    told: int = 256
    width: int = 512
    heads: int = 8
    layers: int = 8


PUBLISHED = Sizes()


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph."""

    network: str
    """The name of its weights in `actors.face.ditto.nets.load.NETWORKS`; "" where a file is given as a graph."""
    inputs: Mapping[str, Shape]
    """By name; a text is a size that varies."""
    outputs: Mapping[str, Shape]
    wide: bool = True
    """Whether it stays in float32 where half precision is wanted."""
    half: tuple[str, ...] = ()
    """Inputs and outputs that are float16 in half precision: large ones that never leave the device."""
    whole: tuple[str, ...] = ()
    """Inputs of int64."""
    largest: int = 8
    """The most that one call takes of MANY."""


def graphs(sizes: Sizes = PUBLISHED) -> dict[str, Graph]:
    """All of them by name, for networks of these sizes."""
    place = sizes.side // 8
    points: Shape = (MANY, POINTS, 3)
    volume: Shape = (MANY, sizes.volume, sizes.depth, place, place)
    image: Shape = (MANY, 3, sizes.side // 2, sizes.side // 2)
    feature: Shape = (MANY, sizes.told, place, place)
    return {
        "hubert": Graph("", {"input_values": (MANY, CHUNK)}, {"encoding_out": ()}),
        "appearance": Graph("appearance", {"image": image}, {"pred": volume}, False, ("pred",), largest=1),
        "motion": Graph("motion", {"image": image}, _pose(), largest=1),
        "stitch": Graph("stitch", {"kp_source": points, "kp_driving": points}, {"out": points}),
        "warp": Graph(
            "warp", {"feature_3d": volume, "kp_source": points, "kp_driving": points}, {"out": feature},
            wide=False, half=("feature_3d", "out"),
        ),
        "decoder": Graph(
            "decoder", {"feature": feature}, {"picture": (MANY, sizes.side, sizes.side, 3)}, wide=False,
            half=("feature",),
        ),
        "lmdm_begin": _begin(sizes),
        "lmdm_step": _step(sizes),
    }  # fmt: skip


def split(sizes: Sizes = PUBLISHED) -> dict[str, Graph]:
    """The warp in three, for engines that cannot read a volume at places: in between, somebody else does.

    `warp_small` belongs to the portrait. Then `sampled(small, flows)` for every flow, `warp_flow`,
    `sampled(feature_3d, deformation)`, `warp_rest`.
    """
    place = sizes.side // 8
    points: Shape = (MANY, POINTS, 3)
    volume: Shape = (MANY, sizes.volume, sizes.depth, place, place)
    small: Shape = (MANY, sizes.compressed, sizes.depth, place, place)
    places: Shape = (sizes.depth, place, place)
    flows: Shape = (MANY, POINTS + 1, *places, 3)
    moved: Shape = (MANY, POINTS + 1, sizes.compressed, *places)
    occlusion: Shape = (MANY, 1, place, place)
    feature: Shape = (MANY, sizes.told, place, place)
    return {
        "warp_small": Graph(
            "warp", {"feature_3d": volume, "kp_source": points, "kp_driving": points}, {"small": small, "flows": flows},
            wide=False, half=("feature_3d", "small"),
        ),
        "warp_flow": Graph(
            "warp", {"moved": moved, "flows": flows, "kp_source": points, "kp_driving": points},
            {"deformation": (MANY, *places, 3), "occlusion": occlusion}, wide=False, half=("moved", "occlusion"),
        ),
        "warp_rest": Graph(
            "warp", {"moved_3d": volume, "occlusion": occlusion}, {"out": feature}, wide=False,
            half=("moved_3d", "occlusion", "out"),
        ),
    }  # fmt: skip


def _pose() -> dict[str, Shape]:
    counts = {"pitch": 66, "yaw": 66, "roll": 66, "t": 3, "exp": 3 * POINTS, "scale": 1, "kp": 3 * POINTS}
    return {name: (MANY, count) for name, count in counts.items()}


def _held(sizes: Sizes) -> dict[str, Shape]:
    """What `lmdm_begin` gives and `lmdm_step` takes."""
    head = sizes.width // sizes.heads
    return {
        "beside": (MANY, 1, sizes.width),
        "keys": (sizes.layers, BOTH, sizes.heads, WINDOW, head),
        "values": (sizes.layers, BOTH, sizes.heads, WINDOW, head),
        "later_keys": (STEPS, sizes.layers, sizes.heads, 2, head),
        "later_values": (STEPS, sizes.layers, sizes.heads, 2, head),
        "films": (STEPS, BOTH, sizes.layers, 3, 2, sizes.width),
    }


def _begin(sizes: Sizes) -> Graph:
    return Graph(
        "lmdm", {"cond_frame": (MANY, MOTION), "cond": (MANY, WINDOW, CONDITION), "times": (STEPS,)}, _held(sizes),
        whole=("times",), largest=4,
    )  # fmt: skip


def _step(sizes: Sizes) -> Graph:
    window: Shape = (MANY, WINDOW, MOTION)
    inputs: dict[str, Shape] = {"x": window, "step": (1,), "weights": (STEPS, 5), "noise": (STEPS, *window)}
    return Graph("lmdm", inputs | _held(sizes), {"next": window}, whole=("step",), largest=4)
