"""The decoder and the warp's hourglass in eight bits, where pictures stay close enough; off unless it is asked for.

Explicit Q/DQ pairs before convolutions, written by ONNX Runtime's quantiser from ranges that real inputs had: INT8, or
FP8 (E4M3) with the same ranges. First and last convolutions, norms, the mask, and whatever is of coordinates keep
their precision. A graph is compared with the float32 one on inputs that it was not calibrated with, and written only if
it passes. Neither its speed nor its look on a GPU was measured.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from actors.face.ditto.export.build import FORM, NARROW, graph_files, logged
from actors.face.ditto.export.files import sha256, write_told
from actors.face.ditto.export.graphs import PUBLISHED, Sizes, graphs
from actors.face.ditto.runtime.machine import Machine
from actors.face.ditto.spec import Array
from streaming.stages import StageError

log = logging.getLogger(__name__)

LEAST_DB = {"warp": 40.0, "decoder": 38.0}
"""The gate: decibels of the largest value over the error. A choice; nobody has looked at pictures on either side."""
NARROWED = re.compile(r"/hourglass/|/G_middle_\d+/|/up_\d/")
"""Modules whose convolutions are made narrower."""

INT8_LARGEST, FP8_LARGEST = 127.0, 448.0

Feeds = Mapping[str, Array]


class TooLossy(StageError):
    """A narrower graph is further from the wide one than the gate allows; the message says how far."""


class Recording:
    """A machine that remembers what the graphs were given that can be made narrower."""

    def __init__(self, machine: Machine, most: int = 64) -> None:
        """``most``: runs of each graph that are remembered, each of one picture."""
        self._machine, self._most = machine, most
        self.up, self.down, self.keep, self.stack = machine.up, machine.down, machine.keep, machine.stack
        self.given: dict[str, list[Feeds]] = {name: [] for name in LEAST_DB}

    def run(self, graph: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        known = self.given.get(graph)
        if known is not None and len(known) < self._most:
            arrays = {key: each if isinstance(each, np.ndarray) else self.down(each) for key, each in feeds.items()}
            count = len(next(iter(arrays.values())))
            known += [{key: each[place, None] for key, each in arrays.items()} for place in range(count)]
        return self._machine.run(graph, feeds)


def quantize(
    models: Path, kind: str, given: Mapping[str, Sequence[Feeds]], *, least_db: Mapping[str, float] = LEAST_DB,
    sizes: Sizes = PUBLISHED,
) -> dict[str, float]:  # fmt: skip
    """Make the graphs of ``kind``, "int8" or "fp8", beside the float32 ones; decibels by graph.

    ``given``: inputs of single pictures in float32, of a `Recording`; every fourth is kept to judge by. Raises
    TooLossy, and then has written nothing of that graph, or StageError.
    """
    if kind not in NARROW:
        raise StageError(f"graphs are quantised to int8 or fp8, not to {kind!r}")
    measured: dict[str, float] = {}
    told = graphs(sizes)
    for name, path in graph_files(models, [*LEAST_DB], "fp32", logged, sizes=sizes).items():
        feeds = list(given[name])
        if len(feeds) < 8:
            raise StageError(f"{len(feeds)} inputs of {name} are too few to calibrate and to judge by; give 8 or more")
        judged = feeds[::4]
        data = narrowed(path, kind, [each for place, each in enumerate(feeds) if place % 4], told[name])
        measured[name] = worst = float(np.min([*_decibels(path, data, judged, told[name].half)]))
        if not worst >= least_db[name]:  # nor is "not a number" near enough
            raise TooLossy(
                f"{name} in {kind} is {worst:.1f} dB from float32, the gate is at {least_db[name]:.1f}; it was not"
                " kept. Calibrate with more of what it will draw, or run fp16"
            )
        weights = models / f"{told[name].network}.safetensors"
        made_of = {"weights": sha256(weights) if weights.exists() else "", "form": FORM, "decibels": worst}
        write_told(models / "graphs" / f"{name}.{kind}.onnx", data, made_of)
        log.info("%s in %s: %.1f dB from float32", name, kind, worst)
    return measured


def narrowed(path: Path, kind: str, given: Sequence[Feeds], graph: Any) -> bytes:
    """A float32 graph with its convolutions in eight bits and the rest as in half precision."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    from actors.face.ditto.export.half import halved

    model = onnx.load(path)
    chosen = [node.name for node in model.graph.node if node.op_type == "Conv" and NARROWED.search(node.name)]
    said = io.StringIO()
    with TemporaryDirectory() as folder, redirect_stdout(said):
        out = Path(folder) / "narrow.onnx"
        quantize_static(
            model, out, _Reader(given),  # type: ignore[arg-type]  # its base comes with the library
            quant_format=QuantFormat.QDQ, op_types_to_quantize=["Conv"],
            nodes_to_quantize=chosen, per_channel=kind == "int8", activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
            # Symmetric, weights as floats with a pair of their own, biases as they are: engines take no other.
            extra_options={
                "ActivationSymmetric": True, "WeightSymmetric": True, "AddQDQPairToWeight": True, "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": ["Conv"],
                "DedicatedQDQPair": True,  # or a convolution that stays wide reads what was narrowed for its neighbour
            },
        )  # fmt: skip
        model = onnx.load(out)
    log.debug("onnxruntime.quantization: %s", said.getvalue())
    return halved(_floating(model) if kind == "fp8" else model, graph).SerializeToString()


def _floating(model: Any) -> Any:
    """Pairs of INT8 as pairs of FP8: the same ranges, spread over the other type's numbers."""
    from onnx import TensorProto, helper, numpy_helper

    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    scales, zeros = ({node.input[place] for node in pairs} for place in (1, 2))
    for tensor in model.graph.initializer:
        if tensor.name in scales:
            values = numpy_helper.to_array(tensor) * np.float32(INT8_LARGEST / FP8_LARGEST)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
        elif tensor.name in zeros:
            zero = helper.make_tensor(tensor.name, TensorProto.FLOAT8E4M3FN, tensor.dims, [0.0])
            tensor.CopyFrom(zero)
    del model.graph.value_info[:]
    return model


class _Reader:
    """Inputs one after the other, as ONNX Runtime's quantiser asks for them."""

    def __init__(self, given: Sequence[Feeds]) -> None:
        self._rest = iter(given)

    def get_next(self) -> dict[str, Array] | None:
        feeds = next(self._rest, None)
        return None if feeds is None else dict(feeds)


def _decibels(wide: Path, narrow: bytes, given: Sequence[Feeds], half: Sequence[str]) -> Iterator[float]:
    """How near the narrow graph's output is to the wide one's, input by input."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    first, second = (
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for model in (str(wide), narrow)
    )
    for feeds in given:
        [wanted] = first.run(None, dict(feeds))
        [found] = second.run(
            None, {name: each.astype(np.float16) if name in half else each for name, each in feeds.items()}
        )
        yield decibels(np.asarray(wanted), np.asarray(found))


def decibels(wanted: Array, found: Array) -> float:
    """PSNR; the peak is 255 for bytes, else the largest wanted value."""
    peak = 255.0 if wanted.dtype == np.uint8 else float(np.abs(wanted).max())
    error = float(np.mean((wanted.astype(np.float64) - found.astype(np.float64)) ** 2))
    return 10 * float(np.log10(max(peak, 1e-12) ** 2 / max(error, 1e-12)))
