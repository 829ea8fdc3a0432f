"""Files of graphs and engines, and what is said where something is missing; no network is needed for that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from actors.face.ditto.export import build, files
from actors.face.ditto.export.graphs import graphs, split
from actors.face.ditto.runtime import engines
from actors.face.ditto.runtime import open as open_runtime
from streaming.stages import StageError


def quiet(what: str, share: float) -> None:
    """Progress that nobody watches."""


def test_a_file_without_its_note_is_not_finished(tmp_path: Path) -> None:
    path = files.write_told(tmp_path / "graphs" / "warp.fp16.onnx", b"graph", {"form": 1})
    assert path.read_bytes() == b"graph" and files.told(path) == {"form": 1}
    path.with_suffix(".json").write_text("{")
    assert files.told(path) is None
    path.with_suffix(".json").unlink()
    assert files.told(path) is None
    assert sorted(each.name for each in path.parent.iterdir()) == ["warp.fp16.onnx"]


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    with pytest.raises(OSError):
        files.write(tmp_path / "engine", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["engine"]


def test_finished_graphs_need_neither_weights_nor_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in build.WHOLE:
        kind = "fp32" if graphs()[name].wide else "fp16"
        files.write_told(tmp_path / "graphs" / f"{name}.{kind}.onnx", b"graph", {"weights": "a", "form": build.FORM})
    monkeypatch.setitem(sys.modules, "torch", None)
    found = build.graph_files(tmp_path, build.WHOLE, "fp16", quiet)
    assert [path.name for path in found.values()] == [
        "appearance.fp16.onnx", "motion.fp32.onnx", "stitch.fp32.onnx", "warp.fp16.onnx", "decoder.fp16.onnx",
        "lmdm_begin.fp32.onnx", "lmdm_step.fp32.onnx",
    ]  # fmt: skip


def test_graphs_of_other_weights_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_told(tmp_path / "graphs" / "stitch.fp32.onnx", b"graph", {"weights": "a", "form": build.FORM})
    (tmp_path / "stitch.safetensors").write_bytes(b"others")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(StageError, match=r"the graph stitch is not there yet, and to make it onnx is needed: pip"):
        build.graph_files(tmp_path, ["stitch"], "fp32", quiet)


def test_the_precision_that_was_built_last_is_the_one_that_runs(tmp_path: Path) -> None:
    assert build.wanted(tmp_path, "fp16") == "fp16"
    files.write(tmp_path / "graphs" / "precision", b"int8\n")
    assert build.wanted(tmp_path, "fp16") == "int8"
    files.write(tmp_path / "graphs" / "precision", b"int4")
    with pytest.raises(StageError, match="names the precision 'int4'; there are fp32, fp16, int8, fp8"):
        build.wanted(tmp_path, "fp16")


def test_what_cannot_be_built_is_said(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="nothing is built for the runtime 'torch'; choose one of onnx, tensorrt"):
        build.build(tmp_path, runtime="torch", precision="fp16", progress=quiet)
    with pytest.raises(StageError, match="onnx builds for the GPU of this machine only; leave the target 'sm89' out"):
        build.build(tmp_path, runtime="onnx", target="sm89", precision="fp16", progress=quiet)
    with pytest.raises(StageError, match="there is no precision 'int4'; choose one of fp32, fp16, int8, fp8"):
        build.build(tmp_path, runtime="onnx", precision="int4", progress=quiet)
    assert not (tmp_path / "graphs").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("tensorrt", "PyPI has only stubs"), ("tensorrt-rtx", r"pip install 'realtime-avatar\[tensorrt-rtx\]'")],
)
def test_without_the_library_there_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    for module in engines.LIBRARIES[name]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StageError, match=f"the runtime '{name}' is not installed .*{said}"):
        open_runtime(name, tmp_path)


def test_another_card_version_or_precision_has_engines_of_its_own() -> None:
    shapes: engines.Range = ((1, 3), (4, 3), (8, 3))
    made = engines.Made("a" * 64, "fp16", "tensorrt 11.4", "sm89", "NVIDIA L4", {"x": shapes})
    others = [
        engines.Made("b" * 64, "fp16", "tensorrt 11.4", "sm89", "NVIDIA L4", {"x": shapes}),
        engines.Made("a" * 64, "fp32", "tensorrt 11.4", "sm89", "NVIDIA L4", {"x": shapes}),
        engines.Made("a" * 64, "fp16", "tensorrt 11.5", "sm89", "NVIDIA L4", {"x": shapes}),
        engines.Made("a" * 64, "fp16", "tensorrt 11.4", "sm90", "NVIDIA L4", {"x": shapes}),
        engines.Made("a" * 64, "fp16", "tensorrt 11.4", "sm89", "NVIDIA L40S", {"x": shapes}),
        engines.Made("a" * 64, "fp16", "tensorrt 11.4", "sm89", "NVIDIA L4", {"x": (*shapes[:2], (16, 3))}),
    ]
    assert len({made.key, *(other.key for other in others)}) == 7


@pytest.mark.parametrize(
    ("runtime", "version", "reads"),
    [
        ("tensorrt", "10.16.1.11", False), ("tensorrt", "11.1.0.1", False), ("tensorrt", "11.2.1", True),
        ("tensorrt", "12.0.0", True), ("tensorrt-rtx", "1.7.1.116", True),
    ],
)  # fmt: skip
def test_the_warp_is_split_where_a_volume_cannot_be_read(runtime: str, version: str, reads: bool) -> None:
    assert engines.reads_volumes(runtime, version) is reads


def test_the_split_parts_fit_together() -> None:
    whole, parts = graphs()["warp"], split()
    assert parts["warp_small"].inputs == whole.inputs and parts["warp_rest"].outputs == whole.outputs
    assert parts["warp_small"].outputs["flows"] == parts["warp_flow"].inputs["flows"]
    assert parts["warp_flow"].outputs["occlusion"] == parts["warp_rest"].inputs["occlusion"]
    assert parts["warp_rest"].inputs["moved_3d"] == whole.inputs["feature_3d"]
