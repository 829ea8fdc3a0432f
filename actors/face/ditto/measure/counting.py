"""Counting what a function of tensors does: multiplications, bytes, calls of the framework, launches on a GPU."""

# pyright: reportMissingImports=false
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

Work = Callable[[], Any]
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cudaMemcpyAsync", "cudaMemsetAsync")
"""How the host's calls begin that start something on a GPU."""


def macs(work: Work) -> float:
    """Multiplications with additions of products, convolutions and attention."""
    packed = {
        torch.ops.mkldnn._linear_pointwise: lambda x, weight, *more, out_shape=None, **named: _product(x, weight),
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    }
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=packed) as counter:
        work()
    return counter.get_total_flops() / 2


def _product(x: Any, weight: Any) -> int:
    rows = 1
    for size in x[:-1]:
        rows *= size
    return 2 * rows * weight[0] * weight[1]


def _attention(queries: Any, keys: Any, values: Any, *more: Any, out_shape: Any = None, **named: Any) -> int:
    many, heads, rows, width = queries
    return 2 * many * heads * rows * keys[2] * (width + values[3])


class _Traffic(TorchDispatchMode):
    """Counts operators and sums the bytes of their tensors; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.calls += 1
        viewed = any(each.alias_info and not each.alias_info.is_write for each in func._schema.returns)
        if not viewed:
            self.moved += sum(each.nbytes for each in _tensors((args, kwargs, out)))
        return out


def _tensors(found: Any) -> list[Any]:
    if isinstance(found, torch.Tensor):
        return [found]
    if isinstance(found, dict):
        return _tensors(list(found.values()))
    return [each for part in found for each in _tensors(part)] if isinstance(found, (list, tuple)) else []


def moved(work: Work) -> int:
    """Bytes that operators read and write, as if nothing stayed in a cache: weights, maps, copies."""
    return _watched(work).moved


def calls(work: Work) -> int:
    """Operators that the framework runs, views among them."""
    return _watched(work).calls


def _watched(work: Work) -> _Traffic:
    with torch.no_grad(), _Traffic() as traffic:
        work()
    return traffic


def launches(work: Work) -> int:
    """What the host starts on a GPU: kernels, copies, recorded graphs."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as told:
        work()
        torch.cuda.synchronize()
    return sum(row.count for row in told.key_averages() if row.key.startswith(LAUNCHES))


def seconds(works: dict[str, Work], rounds: int, *, gpu: bool = False) -> dict[str, list[float]]:
    """Each in turn, again and again, after one for nothing: CPU time of this process, with ``gpu`` the wall's."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    clock = time.perf_counter if gpu else time.process_time
    for turn in range(rounds + 1):
        for name, work in works.items():
            begun = clock()
            work()
            if gpu:
                torch.cuda.synchronize()
            if turn:
                spent[name].append(clock() - begun)
    return spent
