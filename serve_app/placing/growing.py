"""Whether stages grow before anybody is turned away: the load at which each wants a replica more, against the load at
which the gateways are full.

A stage whose load cannot come so far never grows, and says nothing: people are told to come later, for ever. This file
knows numbers only; the policy's own arithmetic is in serve_app/scaling.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from serve_app.scaling import grows_at

CALLS = {"gpu": 3}
"""Calls at once that a conversation makes of a deployment, where that is more than one: of each stage in it."""


@dataclass(frozen=True, slots=True)
class Growing:
    """One deployment of those that serve."""

    least: int
    """Replicas."""
    most: int
    sessions: int = 0
    """Conversations that one of them carries, by which people are let in; 0: it turns nobody away."""
    each: float = 0.0
    """Load that one of them carries, as its policy is told; 0: no policy of ours."""
    conversations: bool = False
    """Whether that load is conversations; else calls."""


def full_at(served: Mapping[str, Growing], name: str, replicas: int, own: int) -> float:
    """Conversations with which every place is taken while ``name`` has so many replicas, and others all of theirs.

    ``own``: the most at each gateway, ``gateway.sessions``; 0 is no limit.
    """
    counts = {other: replicas if other == name else one.most for other, one in served.items()}
    room = min((counts[other] * one.sessions for other, one in served.items() if one.sessions), default=math.inf)
    doors = served.get("gateway", Growing(1, 1))
    return min(_let_in(count, room, own) for count in (max(doors.least, 1), doors.most))


def _let_in(gateways: int, room: float, own: int) -> float:
    """Each takes its part, as serve_app/room.py has it."""
    part = max(room // gateways, 1) if room < math.inf else room
    return gateways * (min(part, own) if own else part)


def fault(served: Mapping[str, Growing], name: str, own: int) -> str | None:
    """What is wrong with how a deployment grows, as the end of a sentence that says what to do; None if nothing."""
    one = served[name]
    if not one.each or name == "gateway":
        return _of_the_gateway(one, own) if one.each else None
    if one.conversations and one.each != one.sessions:
        return (
            f"it grows by {one.each:g} conversations a replica, and by {one.sessions} people are let in; write"
            f" {one.sessions}, or change ray.{name}.sessions"
        )
    if one.conversations and not ("gateway" in served and served["gateway"].each):
        return "nobody tells it how many people there are; give the gateway an autoscaling_config with our policy"
    for replicas in range(max(one.least, 1), one.most):
        grows = grows_at(one.each, replicas)
        full = full_at(served, name, replicas, own) * (1 if one.conversations else CALLS.get(name, 1))
        if grows > full:
            unit = "conversations" if one.conversations else "calls"
            return (
                f"with {replicas} it grows at {grows} {unit}, and the gateways let in what makes {full:g}: people are"
                f" turned away first; set ray.{name}.sessions to what a replica carries, or max_replicas to {replicas}"
            )
    return None


def _of_the_gateway(one: Growing, own: int) -> str | None:
    if own and one.most > max(one.least, 1) and grows_at(one.each, 1) > own:
        return f"it grows at {grows_at(one.each, 1)} sockets and lets in {own} conversations; write each: {own}"
    return None
