"""Functions of tensors recorded once for each shape and played again: one launch instead of thousands.

Recorded operators read and write the places where they did it first. So inputs are copied to where the recording reads
them, and what it gave must be used or copied before it is played again. Functions may make no tensor from the host's
memory and wait for nothing.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportFunctionMemberAccess=false
from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch

log = logging.getLogger(__name__)

Play = Callable[[], None]
Record = Callable[[Callable[..., Any], tuple[Any, ...]], tuple[Play, Any]]
"""(function, inputs) to what plays it again on the same inputs, and the output that playing fills."""

KEPT = 24
"""Recordings: pictures for 1 to 8 at once, windows for some counts and choices of steps."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    inputs: tuple[Any, ...]
    play: Play
    output: Any
    function: Callable[..., Any]
    """Kept for what it holds: the recording reads that memory."""


class Graphs:
    """Recordings by name and shapes, the least used forgotten."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._kept: OrderedDict[Hashable, _Recorded] = OrderedDict()

    def __call__(self, name: Hashable, function: Callable[..., Any], *inputs: Any) -> Any:
        """``function(*inputs)``. ``name`` and the inputs' shapes say which recording it is."""
        key = (name, *((tuple(each.shape), each.dtype) for each in inputs))
        if key not in self._kept:
            log.info("ditto records %s for %s", name, ", ".join(str(tuple(each.shape)) for each in inputs))
            copies = tuple(each.clone() for each in inputs)
            play, output = self._record(function, copies)
            self._kept[key] = _Recorded(copies, play, output, function)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        recorded = self._kept[key]
        for place, each in zip(recorded.inputs, inputs, strict=True):
            place.copy_(each)
        recorded.play()
        return recorded.output


def cuda() -> Record:
    """Records as CUDA graphs, which share one pool of memory."""
    pool = torch.cuda.graph_pool_handle()

    def record(function: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Play, Any]:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # libraries choose their kernels and allocate on the first calls
                function(*inputs)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            output = function(*inputs)
        return graph.replay, output

    return record
