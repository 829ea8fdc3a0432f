"""Published networks that exist as ONNX graphs are opened here, one way for all: a wrong file says that it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streaming.stages import StageError

CPU = "CPUExecutionProvider"


class GraphWrong(StageError):
    """A file that is not the network it should be; the message says in what."""


def session(path: Path, model: bytes | None = None, *, providers: Sequence[Any] = (CPU,), threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` of a file, or of ``model`` under its name.

    ``threads``: of the CPU for one graph, 0 for all. Raises GraphWrong for what is no graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path) if model is None else model, options, providers=list(providers))
    except Exception as error:  # ONNX Runtime raises a dozen kinds of its own
        raise GraphWrong(f"{path} is no graph that ONNX Runtime can open: {error}") from error
