"""The torch runtime with small networks: batches of strangers, recordings, half precision, and what is refused."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.actors.face.ditto.needs import torch

# isort: split

from actors.face.ditto.runtime import Pose, Window
from actors.face.ditto.runtime.graphs import KEPT, Graphs
from actors.face.ditto.runtime.torch import LARGEST, Torch, Way, warm, way
from tests.actors.face.ditto.recorder import Recorder
from tests.actors.face.ditto.tiny import SIDE, hear, parts, runtime


def portrait(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), np.uint8)


def poses(made: Torch, count: int) -> list[Pose]:
    """Each of another portrait."""
    draw = np.random.default_rng(7)
    points = draw.uniform(-0.5, 0.5, (count, 2, 1, 21, 3)).astype(np.float32)
    return [Pose(made.look(portrait(k)), *points[k]) for k in range(count)]


def windows(count: int, steps: int = 5) -> list[Window]:
    """Each of another session."""
    draw = np.random.default_rng(8)
    return [
        Window(draw.standard_normal(265), draw.standard_normal((80, 1103)), seed, 3 * seed, steps)
        for seed in range(count)
    ]


def batching(**more: Any) -> Torch:
    """As on a GPU: several in one run."""
    return Torch(parts(), hear, side=SIDE, run=Way("cpu", torch.float32, **more))


def test_pictures_of_several_avatars_in_one_batch_are_those_drawn_alone() -> None:
    made = batching()
    asked = poses(made, LARGEST + 3)
    together = made.draw(asked)
    assert together.dtype == np.uint8 and together.shape == (len(asked), SIDE, SIDE, 3)
    for pose, picture in zip(asked, together, strict=True):
        [alone] = made.draw([pose])
        assert np.abs(alone.astype(int) - picture).max() <= 1, "a last bit may fall over a rounding's edge, no more"
    assert len({picture.tobytes() for picture in together}) == len(asked)


def test_windows_of_several_sessions_in_one_batch_are_those_run_alone() -> None:
    made = batching()
    asked = windows(4)
    together = made.move(asked)
    assert together.shape == (4, 80, 265)
    for window, motion in zip(asked, together, strict=True):
        np.testing.assert_allclose(made.move([window])[0], motion, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="too many values"):
        made.move([*asked, *windows(1, steps=6)])


def test_on_a_cpu_a_batch_changes_no_bit() -> None:
    made = runtime()
    asked, moves = poses(made, 3), windows(3)
    assert np.array_equal(made.draw(asked)[1:2], made.draw(asked[1:2]))
    assert np.array_equal(made.move(moves)[1:2], made.move(moves[1:2]))


def test_chunks_are_heard_together() -> None:
    made, chunks = runtime(), np.random.default_rng(0).standard_normal((3, 6480)).astype(np.float32)
    assert np.array_equal(made.hear(chunks)[1:2], made.hear(chunks[1:2]))


def test_recordings_give_the_same_and_are_made_once_for_each_size() -> None:
    plain, record = batching(), Recorder()
    made = Torch(parts(), hear, side=SIDE, run=Way("cpu", torch.float32, graphs=True), record=record)
    warm(made, counts=(1, 2), steps=(5,))
    assert len(record.made) == 3
    asked = poses(made, 2)
    for _ in range(2):
        assert np.array_equal(made.draw(asked), plain.draw(asked))
        assert np.array_equal(made.draw(asked[:1]), plain.draw(asked[:1]))
        assert np.array_equal(made.move(windows(1)), plain.move(windows(1)))
    assert len(record.made) == 3
    assert np.array_equal(made.move(windows(2)), plain.move(windows(2)))
    assert np.array_equal(made.move(windows(1, steps=6)), plain.move(windows(1, steps=6)))
    assert len(record.made) == 5


def test_the_recording_least_used_is_forgotten() -> None:
    record = Recorder()
    graphs = Graphs(record)
    for size in [*range(1, KEPT + 2), KEPT + 1, 1]:
        assert graphs("twice", lambda x: 2 * x, torch.ones(size)).tolist() == [2.0] * size
    assert len(record.made) == KEPT + 2
    assert graphs("thrice", lambda x: 3 * x, torch.ones(1)).item() == 3, "the name counts too"


def test_half_precision_changes_pictures_by_little() -> None:
    whole = runtime()
    half = Torch(parts(), hear, side=SIDE, run=Way("cpu", torch.float16, channels_last=True))
    given = poses(whole, 2)
    narrow = [Pose(half.look(portrait(k)), pose.source, pose.driving) for k, pose in enumerate(given)]
    assert narrow[0].looked.volume.dtype == torch.float16
    assert np.abs(half.draw(narrow).astype(int) - whole.draw(given)).mean() < 1


def test_how_it_runs_follows_from_the_device_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gpu = way("cuda:1")
    assert (gpu.precision, gpu.channels_last, gpu.graphs) == (torch.float16, True, True)
    for device in ("cpu", "mps"):
        assert not way(device).graphs and way(device).precision == torch.float32
    assert "phases=True" in caplog.text and "not measured" in caplog.text
