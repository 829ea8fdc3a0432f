"""Small published networks that exist as ONNX only, opened on the CPU: they look at a portrait once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from actors.face.ditto.nets.graph import GraphWrong, session
from actors.face.ditto.spec import Array


class Graph:
    """One open graph of one input; calls may come from one thread at a time."""

    def __init__(self, path: Path, given: str, wanted: tuple[str, ...], *, instead: int | None = None) -> None:
        """``wanted``: outputs by name; ``instead``: number of the output to take where a graph does not know the name.

        Raises GraphWrong if the file is no graph, or one with another input or other outputs.
        """
        self._session = session(path)
        takes = [part.name for part in self._session.get_inputs()]
        gives = [part.name for part in self._session.get_outputs()]
        if instead is not None and not set(wanted) <= set(gives) and len(gives) > instead:
            wanted = (gives[instead],)
        if takes != [given] or not set(wanted) <= set(gives):
            raise GraphWrong(f"{path} takes {takes} and gives {gives}, not {given} and {', '.join(wanted)}")
        self.path = path
        self._given, self._wanted = given, list(wanted)

    def __call__(self, numbers: Array) -> list[Array]:
        """The wanted outputs in order. Raises GraphWrong where the input does not fit the graph."""
        try:
            out = self._session.run(self._wanted, {self._given: np.ascontiguousarray(numbers, np.float32)})
        except Exception as error:
            raise GraphWrong(f"{self.path} cannot take an input of shape {numbers.shape}: {error}") from error
        return [np.asarray(part, np.float32) for part in out]
