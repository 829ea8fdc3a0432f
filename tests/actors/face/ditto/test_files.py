"""Converted files to networks: all of a folder, or one sentence about what is wrong with it."""

# pyright: reportMissingImports=false
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.actors.face.ditto.needs import torch

# isort: split

from safetensors.torch import load

from actors.face.ditto.convert.__main__ import main
from actors.face.ditto.convert.formats import safetensors
from actors.face.ditto.convert.pickles import read_checkpoint
from actors.face.ditto.engine import Ditto
from actors.face.ditto.motion import audio
from actors.face.ditto.nets.graph import GraphWrong
from actors.face.ditto.nets.hubert import Hubert
from actors.face.ditto.nets.load import WeightsWrong, bare, filled
from actors.face.ditto.nets.load import load as load_network
from actors.face.ditto.nets.stitch import Stitch
from streaming.stages import StageError
from tests.actors.face.ditto.stub import write_hubert


def test_what_torch_saves_is_read_without_torch_and_written_as_safetensors() -> None:
    given = {
        "a": torch.arange(6, dtype=torch.float32).reshape(2, 3).T, "n": torch.tensor(5), "h": torch.ones(2).half(),
        "b": torch.nn.Parameter(torch.ones(3)), "view": torch.arange(10.0)[4:7],
    }  # fmt: skip
    out = io.BytesIO()
    torch.save(given, out)
    found = read_checkpoint(out.getvalue())
    back = load(safetensors(found))
    assert set(back) == set(given)
    assert all(torch.equal(back[name], tensor) and back[name].dtype == tensor.dtype for name, tensor in given.items())


def test_a_published_checkpoint_becomes_a_network(tmp_path: Path) -> None:
    network = Stitch().eval().requires_grad_(False)
    inside = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"retarget_shoulder": inside, "other": {}}, tmp_path / "stitch_network.pth")
    assert main([str(tmp_path / "stitch_network.pth"), "--to", str(tmp_path / "out")]) == 0
    kp = torch.randn(1, 21, 3)
    assert torch.equal(load_network("stitch", tmp_path / "out")(kp, kp), network(kp, kp))


def changed(**by: Any) -> dict[str, Any]:
    tensors = {**Stitch().state_dict(), **by}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (changed(**{"mlp.0.bias": None}), r"lacks mlp\.0\.bias; convert it again"),
        (changed(more=torch.ones(1)), "has more, which nothing reads"),
        (changed(**{"mlp.0.bias": torch.ones(3)}), r"has mlp\.0\.bias as \(3,\) torch.float32, not \(128,\)"),
        (changed(**{"mlp.0.bias": torch.ones(128).half()}), r"torch.float16, not \(128,\) torch.float32"),
        ({}, "and 5 more"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tensors: dict[str, Any], said: str) -> None:
    with pytest.raises(WeightsWrong, match=said):
        filled("stitch", tensors)


def test_a_file_that_is_missing_or_broken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsWrong, match=r"make it with python -m actors\.face\.ditto\.convert"):
        load_network("stitch", tmp_path)
    (tmp_path / "stitch.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsWrong, match="cannot be read as safetensors"):
        load_network("stitch", tmp_path)
    with pytest.raises(StageError, match=r"there is no .*appearance\.safetensors"):
        Ditto(tmp_path, device="cpu")


def test_a_network_without_numbers_has_only_shapes() -> None:
    assert all(tensor.is_meta for tensor in bare("decoder").state_dict().values())


# ---- the audio encoder -------------------------------------------------------------------------------------


def test_the_encoders_graph_gives_a_feature_a_frame(tmp_path: Path) -> None:
    hear = Hubert(write_hubert(tmp_path / "hubert.onnx"))
    loud = np.ones(audio.CHUNK, np.float32) / 2
    rows = hear(np.stack([loud, loud / 2]))
    assert rows.shape == (2, 20, 1024)
    assert [audio.features(each)[:, -1].tolist() for each in rows] == [pytest.approx([x] * 5) for x in (0.5, 0.25)]


def test_another_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphWrong, match=r"gives .*8.* for 6480 samples, not"):
        Hubert(write_hubert(tmp_path / "narrow.onnx", width=8))
    with pytest.raises(GraphWrong, match=r"takes \['sound'\] and gives"):
        Hubert(write_hubert(tmp_path / "named.onnx", given="sound"))
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(GraphWrong, match="no graph that ONNX Runtime can open"):
        Hubert(tmp_path / "broken.onnx")


def test_the_graph_is_looked_at_when_it_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_hubert(tmp_path / "hubert_streaming_fix_kv.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    assert main([str(good), str(tmp_path / "broken.onnx"), "--to", str(tmp_path / "out")]) == 1
    assert "broken.onnx was not converted" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["hubert.onnx"]
