"""The audio encoder, which exists only as an ONNX graph: 6480 samples at 16 kHz to 20 rows of 1024 numbers.

Of the published graph only this signature is known here; it is checked when the graph is opened.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from actors.face.ditto.nets.graph import CPU, GraphWrong, session
from actors.face.ditto.spec import AUDIO, CHUNK, ENCODED, Array

log = logging.getLogger(__name__)


class Hubert:
    """One open graph; calls may come from one thread at a time."""

    def __init__(self, path: Path, *, width: int = AUDIO, threads: int = 1, gpu: bool = False) -> None:
        """``gpu``: use one if ONNX Runtime was built for it.

        Raises GraphWrong if the file is no graph, or one with other inputs and outputs.
        """
        import onnxruntime

        able = onnxruntime.get_available_providers()
        providers = [each for each in ("CUDAExecutionProvider",) if gpu and each in able] + [CPU]
        log.info("ditto's audio encoder runs on %s: a GPU is %s", providers[0], "wanted" if gpu else "not wanted")
        self._session = session(path, providers=providers, threads=threads)
        names = [part.name for part in self._session.get_inputs()], [part.name for part in self._session.get_outputs()]
        if names != (["input_values"], ["encoding_out"]):
            raise GraphWrong(f"{path} takes {names[0]} and gives {names[1]}, not input_values and encoding_out")
        self._path, self._width = path, width
        self(np.zeros((1, CHUNK), np.float32))

    def __call__(self, chunks: Array) -> Array:
        """(n, 20, 1024) of (n, 6480) samples in [-1, 1]. Raises GraphWrong if the graph gives something else.

        One after the other, for the published graph's signature is of one.
        """
        return np.stack([self._heard(chunk) for chunk in np.asarray(chunks, np.float32)])

    def _heard(self, chunk: Array) -> Array:
        [rows] = self._session.run(None, {"input_values": chunk[None]})
        out = np.asarray(rows, np.float32)
        if out.shape != (ENCODED, self._width):
            raise GraphWrong(f"{self._path} gives {out.shape} for {CHUNK} samples, not {(ENCODED, self._width)}")
        return out
