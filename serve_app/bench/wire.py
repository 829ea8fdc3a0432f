"""What a socket, the gateway and the store add to the engines' own time, as a person at the other end notices it.

Out of the same questions one person asks in three places in one run: a conversation in this process, which has
neither; a service that keeps nothing; and one that stores what it says before it says it. The engines are the same. The
built-in guide has its whole answer at once, so that a gateway has much to tell before the first sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serve_app.bench.latency import answer_to, look
from serve_app.bench.questions import SHORT, Question, ask_with
from serve_app.bench.service import running
from serve_app.bench.table import Bar, Result, spread
from serve_app.load import REST_S
from serve_app.loading.caller import Manner
from serve_app.loading.crowd import crowd
from serve_app.settings import Settings
from streaming.session import Stages

RUN_S = 100.0
KEPT = {"no store": "none", "stored": "text"}
"""Name -> what is kept."""
MOST_MS = 80.0
"""As for Ray Serve: nobody notices it."""


HEADER = ("ms after the last voiced sample", "p50", "p95", "max", "answers")
Waits = tuple[list[float], list[float]]
"""Milliseconds to the first sound, and to the first picture, of each answer."""


async def wire(stages: Stages, settings: Settings, *, quick: bool = False) -> Result:
    """The table. Raises RuntimeError if a question failed."""
    questions = (await ask_with(stages.voice, SHORT))[: 3 if quick else 10]
    eye = await look(stages)
    here = [await answer_to(question, stages, settings, eye) for question in questions]
    found: dict[str, Waits] = {
        "in process": ([timing.first_audio for timing in here], [timing.first_frame for timing in here])
    }
    for name, keep in KEPT.items():
        found[name] = await _over(questions, keep, 20.0 if quick else RUN_S)
    rows = [
        (f"{name}: {what}", *spread(waits), str(len(waits)))
        for name, both in found.items()
        for what, waits in zip(("first audio", "first frame"), both, strict=True)
    ]
    first = {name: float(np.median(frame)) for name, (_, frame) in found.items()}
    bars = [
        Bar(f"added to the first picture, p50, {name}", first[name] - first["in process"], MOST_MS, "ms")
        for name in KEPT
    ]
    return Result("wire", HEADER, tuple(rows), tuple(bars))


async def _over(questions: Sequence[Question], keep: str, seconds: float) -> Waits:
    async with running("--local", "--profile", "cpu", settings={"AVATAR_STORE__KEEP": keep}) as service:
        tally = await crowd(service.url, None, questions, Manner(1, seconds, rest_s=REST_S))
    if tally.failures or not tally.frame_s:
        raise RuntimeError(f"a service that keeps {keep} did not answer: {dict(tally.failures)}")
    return [wait * 1000 for wait in tally.audio_s], [wait * 1000 for wait in tally.frame_s]
