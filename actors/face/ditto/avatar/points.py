"""The 203 points of a face that published settings cut by, found by their own network in a square about the mesh.

Published code begins with a detector and a network of 106 points whose licences allow no commercial use; MediaPipe's
mesh stands in for both.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from actors.face.ditto.avatar import crop, mesh
from actors.face.ditto.avatar.graphs import Graph
from actors.face.ditto.nets.graph import GraphWrong
from actors.face.ditto.spec import Array

FILE = "landmark203.onnx"
COUNT = 203


class Landmarks:
    """The network, open."""

    def __init__(self, path: Path) -> None:
        """Raises GraphWrong if the file is another network."""
        self._graph = Graph(path, "input", ("landmarks",), instead=2)
        side = crop.LANDMARKS.side
        self._points(np.zeros((side, side, 3), np.uint8))

    def __call__(self, portrait: Array, found: Array) -> Array:
        """(203, 2) in pixels of a portrait, RGB bytes (height, width, 3), that has the mesh ``found`` (478, 3)."""
        to_square = crop.to_square(mesh.outline(found), mesh.anchors(found), crop.LANDMARKS).astype(np.float64)
        side = crop.LANDMARKS.side
        cut = cv2.warpAffine(portrait, to_square[:2], (side, side), flags=cv2.INTER_LINEAR)
        return crop.moved(self._points(cut) * side, np.linalg.inv(to_square))

    def _points(self, cut: Array) -> Array:
        [numbers] = self._graph(np.asarray(cut, np.float32).transpose(2, 0, 1)[None] / 255)
        if numbers.size != 2 * COUNT:
            raise GraphWrong(f"{self._graph.path} gives {numbers.shape}, not {COUNT} points")
        return numbers.reshape(COUNT, 2)


def opened(models: Path) -> Landmarks | None:
    """The network of a folder of models; None where it holds none. Raises GraphWrong."""
    path = models / FILE
    return Landmarks(path) if path.is_file() else None
