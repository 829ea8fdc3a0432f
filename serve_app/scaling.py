"""How many replicas are wanted, worked out from our own numbers: pure policies, and the shape in which Ray asks them.

Ray counts calls. A stage of which it is known how many conversations a replica carries (``ray.NAME.sessions``) grows
with the conversations and with those who were turned away, in the unit and at the number by which the gateways let
people in (room.py): so more is wanted before anybody has to be sent away, and whoever was is not forgotten. Others
grow with their calls. Waits and late pictures bring one more in either case. A policy is a function of the samples so
far, so every story of a load is a test. This file knows no Ray: the controller imports ``Policy`` by its name and asks
it ten times a second.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Protocol

from serve_app.demand import Board, shared

FULL, CALM = 0.8, 0.6
"""Share of what a replica carries past which one more is wanted, and below which one fewer must leave the rest."""

EVERY_S = 1.0
"""Samples are kept so far apart: Ray asks more often than anything changes."""
JUMP_S = 30.0
"""What is so much newer than the newest sample, or any older, is told by another clock: Ray's is the wall clock, which
is put right at times and goes on while a machine sleeps. Samples of before are dropped, and every patience begins anew.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen of one deployment at one moment."""

    at: float
    """Seconds of any clock that does not jump; where Ray's did, ``Policy`` keeps no sample of before."""
    replicas: int
    """That are there or on their way."""
    load: float = 0.0
    """Conversations and those turned away, calls, or sockets (the gateway), of all replicas."""
    calls: float | None = None
    """Calls under way, where ``load`` counts something else: a page that is left open keeps nothing awake."""
    wait_s: float = 0.0
    """Longest wait of a call for its first answer."""
    late_s: float = -math.inf
    """The worst call's time past its deadline, in seconds; below 0 it is slack."""
    queued: float = 0.0
    """Calls that wait at callers for a replica."""

    @property
    def stirs(self) -> bool:
        """Whether anybody calls."""
        return bool((self.load if self.calls is None else self.calls) or self.queued)


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes one deployment grow and shrink."""

    name: str
    each: float = 8.0
    """Load that one replica carries."""
    full: float = FULL
    """Share of ``each`` past which one more is wanted..."""
    calm: float = CALM
    """...and below which the remaining ones must stay before one is given up."""
    wait_s: float = math.inf
    """Longest wait before one more is wanted."""
    late_s: float = math.inf
    """The same for a deadline: -0.1 wants one more while 0.1 s of slack are left."""
    up_s: float = 3.0
    """How long more must be wanted: a burst of two seconds is over before a model is loaded."""
    down_s: float = 300.0
    """How long fewer must be enough."""
    zero_s: float = 900.0
    """How long nobody must have come before the last one goes."""


RULES: Mapping[str, Rule] = {
    "asr": Rule("asr", wait_s=0.3),
    "llm": Rule("llm", wait_s=2.0),
    "tts": Rule("tts", wait_s=0.4),
    "face": Rule("face", late_s=-0.1, down_s=600.0),
    "gpu": Rule("gpu", wait_s=0.4, late_s=-0.1, down_s=600.0),
    "gateway": Rule("gateway", each=30.0, down_s=600.0),
}
"""Deployment -> its rule. The limits are choices, not measurements, but for the gateway's: docs/performance.md."""


def wanted(samples: Sequence[Sample], rule: Rule, least: int, most: int) -> int:
    """How many replicas there should be, between ``least`` and ``most``; ``samples`` oldest first, at least one.

    More as soon as every sample of ``up_s`` asks for more, and then as many as the least of them; fewer once every
    sample of ``down_s`` can do with fewer; none after ``zero_s`` without a call; one at once for whoever waits.
    """
    now = samples[-1]
    if now.replicas == 0:
        return _bounded(int(now.stirs), least, most)
    more = min((_need(sample, rule, rule.full) for sample in _window(samples, rule.up_s)), default=0)
    if more > now.replicas or now.replicas <= least:
        return _bounded(max(more, now.replicas), least, most)
    return _bounded(_fewer(samples, rule), least, most)


