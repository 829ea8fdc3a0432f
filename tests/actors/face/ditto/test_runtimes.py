"""Every runtime gives what the networks in torch give, alone and in a batch."""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.actors.face.ditto import graphed, tiny

# isort: split

from actors.face.ditto.runtime import Runtime
from actors.face.ditto.runtime.machine import GraphRuntime
from actors.face.ditto.runtime.onnx import Sessions


def onnx(folder: Path, precision: str) -> Runtime:
    return GraphRuntime(Sessions(graphed.files(folder, precision), threads=1), side=tiny.SIDE)


MADE: dict[str, tuple[Callable[[Path, str], Runtime], str, int]] = {
    "onnx": (onnx, "fp32", 1),
    "onnx fp16": (onnx, "fp16", 6),
}
"""By name: how it is made, in which precision, and how many grey levels a picture may differ by."""


@pytest.fixture(scope="module", params=MADE)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Runtime, int]:
    make, precision, levels = MADE[request.param]
    return make(tmp_path_factory.mktemp("models"), precision), levels


@pytest.fixture(scope="module")
def torch() -> Runtime:
    return tiny.runtime()


def test_they_hear_the_same(torch: Runtime, other: tuple[Runtime, int]) -> None:
    chunks = np.random.default_rng(0).standard_normal((3, 6480)).astype(np.float32) / 10
    np.testing.assert_allclose(other[0].hear(chunks), torch.hear(chunks), rtol=0, atol=1e-5)


def test_they_see_the_same(torch: Runtime, other: tuple[Runtime, int]) -> None:
    seen, wanted = (runtime.look(graphed.square(0)).motion for runtime in (other[0], torch))
    for name in ("pitch", "yaw", "roll", "t", "exp", "scale", "kp"):
        np.testing.assert_allclose(getattr(seen, name), getattr(wanted, name), rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_windows_of_several_replies_move_the_same(torch: Runtime, other: tuple[Runtime, int], count: int) -> None:
    windows = graphed.windows(count)
    np.testing.assert_allclose(other[0].move(windows), torch.move(windows), rtol=0, atol=1e-3)


def test_windows_of_different_steps_are_refused(other: tuple[Runtime, int]) -> None:
    with pytest.raises(ValueError, match="too many values"):
        other[0].move([*graphed.windows(1, 3), *graphed.windows(1, 4)])


@pytest.mark.parametrize("count", [1, 3, 9])
def test_poses_of_two_avatars_look_the_same(torch: Runtime, other: tuple[Runtime, int], count: int) -> None:
    runtime, levels = other
    drawn, wanted = (each.draw(graphed.poses(each, count)) for each in (runtime, torch))
    assert drawn.shape == (count, tiny.SIDE, tiny.SIDE, 3) and drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - wanted.astype(int)).max() <= levels
    assert wanted.std() > 5, "the pictures show something"
