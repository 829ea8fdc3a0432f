"""The sampler with its constants taken out of the loop, against the network as it was published."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import pytest

from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.motion import sampler
from actors.face.ditto.nets import hoisted, lmdm
from actors.face.ditto.nets.hoisted import Hoisted

SIZE = lmdm.Size(motion=6, condition=10, window=8, width=16, heads=2, hidden=24, layers=3, encoder_layers=2)
SAME = 1e-4


@pytest.fixture(scope="module")
def network() -> lmdm.MotionDecoder:
    torch.manual_seed(2)
    made = lmdm.MotionDecoder(SIZE).eval().requires_grad_(False)
    for name, numbers in made.named_parameters():
        if name.endswith("bias"):
            numbers.normal_()  # trained biases are not zero
    return made


def given(windows: int, seed: int) -> tuple[Any, Any, Any]:
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=draw) for shape in ((windows, 8, 6), (windows, 6), (windows, 8, 10)))


def plain(network: Any, x: Any, frame: Any, cond: Any, plan: sampler.Schedule) -> Any:
    noise = torch.ones(len(plan.times), *x.shape)
    return sampler.sample(lambda at, t: network.guided(at, frame, cond, torch.full((len(x),), t)), x, noise, plan)


def quick(made: Hoisted, x: Any, frame: Any, cond: Any, plan: sampler.Schedule) -> Any:
    noise = torch.ones(len(plan.times), *x.shape)
    return sampler.sample(made.begin(frame, cond, plan.times).predict, x, noise, plan)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("steps", [1, 5, 10])
def test_a_window_is_the_published_loops(
    network: Any, packed: bool, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not packed:
        monkeypatch.setattr(hoisted, "packs", lambda weight: False)
    made, plan = Hoisted(network), sampler.schedule(steps)
    for windows, seed in ((1, 0), (3, 1), (1, 2)):
        x, frame, cond = given(windows, seed)
        assert (quick(made, x, frame, cond, plan) - plain(network, x, frame, cond, plan)).abs().max() < SAME


def test_what_the_times_give_is_made_once(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, asked = Hoisted(network), []
    forward = network.time_mlp.forward
    monkeypatch.setattr(network.time_mlp, "forward", lambda times: asked.append(len(times)) or forward(times))
    for seed in range(3):
        quick(made, *given(1, seed), sampler.schedule(5))
    quick(made, *given(2, 3), sampler.schedule(4))
    assert asked == [5, 4]


def test_two_windows_begun_on_one_network_do_not_touch_each_other(network: Any) -> None:
    made = Hoisted(network)
    x, frame, cond = given(1, 4)
    begun, beside = made.begin(frame, cond, (900, 100)), made.begin(-frame, -cond, (900, 100))
    alone = begun.predict(x, 900)
    beside.predict(x, 100)
    assert torch.equal(begun.predict(x, 900), alone)
    assert not torch.equal(begun.predict(x, 100), alone)
