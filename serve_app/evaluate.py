"""`avatar eval`: how well a profile understands, speaks and moves its lips, how fast, and whether that became worse.

The profile's engines are loaded into this process and work through a gold set several times; nothing goes over a
network but what an engine itself asks for. What a set is, what is measured and what counts as a regression is told
in ``evaluating``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from serve_app import app, settings
from serve_app.bench.table import machine
from serve_app.errors import UserError
from serve_app.evaluating import baseline, cases, second, table, trial, waits, words
from serve_app.evaluating.cases import GoldSet
from serve_app.evaluating.figures import Figure, merged
from serve_app.files import check_writable, write_json
from serve_app.progress import Progress
from serve_app.settings import Settings
from streaming.session import Stages

OK, REGRESSED = 0, 1
MOST_RUNS = 20
QUICK_CASES = 6


def main(chosen: argparse.Namespace) -> int:
    """Measure, print, write; 0, or 1 if a figure became worse than the baseline or a case failed.

    Raises UserError before anything is loaded for whatever is wrong with the set, the files or the settings.
    """
    words.check()
    if not 1 <= chosen.runs <= MOST_RUNS:
        raise UserError(f"--runs may be 1 to {MOST_RUNS}, not {chosen.runs}")
    wished = settings.load(chosen.profile)
    gold = cases.read(chosen.set or cases.BUILT_IN)
    gold, runs = (gold.quick(QUICK_CASES), 1) if chosen.quick else (gold, chosen.runs)
    before = baseline.fitting(baseline.read(chosen.baseline), gold.digest) if chosen.baseline else None
    written = [path for path in (chosen.json, chosen.write_baseline) if path]
    for path in written:
        check_writable(path)
    if len({path.resolve() for path in written}) < len(written):
        raise UserError("--json and --write-baseline name one file; give each its own")
    sounds = cases.recordings(gold)
    with Progress() as progress:
        trials, other = asyncio.run(_trials(gold, wished, sounds, runs, chosen.second, progress))
    figures = merged([one.figures for one in trials])
    failures = list(dict.fromkeys(failure for one in trials for failure in one.failures))
    about = _about(gold, wished, other, runs)
    changed = baseline.changes(figures, before, about["machine"]) if before else []
    print(_told(about, figures, changed, trials[-1].understood))
    content = baseline.content(figures, about)
    if chosen.json:
        write_json(
            chosen.json, {**content, "cases": _rows(trials[-1]), "failures": failures, "changes": _changes(changed)}
        )
    if chosen.write_baseline:
        write_json(chosen.write_baseline, content)
    lines = [f"REGRESSION {change.told}" for change in changed if change.worse]
    lines += [f"FAILED {failure}" for failure in failures]
    print("".join(f"\n{line}" for line in lines), end="\n" if lines else "")
    return REGRESSED if lines else OK


async def _trials(
    gold: GoldSet, wished: Settings, sounds: Mapping[str, bytes], runs: int, other: str | None, progress: Progress
) -> tuple[list[trial.Trial], str]:
    """All runs, one after the other, and the name of the second recogniser."""
    progress.show("loading", note="the models")
    stages: Stages = app.build_stages(wished)
    checked = second.second(wished, [case.language for case in gold.cases], other)
    asking = any(case.ask for case in gold.cases)
    eye = await waits.eye_of(stages) if asking else "no case of the set is a question (ask = true)"
    bench = trial.Bench(gold, stages, wished, checked, sounds, eye, progress)
    return [await trial.run(bench) for _ in range(runs)], checked.name


def _about(gold: GoldSet, wished: Settings, other: str, runs: int) -> dict[str, Any]:
    engines = {name: choice.engine for name, choice in app.choices(wished).items()}
    return {
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
        "profile": wished.profile,
        "engines": {**engines, "asr": second.first_name(wished), "second recogniser": other or None},
        "voice": wished.tts.voice,
        "set": {"name": gold.name, "cases": len(gold.cases), "digest": gold.digest},
        "synthesised": all(case.audio is None for case in gold.cases),
        "runs": runs,
    }


def _told(
    about: Mapping[str, Any],
    figures: Sequence[Figure],
    changed: Sequence[baseline.Change],
    understood: Sequence[trial.Understood],
) -> str:
    engines = ", ".join(f"{stage} {engine}" for stage, engine in about["engines"].items() if engine)
    gold = about["set"]
    spoken = "; spoken by the voice itself: no recordings of people" if about["synthesised"] else ""
    runs = f"{about['runs']} runs: the median, and from the least to the most" if about["runs"] > 1 else "1 run"
    lines = [
        f"{gold['name']}: {gold['cases']} cases{spoken}",
        f"profile {about['profile']}: {engines}",
        f"{about['machine']}, load {about['load']} at the end; {runs}",
        "",
        table.of_changes(changed) if changed else table.of_figures(figures),
    ]
    worst = table.of_worst(understood)
    return "\n".join([*lines, *(["", worst] if worst else [])])


def _rows(last: trial.Trial) -> list[dict[str, Any]]:
    return [
        {
            "id": row.case.id,
            "language": row.case.language,
            "recorded": row.case.audio is not None,
            "text": row.case.text,
            "heard": row.heard,
            "errors": row.by_first.errors,
            "of": row.by_first.units,
            "second": row.second,
        }
        for row in last.understood
    ]


def _changes(changed: Sequence[baseline.Change]) -> list[dict[str, Any]]:
    return [
        {"name": change.figure.name, **{key: asdict(change)[key] for key in ("before", "worse", "told")}}
        for change in changed
    ]
