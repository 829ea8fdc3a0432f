"""What a runtime lacks of Ditto's built files, told by names and notes alone: without torch, TensorRT or a GPU."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from actors.face.ditto.export.build import SPLIT, WHOLE, kind, wanted
from actors.face.ditto.export.files import told
from actors.face.ditto.export.graphs import graphs, split
from actors.face.ditto.runtime.engines import LIBRARIES, reads_volumes

HUBERT = "hubert"
"""A graph as it was published, which every runtime reads."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Names of what is not there or not finished; a start makes graphs and engines, weights it does not."""

    weights: tuple[str, ...] = ()
    """Files of the conversion."""
    graphs: tuple[str, ...] = ()
    """To be made with torch and onnx, on any machine."""
    engines: tuple[str, ...] = ()
    """To be built with the runtime's library."""


def lacking(models: Path, runtime: str, version: str = "", gpus: Collection[str] = ()) -> Lack:
    """What ``runtime`` lacks in the folder of a conversion.

    ``version``: of the runtime's library, "" for any; ``gpus``: names of this machine's, empty for any. Whether a graph
    is of these weights, or an engine of this graph, only a start looks. Raises StageError for a precision that there
    is not.
    """
    told_of = graphs() | split()
    whole = version == "" or runtime not in LIBRARIES or reads_volumes(runtime, version)
    names = () if runtime == "torch" else WHOLE if whole else SPLIT
    precision = wanted(models, "fp16" if runtime in LIBRARIES else "fp32")
    files = [f"{told_of[name].network}.safetensors" for name in (WHOLE if runtime == "torch" else ())]
    return Lack(
        tuple(name for name in dict.fromkeys([*files, f"{HUBERT}.onnx"]) if not (models / name).exists()),
        tuple(
            name
            for name in names
            if told(models / "graphs" / f"{name}.{kind(name, told_of[name], precision)}.onnx") is None
        ),
        tuple(
            name
            for name in ((*names, HUBERT) if runtime in LIBRARIES else ())
            if not _built(models / "engines", name, f"{runtime} {version}", precision, gpus)
        ),
    )


def _built(folder: Path, name: str, library: str, precision: str, gpus: Collection[str]) -> bool:
    """Whether one of a graph's engines says that it was made for this library, precision and one of these GPUs."""
    for path in folder.glob(f"{name}-*.engine"):
        made_of = told(path) or {}
        fits = str(made_of.get("library", "")).startswith(library) and made_of.get("precision") == precision
        if fits and (not gpus or made_of.get("gpu") in ("", *gpus)):
            return True
    return False
