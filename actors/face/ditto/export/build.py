"""Everything that a runtime needs, made ahead of its first start or at it: graphs, and engines where there are any.

    models/graphs/warp.fp16.onnx   beside it what it was made of: the weights' sha256 and FORM
    models/graphs/precision        the precision that was built last, which is the one that runs
    models/engines/                `actors.face.ditto.runtime.engines`

What is there and was made of the same is not made again. Graphs need torch; a machine that has the finished ones does
not. Nothing here was run on a GPU.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from actors.face.ditto.export.files import sha256, told, write, write_told
from actors.face.ditto.export.graphs import PUBLISHED, Graph, Sizes, graphs, split
from streaming.stages import StageError

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
"""(what is being made, share of it from 0 to 1)"""

FORM = 1
"""Of the graphs; raised whenever they would come out differently for the same weights."""
PRECISIONS = ("fp32", "fp16", "int8", "fp8")
NARROW = ("int8", "fp8")
NARROWED = ("warp", "decoder")
"""The graphs that there are in eight bits; with them the others run in half precision."""
WHOLE = ("appearance", "motion", "stitch", "warp", "decoder", "lmdm_begin", "lmdm_step")
"""The graphs of a runtime that can read a volume at places."""
SPLIT = (*(name for name in WHOLE if name != "warp"), "warp_small", "warp_flow", "warp_rest")
"""The graphs of one that cannot."""
RUNTIMES = ("onnx", "tensorrt", "tensorrt-rtx")


def build(models: Path, *, runtime: str, target: str | None = None, precision: str, progress: Progress) -> None:
    """Make all that ``runtime`` needs in the folder of a conversion, and make ``precision`` the one that runs.

    ``target``: for "tensorrt-rtx" the GPU's architecture, as "sm89", which this machine need not have; None: this
    machine's GPU. Quantised precisions are not made here but by `quantize`, which needs inputs to calibrate with.
    Raises StageError.
    """
    if runtime not in RUNTIMES:
        raise StageError(f"nothing is built for the runtime {runtime!r}; choose one of {', '.join(RUNTIMES)}")
    if target is not None and runtime != "tensorrt-rtx":
        raise StageError(f"{runtime} builds for the GPU of this machine only; leave the target {target!r} out")
    if runtime == "onnx":
        graph_files(models, WHOLE, precision, progress)
    else:
        from actors.face.ditto.runtime import tensorrt

        tensorrt.prepare(models, runtime, target, precision, progress)
    write(models / "graphs" / "precision", precision.encode())


def logged(what: str, share: float) -> None:
    """Progress as lines of the log."""
    log.info("ditto: %s, %.0f %%", what, 100 * share)


def wanted(models: Path, default: str) -> str:
    """The precision that was built last, or the default. Raises StageError for one that there is not."""
    path = models / "graphs" / "precision"
    precision = path.read_text().strip() if path.exists() else default
    if precision not in PRECISIONS:
        raise StageError(f"{path} names the precision {precision!r}; there are {', '.join(PRECISIONS)}")
    log.info("ditto runs in %s: %s", precision, "it was built last" if path.exists() else "the default here")
    return precision


def kind(name: str, graph: Graph, precision: str) -> str:
    """The precision that a graph is written in where ``precision`` is wanted of all."""
    return "fp32" if graph.wide else precision if name in NARROWED or precision not in NARROW else "fp16"


def graph_files(
    models: Path, names: Iterable[str], precision: str, progress: Progress, *, sizes: Sizes = PUBLISHED,
    network: Callable[[str], Any] | None = None,
) -> dict[str, Path]:  # fmt: skip
    """The files of graphs by name, made where they are missing or of other weights.

    ``network`` gives a network by name instead of its weights' file. Raises StageError.
    """
    if precision not in PRECISIONS:
        raise StageError(f"there is no precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    told_of = graphs(sizes) | split(sizes)
    names = list(names)
    hashes: dict[str, str] = {}
    loaded: dict[str, Any] = {}

    def opened(name: str) -> Any:
        if name not in loaded:
            loaded.clear()  # one at a time: each holds hundreds of megabytes
            loaded[name] = network(name) if network else _loaded(models, name)
        return loaded[name]

    found: dict[str, Path] = {}
    for place, name in enumerate(names):
        progress(f"graph {name}", place / len(names))
        graph = told_of[name]
        weights = models / f"{graph.network}.safetensors"
        if graph.network not in hashes:
            hashes[graph.network] = sha256(weights) if weights.exists() else ""
        found[name] = _graph_file(models, name, graph, kind(name, graph, precision), hashes[graph.network], opened)
    progress("graphs", 1.0)
    return found


def _graph_file(models: Path, name: str, graph: Graph, kind: str, weights: str, network: Callable[[str], Any]) -> Path:
    path = models / "graphs" / f"{name}.{kind}.onnx"
    made_of = {"weights": weights, "form": FORM}
    had = told(path)
    if had is not None and (not weights or made_of.items() <= had.items()):
        return path
    if kind in NARROW:
        raise StageError(
            f"{path} is missing or of other weights; make it with actors.face.ditto.export.quantize, or build fp16"
        )
    wide = path.with_name(f"{name}.fp32.onnx")
    had = told(wide) if kind == "fp16" else None
    data = _exported(name, graph, kind, network, wide if had is not None and made_of.items() <= had.items() else None)
    log.info("%s: a graph of %.1f MB in %s", path, len(data) / 1e6, kind)
    return write_told(path, data, made_of)


def _exported(name: str, graph: Graph, kind: str, network: Callable[[str], Any], wide: Path | None) -> bytes:
    """A graph in float32 or half precision; the latter of the former's file where there is one."""
    try:
        import onnx

        from actors.face.ditto.export.half import halved

        if wide is not None:
            return halved(onnx.load(wide), graph).SerializeToString()
        from actors.face.ditto.export.modules import MODULES
        from actors.face.ditto.export.write import export
    except ImportError as error:
        raise StageError(
            f"the graph {name} is not there yet, and to make it {error.name} is needed:"
            " pip install 'realtime-avatar[ditto]', or bring the folder `graphs` of a machine that has it"
        ) from error
    model = export(MODULES[name](network(graph.network)), graph)
    return (halved(model, graph) if kind == "fp16" else model).SerializeToString()


def _loaded(models: Path, name: str) -> Any:
    try:
        from actors.face.ditto.nets.load import load
    except ImportError as error:
        raise StageError(f"to make graphs {error.name} is needed: pip install 'realtime-avatar[ditto]'") from error
    return load(name, models)


def shapes(graph: Graph, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes where the sizes that vary are these."""
    return {
        name: tuple(sizes[size] if isinstance(size, str) else size for size in shape)
        for name, shape in graph.inputs.items()
    }
