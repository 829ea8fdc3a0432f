"""How many replicas are wanted, worked out from our own numbers: pure policies, and the shape in which Ray asks them.

Ray counts calls. What people notice are speaking sessions, pictures that come late, waits before a stage begins, and
sockets. A policy is a function of the samples so far, so every story of a load is a test. This file knows no Ray: the
controller imports ``Policy`` by its name and asks it ten times a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

EVERY_S = 1.0
"""Samples are kept so far apart: Ray asks more often than anything changes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen of one deployment at one moment."""

    at: float
    """Seconds of any clock that does not jump."""
    replicas: int
    """That are there or on their way."""
    load: float = 0.0
    """Speaking sessions (the face), calls (recognition, voice, language) or sockets (the gateway), of all replicas."""
    wait_s: float = 0.0
    """Longest wait of a call for its first answer."""
    late_s: float = -math.inf
    """The worst call's time past its deadline, in seconds; below 0 it is slack."""
    queued: float = 0.0
    """Calls that wait at callers for a replica."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes one deployment grow and shrink."""

    name: str
    each: float = 8.0
    """Load that one replica carries."""
    full: float = 0.8
    """Share of ``each`` past which one more is wanted..."""
    calm: float = 0.6
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
        return _bounded(1 if now.queued or now.load else 0, least, most)
    more = [_need(sample, rule, rule.full) for sample in _window(samples, rule.up_s)]
    if more and min(more) > now.replicas:
        return _bounded(min(more), least, most)
    fewer = [_need(sample, rule, rule.calm) for sample in _window(samples, rule.down_s)]
    if fewer and max(fewer) < now.replicas:
        return _bounded(max(fewer) or _last(samples, rule), least, most)
    return _bounded(now.replicas, least, most)


def _need(sample: Sample, rule: Rule, share: float) -> int:
    """Replicas that this sample alone asks for."""
    load = sample.load + sample.queued
    carried = math.ceil(load / (rule.each * share))
    if sample.wait_s > rule.wait_s or sample.late_s > rule.late_s:
        return max(carried, sample.replicas + 1)
    return carried


def _window(samples: Sequence[Sample], seconds: float) -> list[Sample]:
    """The samples of the last ``seconds``; none while they do not reach back so far."""
    begin = samples[-1].at - seconds
    if samples[0].at > begin:
        return []
    return [sample for sample in samples if sample.at >= begin]


def _last(samples: Sequence[Sample], rule: Rule) -> int:
    quiet = _window(samples, rule.zero_s)
    return 0 if quiet and not any(sample.load or sample.queued for sample in quiet) else 1


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

    def __init__(self, kind: str, each: float) -> None:
        """``kind``: a name out of RULES; ``each``: load that one replica carries."""
        self._rule = replace(RULES[kind], each=each)
        self._kept: list[Sample] = []

    def __call__(self, context: Context) -> tuple[int, dict[str, Any]]:
        """The number of replicas, and no state of ours."""
        sample = self._sample(context)
        if sample is None:
            return context.target_num_replicas, {}
        samples = [*self._kept, sample]
        if not self._kept or sample.at - self._kept[-1].at >= EVERY_S:
            oldest = sample.at - max(self._rule.down_s, self._rule.zero_s) - EVERY_S
            self._kept = [kept for kept in samples if kept.at >= oldest]
        least, most = context.capacity_adjusted_min_replicas, context.capacity_adjusted_max_replicas
        return wanted(samples, self._rule, least, most), {}

    def _sample(self, context: Context) -> Sample | None:
        """None until a replica has reported: missing numbers are no reason to change anything."""
        told = context.aggregated_metrics or {}
        at, replicas = context.current_time or 0.0, context.target_num_replicas
        if not replicas:
            return Sample(at, 0, queued=context.total_num_requests)
        if not told.get("load"):
            return None
        worst = {name: max(told.get(name, {}).values(), default=unknown) for name, unknown in _UNKNOWN.items()}
        return Sample(at, replicas, sum(told["load"].values()), worst["wait_s"], worst["late_s"])


_UNKNOWN = {"wait_s": 0.0, "late_s": -math.inf}
