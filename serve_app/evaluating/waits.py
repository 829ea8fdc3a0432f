"""How long a person waits for the answer: the questions of a set, asked at the pace of speech, one after the other.

Asked and timed as the benchmark does (bench/latency.py): live turns, a page that plays, and a lip that is seen to
move. A question that is not answered counts as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isawaitable

import numpy as np

from serve_app.bench.latency import Eye, Timing, answer_to, look
from serve_app.bench.questions import Question
from serve_app.evaluating.calls import Utterance
from serve_app.evaluating.figures import Figure
from serve_app.inspecting.mouth import NoMouth
from serve_app.settings import Settings
from streaming.media import MIC_RATE, RATE, SAMPLE_BYTES
from streaming.session import Stages
from streaming.stages import HearState, StageError, StageLost

MOMENTS = {
    "transcript": "transcript",
    "first_text": "first text",
    "first_audio": "first sound",
    "lip": "first moving lip",
}
_BLOCK = MIC_RATE // 50 * SAMPLE_BYTES
_QUIET = bytes(3 * MIC_RATE)  # 1.5 s, in which every listener finds the end


async def eye_of(stages: Stages) -> Eye | str:
    """Where the face's mouth is, or why no answer's lips can be timed."""
    if stages.face is None:
        return "the profile shows no face"
    try:
        return await look(stages)
    except NoMouth:
        return "no mouth was found: nothing moves as a mouth does"
    except (StageError, StageLost) as error:
        return str(error)


async def voiced_until(stages: Stages, pcm16k: bytes) -> int | None:
    """Sample after the last voiced one, as the listener hears it; None if it hears nobody."""
    state, last = HearState(), None
    for at in range(0, len(sound := pcm16k + _QUIET), _BLOCK):
        heard = stages.listener.hear(sound[at : at + _BLOCK].ljust(_BLOCK, b"\0"), state)
        news, state = await heard if isawaitable(heard) else heard
        last = next((voicing.at for voicing in reversed(news) if not voicing.speaking), last)
    return last


async def question_of(stages: Stages, text: str, pcm16k: bytes, said: Utterance | None, lead: int) -> Question | None:
    """The question as a microphone gives it; None if nobody is heard in it. ``lead``: samples before ``said``."""
    sounded = [phone.start + phone.samples for phone in said.phones if phone.symbol] if said else []
    until = lead + max(sounded) * MIC_RATE // RATE if sounded else await voiced_until(stages, pcm16k)
    return None if until is None else Question(text, pcm16k, until)


async def measured(
    questions: Sequence[tuple[str, Question | None]],
    stages: Stages,
    settings: Settings,
    eye: Eye | str,
    tell: Callable[[int], None] = lambda number: None,
) -> tuple[list[Figure], list[str]]:
    """The figures, and what failed: ``questions`` with the ids of their cases. Without an eye nothing is asked."""
    if not questions or isinstance(eye, str):
        return unmeasured(eye if isinstance(eye, str) else "no case of the set is a question (ask = true)"), []
    timings: list[Timing] = []
    failures: list[str] = []
    for number, (name, question) in enumerate(questions):
        tell(number)
        if question is None:
            failures.append(f"{name}: no voice is heard in the question")
            continue
        try:
            timings.append(await answer_to(question, stages, settings, eye))
        except TimeoutError:
            failures.append(f"{name}: no answer came")
        except (StageError, StageLost, RuntimeError) as error:
            failures.append(f"{name}: {error}")
    share = 100 * len(timings) / len(questions)
    answered = Figure("questions answered", "answered", (share,), f"{len(timings)} of {len(questions)}")
    return [answered, *(_figures(timings) if timings else unmeasured("no question was answered")[1:])], failures


def unmeasured(why: str) -> list[Figure]:
    """The same figures, without values."""
    names = [f"wait for the {name}, {rank}" for name in MOMENTS.values() for rank in ("p50", "p95")]
    return [Figure("questions answered", "answered", (), why), *(Figure(name, "wait", (), why) for name in names)]


def _figures(timings: Sequence[Timing]) -> list[Figure]:
    figures: list[Figure] = []
    note = f"after the last voiced sample of {len(timings)} questions"
    for moment, name in MOMENTS.items():
        waits = [getattr(timing, moment) for timing in timings]
        for rank in (50, 95):
            figures.append(Figure(f"wait for the {name}, p{rank}", "wait", (float(np.percentile(waits, rank)),), note))
    return figures
