"""Does `avatar plan` predict what `avatar bench` measures? In one run, on one machine.

The service has stand-ins for its engines (stand_ins.toml), whose costs are known exactly; what is not known is what
lies beside them: sockets, the loop, the pace of a microphone. That is one number, the difference of the medians at one
load. With it the simulation must tell two loads that it has not seen, and how many are let in when not everybody is.
Then the embedded engines, with the costs of docs/performance.md and nothing calibrated: a row without a promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from actors.tts.hibari import Hibari
from serve_app.bench.questions import SHORT, Question, ask_with
from serve_app.bench.service import running
from serve_app.bench.table import Bar, Result
from serve_app.gateway.admission import Limits
from serve_app.load import REST_S
from serve_app.loading.caller import Manner
from serve_app.loading.crowd import crowd
from serve_app.settings import load
from serve_app.simulation.costs import House, house
from serve_app.simulation.talking import Habits, percentile, simulate
from streaming.media import MIC_RATE

STAND_INS = Path(__file__).with_name("stand_ins.toml")
KNOWN, UNSEEN = 4, (2, 7)
"""Sessions at the load that is calibrated with, and at the two others."""
RUNS, RUN_S = 5, 40.0
CHANCES = 25
"""Simulations of each load: more than runs, because they cost little."""
DOOR = Manner(20, 30.0, apart_s=1.0, rest_s=REST_S)
SPEAKING = 2
"""Avatars that may speak at once where not everybody is let in."""
REAL = (1, 2)
WORDS_S = (4.2, 12.0)
"""Length of what a stand-in says (actors/stand_in.py); the embedded ones say about as much."""
CLIP_S = 2.4
"""Speech of one of its sentences, each of which is a clip."""
P50, P95 = 0.15, 0.30
"""How far a prediction may be off."""


@dataclass(frozen=True, slots=True)
class Met:
    """What came of one kind of run: the medians over all of them."""

    p50: float
    """Seconds from the last word to the first picture."""
    p95: float
    admitted: float


async def simulator(*, quick: bool = False) -> Result:
    """The table."""
    runs, seconds = (1, 12.0) if quick else (RUNS, RUN_S)
    questions = await ask_with(Hibari(), SHORT[:8])
    there = house(load(STAND_INS), 2, {})
    rows: list[tuple[str, ...]] = []
    bars: list[Bar] = []
    beside = 0.0
    for sessions in (KNOWN, *UNSEEN):
        manner = Manner(sessions, seconds, rest_s=REST_S)
        told = predicted(there, manner, questions)
        met = await measured(manner, questions, runs, "--profile", str(STAND_INS))
        if sessions == KNOWN:
            beside = met.p50 - told.p50
        told = Met(told.p50 + beside, told.p95 + beside, told.admitted)
        rows.append(row_of("stand-ins" if sessions != KNOWN else "stand-ins, calibrated", sessions, met, told))
        if sessions != KNOWN:
            bars += bars_of(f"{sessions} sessions", met, told)
    limited = {"AVATAR_GATEWAY__SPEAKING": str(SPEAKING)}
    met = await measured(DOOR, questions, runs, "--profile", str(STAND_INS), settings=limited)
    told = predicted(there, DOOR, questions, Limits(speaking=SPEAKING))
    rows.append(row_of(f"stand-ins, {SPEAKING} may speak", DOOR.sessions, met, told))
    bars.append(Bar("sessions let in", off(told.admitted, met.admitted), P95, "off"))
    for sessions in REAL[: 1 if quick else None]:
        manner = Manner(sessions, seconds, rest_s=REST_S)
        met = await measured(manner, questions, 1, "--profile", "cpu")
        told = predicted(house(load("cpu"), 2, {}), manner, questions)
        rows.append(row_of("embedded engines", sessions, met, told))
    notes = (
        f"medians of {runs} runs of {seconds:g} s, the embedded engines' of one; last voiced sample to first picture, "
        "measured at the client / predicted",
        f"what lies beside the stages, from the load that is calibrated with: {beside * 1000:.0f} ms",
        f"off: how far the prediction is from what was measured, as a share; the door was knocked at every "
        f"{DOOR.apart_s:g} s",
    )
    return Result("simulator", HEADER, tuple(rows), tuple(bars), notes)


HEADER = ("service", "sessions", "p50 ms", "off", "p95 ms", "off", "let in")


def predicted(there: House, manner: Manner, questions: Sequence[Question], limits: Limits | None = None) -> Met:
    """What the simulation says: the medians over many chances."""
    lengths = [question.voiced_until / MIC_RATE for question in questions]
    habits = Habits(
        asked=tuple(lengths),
        answers=WORDS_S,
        clips=(CLIP_S, CLIP_S),
        rests=manner.rest_s,
        apart_s=manner.apart_s,
        seconds=manner.seconds,
        warm_s=0.0,
    )
    seen = [simulate(there, manner.sessions, seed, habits, limits) for seed in range(CHANCES)]
    return Met(
        median(percentile(one.lips, 0.5) for one in seen),
        median(percentile(one.lips, 0.95) for one in seen),
        median(one.admitted for one in seen),
    )


async def measured(
    manner: Manner, questions: Sequence[Question], runs: int, *profile: str, settings: dict[str, str] | None = None
) -> Met:
    """What clients in processes of their own saw of a service in another."""
    found: list[Met] = []
    async with running("--local", *profile, settings=settings) as service:
        for _ in range(runs):
            tally = await crowd(service.url, None, questions, manner)
            waits = tally.frame_s or [float("nan")]
            found.append(Met(percentile(waits, 0.5), percentile(waits, 0.95), tally.admitted))
    return Met(*(median(getattr(one, name) for one in found) for name in ("p50", "p95", "admitted")))


def off(told: float, met: float) -> float:
    """How far a prediction is from what was measured, as a share of it."""
    return abs(told - met) / met if met else float("inf")


def bars_of(name: str, met: Met, told: Met) -> list[Bar]:
    """Whether the prediction is near enough."""
    return [
        Bar(f"{name}, p50", off(told.p50, met.p50), P50, "off"),
        Bar(f"{name}, p95", off(told.p95, met.p95), P95, "off"),
    ]


def row_of(name: str, sessions: int, met: Met, told: Met) -> tuple[str, ...]:
    """One row of the table."""
    return (
        name,
        str(sessions),
        f"{met.p50 * 1000:.0f} / {told.p50 * 1000:.0f}",
        f"{off(told.p50, met.p50):.0%}",
        f"{met.p95 * 1000:.0f} / {told.p95 * 1000:.0f}",
        f"{off(told.p95, met.p95):.0%}",
        f"{met.admitted:g} / {told.admitted:g}",
    )
