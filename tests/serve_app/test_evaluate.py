"""`avatar eval`: what is wrong is told first, what became worse last, and the exit code says which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path

import pytest

from actors.models.kinds import ModelMissing
from serve_app import evaluate
from serve_app.errors import UserError
from serve_app.evaluating import second
from serve_app.settings import load
from streaming.session import Stages
from tests.serve_app.evaluating.stubs import Reader, stages
from tests.serve_app.test_cli import quiet_logs, ran, said

__all__ = ["quiet_logs"]  # a fixture

TEXTS = ["The cat sat on a mat.", "A dog ran after it."]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "pets.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return path


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Stages]:
    """The stages that the command gets instead of the profile's; a test may put others in."""
    made = [understanding()]
    monkeypatch.setattr(evaluate.app, "build_stages", lambda settings: made[-1])
    return made


def understanding(mishears: Mapping[str, str] | None = None) -> Stages:
    return stages(transcriber=Reader(cycle(TEXTS), mishears))


def evaluated(*arguments: object) -> int:
    return ran("eval", *arguments, "--second", "none")


# ---- measuring -----------------------------------------------------------------------------------------------


def test_a_set_is_measured_and_told(gold: Path, loaded: list[Stages], capsys: pytest.CaptureFixture[str]) -> None:
    loaded.append(understanding({"dog": "frog"}))
    assert evaluated(gold) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(
        "pets: 2 cases; spoken by the voice itself: no recordings of people\nprofile cpu: asr whisper"
    )
    assert "3 runs: the median" in out
    assert [line.split()[4] for line in out.splitlines() if line.startswith("round trip, WER en  ")] == ["9.1"]
    assert out.endswith("case-2: 1 of 5\n  A dog ran after it.\n  heard: A frog ran after it.\n")


def test_everything_can_be_had_as_json(gold: Path, loaded: list[Stages], tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    assert evaluated(gold, "--json", path, "--runs", 2) == 0
    told = json.loads(path.read_text())
    assert told["runs"] == 2 and told["profile"] == "cpu" and told["synthesised"] is True
    assert told["figures"]["round trip, WER en"]["runs"] == [0.0, 0.0]
    assert told["figures"]["likeness of the voice"]["value"] is None
    assert told["cases"][0] == {
        "id": "case-1", "language": "en", "recorded": False, "text": TEXTS[0], "heard": TEXTS[0],
        "errors": 0, "of": 6, "second": None,
    }  # fmt: skip


# ---- what became worse ---------------------------------------------------------------------------------------


def test_what_became_worse_is_one_line_and_ends_with_1(
    gold: Path, loaded: list[Stages], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, found = tmp_path / "base.json", tmp_path / "found.json"
    assert evaluated(gold, "--write-baseline", base) == 0
    assert evaluated(gold, "--baseline", base) == 0
    loaded.append(understanding({"cat": "hat", "dog": "log"}))
    capsys.readouterr()
    assert evaluated(gold, "--baseline", base, "--json", found) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("REGRESSION")]
    assert lines == ["REGRESSION round trip, WER en: 18.2 %, was 0.0 %; it may be worse by 10 %, 0.5 points at least"]
    [change] = [row for row in json.loads(found.read_text())["changes"] if row["worse"]]
    assert change["name"] == "round trip, WER en" and change["before"] == 0


def test_a_stage_that_fails_ends_with_1_even_without_a_baseline(
    gold: Path, loaded: list[Stages], capsys: pytest.CaptureFixture[str]
) -> None:
    gold.write_text('{"text": "I am hoarse."}\n')
    assert evaluated(gold) == 1
    assert capsys.readouterr().out.endswith("\nFAILED case-1: voice: hoarse; rest\n"), "once, not once a run"


def test_a_baseline_can_be_replaced_by_what_is_held_against_it(
    gold: Path, loaded: list[Stages], tmp_path: Path
) -> None:
    base = tmp_path / "base.json"
    evaluated(gold, "--write-baseline", base)
    loaded.append(understanding({"cat": "hat"}))
    assert evaluated(gold, "--baseline", base, "--write-baseline", base) == 1
    loaded.append(understanding({"cat": "hat"}))
    assert evaluated(gold, "--baseline", base) == 0


# ---- what is wrong is told before anything is loaded ---------------------------------------------------------


@pytest.fixture
def nothing_loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def build(settings: object) -> Stages:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(evaluate.app, "build_stages", build)
    yield


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--runs", "0"], "--runs may be 1 to 20, not 0"),
        (["--profile", "none"], "there is no profile 'none'"),
        (["--baseline", "none.json"], "the baseline none.json cannot be read"),
        (["--json", "no/such/place.json"], "the folder no/such does not exist"),
        (["--json", "a.json", "--write-baseline", "a.json"], "--json and --write-baseline name one file"),
        (["klingon"], "there is no set 'klingon'"),
    ],
)
def test_wrong_wishes(arguments: list[str], line: str, nothing_loads: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluated(*arguments) == 2
    assert said(capsys).startswith(line)


def test_a_baseline_of_another_set_is_refused(
    gold: Path,
    loaded: list[Stages],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = tmp_path / "base.json"
    evaluated(gold, "--write-baseline", base)
    capsys.readouterr()
    assert evaluated(gold, "--quick", "--baseline", base) == 0, "the same two cases"
    gold.write_text('{"text": "Other."}\n')
    capsys.readouterr()
    assert evaluated(gold, "--baseline", base) == 2
    assert "is of another set, or of other cases of it" in said(capsys)


# ---- the second recogniser -----------------------------------------------------------------------------------


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The Whisper models that are on this machine, and none is loaded."""
    here: set[str] = set()

    def folder(model: str) -> Path:
        if model.removeprefix("whisper-") not in here:
            raise ModelMissing(f"{model} is missing: avatar models pull {model}")
        return Path(model)

    monkeypatch.setattr("serve_app.evaluating.second.models.folder", folder)
    monkeypatch.setattr(second.app, "checked", lambda stage, choice: lambda model: Reader([model]))
    return here


def test_the_second_recogniser_is_another_one_than_the_profiles(at_hand: set[str]) -> None:
    at_hand |= {"base", "tiny.en"}
    tiny, base = load("cpu"), load("cpu", asr={"engine": "whisper", "arguments": {"model": "base"}})
    assert second.second(tiny, ["en"]).name == "whisper base"
    found = second.second(base, ["en"])
    assert found.name == "whisper tiny.en" and found.hears("en") and not found.hears("es")
    assert second.second(base, ["es", "zh"]).name == "", "it hears English only"


def test_one_that_is_missing_is_told_with_the_line_that_brings_it(at_hand: set[str]) -> None:
    found = second.second(load("cpu"), ["en"])
    assert found.name == "" and found.why == "whisper-base is missing: avatar models pull whisper-base"
    with pytest.raises(UserError, match=r"^--second base: whisper-base is missing: avatar models pull"):
        second.second(load("cpu"), ["en"], "base")


def test_one_that_is_none_is_refused(at_hand: set[str]) -> None:
    with pytest.raises(UserError, match=r"is the profile's own recogniser; name another, or none"):
        second.second(load("cpu"), ["en"], "tiny.en")
    with pytest.raises(UserError, match=r"there is no Whisper model 'huge'; choose one of"):
        second.second(load("cpu"), ["en"], "huge")
    assert second.second(load("cpu"), ["en"], "none").why == "--second none leaves it out"