def _fewer(samples: Sequence[Sample], rule: Rule) -> int:
    """How many are enough; as many as there are if the patience is not over."""
    now, needed = samples[-1].replicas, 0
    for sample in _window(samples, rule.down_s):
        needed = max(needed, _need(sample, rule, rule.calm))
        if needed >= now > 1:
            return now
    if samples[-1].at - samples[0].at < rule.down_s:
        return now
    return needed if needed > 1 else _last(samples, rule)


def _need(sample: Sample, rule: Rule, share: float) -> int:
    """Replicas that this sample alone asks for."""
    load = sample.load + sample.queued
    carried = math.ceil(load / (rule.each * share))
    if sample.wait_s > rule.wait_s or sample.late_s > rule.late_s:
        return max(carried, sample.replicas + 1)
    return carried


def _window(samples: Sequence[Sample], seconds: float) -> Iterator[Sample]:
    """The samples of the last ``seconds``, newest first; none while they do not reach back so far."""
    begin = samples[-1].at - seconds
    if samples[0].at <= begin:
        yield from takewhile(lambda sample: sample.at >= begin, reversed(samples))


def _last(samples: Sequence[Sample], rule: Rule) -> int:
    """Whether the last one stays: somebody called, or nobody can have been missed yet."""
    waited = samples[-1].at - samples[0].at >= rule.zero_s
    return int(not waited or any(sample.stirs for sample in _window(samples, rule.zero_s)))


def grows_at(each: float, replicas: int, full: float = FULL) -> int:
    """The smallest whole load at which more than ``replicas`` are wanted; ``each``: load that one carries."""
    return math.floor(each * full * replicas + 1e-9) + 1


def _bounded(count: int, least: int, most: int) -> int:
    return max(least, min(count, most))


# ---- as Ray asks -------------------------------------------------------------------------------------------


class Context(Protocol):
    """What we read of Ray's AutoscalingContext."""

    target_num_replicas: int
    total_num_requests: float
    aggregated_metrics: Mapping[str, Mapping[Any, float]] | None
    capacity_adjusted_min_replicas: int
    capacity_adjusted_max_replicas: int
    current_time: float | None


class Policy:
    """One deployment's policy, as a Serve config names it: ``policy_function: serve_app.scaling:Policy``."""

    def __init__(self, kind: str, each: float, conversations: bool = False, board: Board | None = None) -> None:
        """``kind``: a name out of RULES; ``each``: load that one replica carries, in conversations or else in calls."""
        self._rule = replace(RULES[kind], each=each)
        self._conversations = conversations
        self._board = shared() if board is None else board
        self._kept: deque[Sample] = deque()

    def __call__(self, context: Context) -> tuple[int, dict[str, Any]]:
        """The number of replicas, and no state of ours."""
        sample = self._sample(context)
        if sample is None:
            return context.target_num_replicas, {}
        if self._kept and not 0 <= sample.at - self._kept[-1].at <= JUMP_S:
            self._kept.clear()
        samples = [*self._kept, sample]
        if not self._kept or sample.at - self._kept[-1].at >= EVERY_S:
            self._kept.append(sample)
            oldest = sample.at - max(self._rule.down_s, self._rule.zero_s) - EVERY_S
            while self._kept[0].at < oldest:
                self._kept.popleft()
        least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
        return wanted(samples, self._rule, least, most), {}

    def _sample(self, context: Context) -> Sample | None:
        """None until a replica has reported: missing numbers are no reason to change anything."""
        told = context.aggregated_metrics or {}
        at, replicas = context.current_time or 0.0, context.target_num_replicas
        if PEOPLE in told:
            self._board.write(sum(sum(told.get(name, {}).values()) for name in (PEOPLE, TURNED_AWAY)), at)
        if not replicas:
            return Sample(at, 0, queued=context.total_num_requests)
        if not told.get("load"):
            return None
        calls = sum(told["load"].values())
        load = max(calls, self._board.read(at)) if self._conversations else calls
        worst = {name: max(told.get(name, {}).values(), default=unknown) for name, unknown in _UNKNOWN.items()}
        return Sample(at, replicas, load, calls, worst["wait_s"], worst["late_s"])


PEOPLE, TURNED_AWAY = "people", "turned_away"
"""What a gateway reports beside its sockets: the places that are taken, by which it lets people in (admission.py), and
how often it turned somebody away lately."""

_UNKNOWN = {"wait_s": 0.0, "late_s": -math.inf}
