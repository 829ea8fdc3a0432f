"""`avatar eval` with the engines that ship: they are understood, the lips follow, and a face that is gone is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serve_app.evaluating import cases

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SPEECH = Path(__file__).resolve().parents[3] / "shared" / "speech"
CASES = 8


def evaluated(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serve_app.cli", "eval", *map(str, arguments), "--runs", "1"]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=280, check=False, env={**os.environ, **variables}
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first cases of the English set, two of them questions."""
    folder = tmp_path_factory.mktemp("eval")
    rows = [case for case in cases.read().cases if case.ask][:2]
    rows += [case for case in cases.read().cases if not case.ask][: CASES - 2]
    lines = [json.dumps({"id": case.id, "text": case.text, "ask": case.ask}) for case in rows]
    (folder / "some.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    files = "--json", folder / "told.json", "--write-baseline", folder / "base.json"
    done = evaluated(folder / "some.jsonl", *files)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "told.json").read_text())


def value(told: dict[str, Any], name: str) -> float:
    found = told["figures"][name]
    assert found["value"] is not None, found["note"]
    return found["value"]


def test_the_voice_is_understood(told: dict[str, Any]) -> None:
    assert value(told, "round trip, WER en") <= 10
    assert len(told["cases"]) == CASES and told["failures"] == []
    assert all(row["heard"] for row in told["cases"])


def test_the_lips_follow_it(told: dict[str, Any]) -> None:
    assert value(told, "lips, r with the phonemes") >= 0.75
    assert abs(value(told, "lips, late to the phonemes")) <= 40
    assert value(told, "lips, shut at p b m") >= 95


def test_the_questions_are_answered_in_order(told: dict[str, Any]) -> None:
    assert value(told, "questions answered") == 100
    moments = ("transcript", "first text", "first sound", "first moving lip")
    waits = [value(told, f"wait for the {moment}, p50") for moment in moments]
    assert waits == sorted(waits) and waits[0] > 0


def test_what_cannot_be_measured_says_why(told: dict[str, Any]) -> None:
    likeness = told["figures"]["likeness of the voice"]
    assert likeness["value"] is None and likeness["note"] == "the voice hibari offers no speaker encoder"


def test_a_face_that_is_gone_is_a_regression(told: dict[str, Any], folder: Path) -> None:
    done = evaluated(folder / "some.jsonl", "--baseline", folder / "base.json", AVATAR_FACE__ENGINE="none")
    assert done.returncode == 1, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("REGRESSION lips")]
    assert len(lines) >= 5 and all("not measured (the profile shows no face), was" in line for line in lines)
    assert not any("round trip" in line for line in done.stdout.splitlines() if line.startswith("REGRESSION"))


def test_recordings_of_people_are_understood(folder: Path) -> None:
    if not (SPEECH / cases.TRANSCRIPTS).exists():
        pytest.skip(f"there are no recordings of people in {SPEECH}")
    done = evaluated(SPEECH, "--json", folder / "people.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "people.json").read_text())
    assert found["synthesised"] is False and "round trip, WER en" not in found["figures"]
    assert value(found, "recordings, WER en") <= 10
