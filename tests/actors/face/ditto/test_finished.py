"""Which of Ditto's built files are not finished is told by their names and notes: no torch, no TensorRT, no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.face.ditto.export.build import SPLIT, WHOLE, graphs, kind, split
from actors.face.ditto.export.files import write, write_told
from actors.face.ditto.export.finished import HUBERT, Lack, lacking
from streaming.stages import StageError

NETWORKS = ("appearance", "motion", "stitch", "warp", "decoder", "lmdm")


def with_graphs(folder: Path, names: tuple[str, ...], precision: str = "fp16") -> None:
    told_of = graphs() | split()
    write(folder / "hubert.onnx", b"a graph")
    for name in names:
        write_told(folder / "graphs" / f"{name}.{kind(name, told_of[name], precision)}.onnx", b"a graph", {"form": 1})
    write(folder / "graphs" / "precision", precision.encode())


def with_engines(folder: Path, names: tuple[str, ...], library: str, gpu: str, precision: str = "fp16") -> None:
    for name in (*names, HUBERT):
        made_of = {"library": library, "gpu": gpu, "precision": precision}
        write_told(folder / "engines" / f"{name}-0123456789abcdef.engine", b"an engine", made_of)


def test_a_fresh_conversion_is_all_that_torch_reads_and_lacks_what_others_do(tmp_path: Path) -> None:
    write(tmp_path / "hubert.onnx", b"a graph")
    for name in NETWORKS[:-1]:
        write(tmp_path / f"{name}.safetensors", b"numbers")
    assert lacking(tmp_path, "torch") == Lack(weights=("lmdm.safetensors",))
    write(tmp_path / "lmdm.safetensors", b"numbers")
    assert lacking(tmp_path, "torch") == Lack()
    assert lacking(tmp_path, "onnx") == Lack(graphs=WHOLE)
    assert lacking(tmp_path, "tensorrt", "11.4.0") == Lack(graphs=WHOLE, engines=(*WHOLE, HUBERT))
    assert lacking(tmp_path, "tensorrt", "10.8.0") == Lack(graphs=SPLIT, engines=(*SPLIT, HUBERT))


def test_finished_graphs_are_enough_without_the_weights_they_were_made_of(tmp_path: Path) -> None:
    with_graphs(tmp_path, WHOLE)
    assert lacking(tmp_path, "onnx") == Lack()
    (tmp_path / "graphs" / "stitch.fp32.json").unlink()
    assert lacking(tmp_path, "onnx") == Lack(graphs=("stitch",)), "without its note a file is not finished"
    (tmp_path / "hubert.onnx").unlink()
    assert lacking(tmp_path, "onnx").weights == ("hubert.onnx",)


def test_an_engine_counts_for_its_library_its_precision_and_its_gpu(tmp_path: Path) -> None:
    with_graphs(tmp_path, WHOLE)
    with_engines(tmp_path, WHOLE, "tensorrt 11.4.0", "NVIDIA L4")
    missing = (*WHOLE, HUBERT)
    assert lacking(tmp_path, "tensorrt") == lacking(tmp_path, "tensorrt", "11.4.0", ["NVIDIA L4"]) == Lack()
    assert lacking(tmp_path, "tensorrt", "11.5.0").engines == missing
    assert lacking(tmp_path, "tensorrt", "11.4.0", ["NVIDIA A10"]).engines == missing
    assert lacking(tmp_path, "tensorrt-rtx", "1.7.1").engines == missing
    with_graphs(tmp_path, WHOLE, "fp32")
    assert lacking(tmp_path, "tensorrt").engines == missing, "those of fp16 are no use"


def test_an_engine_for_an_architecture_fits_every_gpu_of_it(tmp_path: Path) -> None:
    with_graphs(tmp_path, WHOLE)
    with_engines(tmp_path, WHOLE, "tensorrt-rtx 1.7.1", "")
    assert lacking(tmp_path, "tensorrt-rtx", "1.7.1", ["NVIDIA L4"]) == Lack()


def test_a_precision_that_there_is_not_is_told(tmp_path: Path) -> None:
    write(tmp_path / "graphs" / "precision", b"fp2")
    with pytest.raises(StageError, match="names the precision 'fp2'"):
        lacking(tmp_path, "onnx")
