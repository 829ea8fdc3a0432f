"""What a socket, the gateway and the store add to the engines' own time, as a person at the other end notices it.

The same questions are asked three times in one run: of a conversation in this process, which has neither; of a service
that keeps nothing; and of one that stores what it says before it says it. In all of them one person speaks, with the
same engines, and the built-in guide, which has its whole answer at once: nobody makes a gateway tell more in less time.
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


async def wire(stages: Stages, settings: Settings, *, quick: bool = False) -> Result:
    """The table."""
    questions = (await ask_with(stages.voice, SHORT))[: 3 if quick else 10]
    eye = await look(stages)
    here = [await answer_to(question, stages, settings, eye) for question in questions]
    rows = [("in process: first audio", *spread([timing.first_audio for timing in here]), str(len(here)))]
    rows.append(("in process: first frame", *spread([timing.first_frame for timing in here]), str(len(here))))
    before = float(np.median([timing.first_frame for timing in here]))
    bars: list[Bar] = []
    for name, keep in KEPT.items():
        audio, frame = await _over(questions, keep, 20.0 if quick else RUN_S)
        rows.append((f"{name}: first audio", *spread(audio), str(len(audio))))
        rows.append((f"{name}: first frame", *spread(frame), str(len(frame))))
        bars.append(Bar(f"added to the first picture, p50, {name}", float(np.median(frame)) - before, MOST_MS, "ms"))
    return Result("wire", HEADER, tuple(rows), tuple(bars))


HEADER = ("ms after the last voiced sample", "p50", "p95", "max", "answers")


async def _over(questions: Sequence[Question], keep: str, seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds to the first sound and to the first picture. Raises RuntimeError if a question failed."""
    async with running("--local", "--profile", "cpu", settings={"AVATAR_STORE__KEEP": keep}) as service:
        tally = await crowd(service.url, None, questions, Manner(1, seconds, rest_s=REST_S))
    if tally.failures or not tally.frame_s:
        raise RuntimeError(f"a service that keeps {keep} did not answer: {dict(tally.failures)}")
    return [wait * 1000 for wait in tally.audio_s], [wait * 1000 for wait in tally.frame_s]
