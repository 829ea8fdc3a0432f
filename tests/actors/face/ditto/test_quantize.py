"""Eight bits: a graph that is close enough is kept, one that is not is refused with its number."""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.actors.face.ditto import graphed, tiny

# isort: split

from actors.face.ditto.export import build
from actors.face.ditto.export.quantize import Recording, TooLossy, decibels, quantize
from actors.face.ditto.runtime.machine import GraphRuntime
from actors.face.ditto.runtime.onnx import Sessions
from streaming.stages import StageError


@pytest.fixture
def given(tmp_path: Path) -> dict[str, list[Any]]:
    """What the two graphs were given while 24 pictures were drawn."""
    recording = Recording(Sessions(graphed.files(tmp_path), threads=1))
    runtime = GraphRuntime(recording, side=tiny.SIDE)
    runtime.draw(graphed.poses(runtime, 24))
    return recording.given


@pytest.mark.parametrize(("kind", "least"), [("int8", 25.0), ("fp8", 15.0)])
def test_a_close_one_is_kept_and_runs(tmp_path: Path, given: dict[str, list[Any]], kind: str, least: float) -> None:
    import onnx

    assert {name: len(feeds) for name, feeds in given.items()} == {"warp": 24, "decoder": 24}
    graphed.files(tmp_path, "fp16")
    measured = quantize(tmp_path, kind, given, sizes=graphed.SIZES, least_db={"warp": least, "decoder": least})
    files = build.graph_files(tmp_path, build.WHOLE, kind, graphed.quiet, sizes=graphed.SIZES)
    pairs = {
        name: sum(node.op_type == "QuantizeLinear" for node in onnx.load(files[name]).graph.node)
        for name in ("warp", "decoder")
    }
    assert pairs == {"warp": 2 * 5, "decoder": 2 * 28}, "input and weights of every convolution that is narrowed"
    narrow = onnx.load(files["decoder"])
    wide = [node.name for node in narrow.graph.node if node.op_type == "Conv" and "Dequantize" not in node.input[0]]
    assert {name.split("/")[2] for name in wide} >= {"fc", "conv_img"}, "the first and the last stay as they are"
    wanted, runtime = (
        GraphRuntime(Sessions(graphed.files(tmp_path), threads=1), side=tiny.SIDE),
        GraphRuntime(Sessions({**files, "hubert": tmp_path / "hubert.onnx"}, threads=1), side=tiny.SIDE),
    )
    apart = decibels(*(each.draw(graphed.poses(each, 3)) for each in (wanted, runtime)))
    assert apart > least and min(measured.values()) > least


def test_one_that_was_calibrated_with_the_wrong_inputs_is_refused_with_its_number(
    tmp_path: Path, given: dict[str, list[Any]]
) -> None:
    dark = [
        {"feature": feeds["feature"] * (1 if place % 4 == 0 else 1e-3)} for place, feeds in enumerate(given["decoder"])
    ]
    with pytest.raises(TooLossy, match=r"decoder in int8 is -?\d+\.\d dB from float32, the gate is at 38\.0"):
        quantize(tmp_path, "int8", {**given, "decoder": dark}, sizes=graphed.SIZES, least_db={"warp": 0, "decoder": 38})
    assert not (tmp_path / "graphs" / "decoder.int8.onnx").exists()
    with pytest.raises(StageError, match=r"decoder\.int8\.onnx is missing or of other weights"):
        build.graph_files(tmp_path, ["decoder"], "int8", graphed.quiet, sizes=graphed.SIZES)


def test_one_that_gives_no_number_is_not_close(tmp_path: Path, given: dict[str, list[Any]]) -> None:
    given["warp"][-4] = {name: np.full_like(each, np.nan) for name, each in given["warp"][-4].items()}
    with pytest.raises(TooLossy, match="warp in int8 is nan dB"):
        quantize(tmp_path, "int8", given, sizes=graphed.SIZES)


def test_too_few_inputs_and_other_kinds_are_refused(tmp_path: Path, given: dict[str, list[Any]]) -> None:
    with pytest.raises(StageError, match="7 inputs of warp are too few"):
        quantize(tmp_path, "int8", {**given, "warp": given["warp"][:7]}, sizes=graphed.SIZES)
    with pytest.raises(StageError, match="to int8 or fp8, not to 'int4'"):
        quantize(tmp_path, "int4", given, sizes=graphed.SIZES)


def test_decibels_are_those_of_the_textbook() -> None:
    black = np.zeros((4, 4), np.uint8)
    assert decibels(black, black + 255) == pytest.approx(0)
    assert decibels(black, black + 1) == pytest.approx(48.13, abs=0.01)
    assert decibels(np.ones(3, np.float32), np.full(3, 0.9, np.float32)) == pytest.approx(20, abs=0.01)
