"""One run of an evaluation: every text is spoken and heard again, every recording heard, some of it drawn, the
questions asked; then the figures.

A case that fails counts as not understood, so that failing is never better than erring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from serve_app.bench.latency import Eye
from serve_app.bench.questions import LEAD_IN, overheard
from serve_app.evaluating import likeness, lips, waits
from serve_app.evaluating.calls import Calls, Utterance
from serve_app.evaluating.cases import Case, GoldSet
from serve_app.evaluating.figures import Figure
from serve_app.evaluating.second import Second
from serve_app.evaluating.words import Heard, compared, measure_of, rate, wrong_with_both
from serve_app.progress import Progress
from serve_app.settings import Settings
from streaming.session import Stages

MOST_QUESTIONS = 20
"""Asked in one run; each takes as long as it is spoken and answered."""


@dataclass(frozen=True, slots=True)
class Understood:
    """One case, what was heard of it, and how well that fits."""

    case: Case
    heard: str
    by_first: Heard
    second: str | None = None
    """What the second recogniser heard; None: it was not asked."""
    by_second: Heard | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run gave."""

    figures: list[Figure]
    understood: list[Understood]
    failures: list[str]


@dataclass(slots=True)
class Bench:
    """What every run needs: loaded once."""

    gold: GoldSet
    stages: Stages
    settings: Settings
    second: Second
    recordings: Mapping[str, bytes]
    """Id of a case -> PCM16 mono at 16 kHz."""
    eye: Eye | str
    progress: Progress = field(default_factory=Progress)

    def speakable(self, case: Case) -> bool:
        """Does the voice speak its language, as far as it tells?"""
        languages = getattr(self.stages.voice, "languages", None)
        return case.audio is not None or not languages or case.language in languages


async def run(bench: Bench) -> Trial:
    """Do everything once."""
    calls = Calls(bench.stages, bench.settings)
    cases = [case for case in bench.gold.cases if bench.speakable(case)]
    said: dict[str, Utterance] = {}
    for number, case in enumerate(case for case in cases if not case.audio):
        bench.progress.show("speaking", number, len(cases), case.id)
        if utterance := await calls.speak(case, bench.gold.seed):
            said[case.id] = utterance
    sounds = {**bench.recordings}
    for case_id, utterance in said.items():
        sounds[case_id] = overheard(utterance.pcm24k, np.random.default_rng(bench.gold.seed))
    understood: list[Understood] = []
    for number, case in enumerate(cases):
        bench.progress.show("hearing", number, len(cases), case.id)
        understood.append(await _understood(bench, calls, case, sounds.get(case.id)))
    drawn = await _drawn(bench, calls, said)
    waiting, unanswered = await _asked(bench, cases, said, sounds)
    figures = [
        *_errors(bench, understood),
        likeness.measured(bench.stages.voice, bench.settings, list(said.values())),
        *(
            figure
            for stage in ("voice", "recognition")
            if stage in calls.spent
            for figure in calls.spent[stage].figures(stage)
        ),
        *drawn,
        *waiting,
    ]
    return Trial(figures, understood, [*calls.failures, *unanswered])


async def _understood(bench: Bench, calls: Calls, case: Case, pcm16k: bytes | None) -> Understood:
    heard = await calls.hear(case, pcm16k) if pcm16k else ""
    first = compared(case.text, heard, case.language)
    if not bench.second.hears(case.language):
        return Understood(case, heard, first)
    again = await calls.hear(case, pcm16k, bench.second.engine) if pcm16k else ""
    return Understood(case, heard, first, again, compared(case.text, again, case.language))


async def _drawn(bench: Bench, calls: Calls, said: Mapping[str, Utterance]) -> list[Figure]:
    """The lips, and what the face took; every run draws the same utterances."""
    if bench.stages.face is None:
        return lips.unmeasured("the profile shows no face")
    drawn: list[lips.Drawn] = []
    seconds = 0.0
    by_id = {case.id: case for case in bench.gold.cases}
    for case_id, utterance in said.items():
        bench.progress.show("drawing", min(seconds, lips.ENOUGH_S), lips.ENOUGH_S, case_id)
        drawn.append(lips.Drawn(utterance, await calls.draw(by_id[case_id], utterance, bench.gold.seed)))
        seconds += utterance.seconds
        if seconds >= lips.ENOUGH_S:
            break
    if not drawn:
        return lips.unmeasured("nothing was spoken")
    return [*calls.spent["face"].figures("face"), *lips.measured(drawn)]


async def _asked(
    bench: Bench, cases: list[Case], said: Mapping[str, Utterance], sounds: Mapping[str, bytes]
) -> tuple[list[Figure], list[str]]:
    asked = [case for case in cases if case.ask and case.id in sounds][:MOST_QUESTIONS]
    if isinstance(bench.eye, str):
        return waits.unmeasured(bench.eye), []
    questions = [
        (case.id, await waits.question_of(bench.stages, case.text, sounds[case.id], said.get(case.id), LEAD_IN))
        for case in asked
    ]
    return await waits.measured(
        questions,
        bench.stages,
        bench.settings,
        bench.eye,
        lambda number: bench.progress.show("asking", number, len(asked), asked[number].id),
    )


def _errors(bench: Bench, understood: list[Understood]) -> list[Figure]:
    """The share of words that were not understood: of texts and of recordings, language by language."""
    figures: list[Figure] = []
    for name, recorded in (("round trip", False), ("recordings", True)):
        for language in dict.fromkeys(case.language for case in bench.gold.cases if bool(case.audio) is recorded):
            rows = [row for row in understood if bool(row.case.audio) is recorded and row.case.language == language]
            figures += _of_language(bench, f"{name}, {measure_of(language)} {language}", rows, language)
    return figures


def _of_language(bench: Bench, name: str, rows: list[Understood], language: str) -> list[Figure]:
    both = f"{name}, wrong with both"
    if not rows:
        why = f"the voice {bench.settings.tts.engine} does not speak {language}"
        return [Figure(name, "errors", (), why)]
    first = [row.by_first for row in rows]
    note = f"{sum(one.errors for one in first)} of {sum(one.units for one in first)}, {len(rows)} cases"
    figures = [Figure(name, "errors", (rate(first),), note)]
    second = [row.by_second for row in rows if row.by_second]
    if not second:
        why = bench.second.why or f"{bench.second.name} does not hear {language}"
        return [*figures, Figure(f"{name}, second recogniser", "errors", (), why), Figure(both, "errors", (), why)]
    note = f"{bench.second.name}: {sum(one.errors for one in second)} of {sum(one.units for one in second)}"
    return [
        *figures,
        Figure(f"{name}, second recogniser", "errors", (rate(second),), note),
        Figure(
            both, "errors", (wrong_with_both(first, second),), "what both of them left out or took for something else"
        ),
    ]
