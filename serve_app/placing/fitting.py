"""Whether replicas fit on the GPUs that there are, in whatever order Ray starts them.

Ray starts replicas of different applications in any order and gives each to any GPU with room. A layout is good only
if none of these orders leaves a replica without a place, books a GPU too full, or puts two faces on one. This file
knows numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST = 0.9
"""Of a GPU that may be booked: the rest is for contexts of CUDA, which nobody counts."""

SEARCHED = 5_000
"""States after which a search is given up: a large cluster, whose GPUs are better kept to one kind of replica each."""

_ROUND = 6


@dataclass(frozen=True, slots=True)
class Wanted:
    """The replicas of one deployment."""

    each: float
    """Of one GPU; above 1 it is whole GPUs."""
    replicas: int
    alone: bool = False
    """At most one of them on a GPU."""


class TooMany(Exception):
    """There are more orders than can be tried."""


def fault(wanted: Mapping[str, Wanted], gpus: int) -> str | None:
    """What can go wrong on ``gpus`` GPUs, as the end of a sentence that says what to do; None if nothing.

    Raises TooMany if there are too many orders to say.
    """
    shares = {name: one for name, one in wanted.items() if one.each > 0 and one.replicas}
    for name, one in shares.items():
        if one.each > MOST and one.each != int(one.each):
            return f"{name} books {one.each:g} of a GPU and {MOST:g} is the most; book less"
    booked = sum(one.each * one.replicas for one in shares.values())
    if booked > MOST * gpus + 1e-9 and any(one.each < 1 for one in shares.values()):
        parts = " + ".join(f"{name} {one.replicas} x {one.each:g}" for name, one in shares.items())
        return f"{parts} = {booked:g} of {gpus} GPUs, and {MOST:g} of each is the most; lower num_gpus or the replicas"
    if booked > gpus + 1e-9:
        return f"{booked:g} GPUs are booked and there are {gpus}; lower the replicas"
    for name, one in shares.items():
        if one.alone and one.replicas > 1 and one.each <= 0.5:
            return (
                f"two replicas of {name} fit on one GPU ({one.each:g} each), where their schedulers do not see each"
                " other; book more than 0.5 each, or set max_replicas_per_node: 1 where a node has one GPU"
            )
    return _search({name: one for name, one in shares.items() if one.each < 1}, gpus - _whole(shares))


def _whole(shares: Mapping[str, Wanted]) -> int:
    return sum(int(one.each) * one.replicas for one in shares.values() if one.each >= 1)


def _search(shares: Mapping[str, Wanted], gpus: int) -> str | None:
    names = sorted(shares)
    todo = [(tuple(shares[name].replicas for name in names), (0.0,) * gpus)]
    seen = set(todo)
    while todo:
        counts, loads = todo.pop()
        for k, name in enumerate(names):
            if not counts[k]:
                continue
            each = shares[name].each
            rest = (*counts[:k], counts[k] - 1, *counts[k + 1 :])
            places = {load for load in loads if load + each <= 1 + 1e-9}
            if not places:
                return (
                    f"{name} ({each:g}) may find no GPU with room when the others start first;"
                    " let all smaller shares together leave room for it on one GPU, or use one process a GPU"
                )
            for load in places:
                if load + each > MOST + 1e-9:
                    return (
                        f"{name} may come to a GPU on which {load:g} are booked: {load + each:g}, {MOST:g} is the most"
                    )
                after = list(loads)
                after[after.index(load)] = round(load + each, _ROUND)
                state = (rest, tuple(sorted(after)))
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        if len(seen) > SEARCHED:
            raise TooMany
    return None
