"""Stands in for a GPU's recording of graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Recorder:
    """Records as a GPU would, but plays by calling again: on the inputs' own memory, into the output's own."""

    def __init__(self) -> None:
        self.made: list[tuple[int, ...]] = []

    def __call__(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Callable[[], None], Any]:
        self.made.append(tuple(inputs[0].shape))
        output = function(*inputs)
        return lambda: output.copy_(function(*inputs)), output.zero_()
