"""What a profile lacks beside packages and models: a GPU, Ditto's engines, a key, arguments that fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from actors.face.ditto.export.finished import Lack
from serve_app import lacking
from serve_app.finding import Finding
from serve_app.settings import Settings, load


def lines(findings: Iterator[Finding]) -> list[str]:
    return [f"{finding.level}: {finding.found} -> {finding.mend}" for finding in findings]


# ---- GPUs --------------------------------------------------------------------------------------------------


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def smi(path: Path, *cards: str) -> str:
    return program(path / "smi", "\n".join(f"echo '{card}'" for card in cards))


def test_no_gpu_is_fine_where_none_is_wanted_and_missing_where_one_is() -> None:
    assert lines(lacking.gpu(load("cpu"), "no-such-program")) == ["ok: none; the engines of this profile need none -> "]
    assert lines(lacking.gpu(load("l4"), "no-such-program")) == [
        "missing: none here, and l4 wants 1 -> take a machine that has them, or: avatar run --profile cpu"
    ]


def test_an_engine_that_runs_on_a_gpu_alone_wants_one_whatever_the_profile_counts() -> None:
    hears = load("cpu", asr={"arguments": {"device": "cuda"}})
    draws = load("cpu", face={"engine": "ditto", "arguments": {"runtime": "tensorrt-rtx"}})
    anywhere = load("cpu", face={"engine": "ditto", "arguments": {"runtime": "onnx"}})
    assert [lacking.gpus_wanted(one) for one in (hears, draws, anywhere)] == [1, 1, 0]


def test_too_few_gpus_are_counted(tmp_path: Path) -> None:
    one = smi(tmp_path, "NVIDIA L4, 23034 MiB, 580.95.05")
    assert lines(lacking.gpu(load("l4"), one)) == ["ok: NVIDIA L4, 23034 MiB, driver 580.95.05 -> "]
    _, told = lacking.gpu(load("two-l4"), one)
    assert (told.level, told.found) == ("missing", "1 here, and two-l4 wants 2")


def test_a_driver_that_is_too_old_for_cuda_13_is_told(tmp_path: Path) -> None:
    old = smi(tmp_path, "NVIDIA L4, 23034 MiB, 570.1")
    [told] = lacking.gpu(load("l4"), old)
    assert told.level == "missing" and told.found.endswith("driver 570.1, too old for tensorrt, xtts")
    assert told.mend == "install NVIDIA's driver 580 or newer"
    assert [finding.level for finding in lacking.gpu(load("cpu"), old)] == ["ok"]


def test_a_driver_that_does_not_answer_matters_only_to_who_needs_it(tmp_path: Path) -> None:
    broken = program(tmp_path / "broken", "exit 9")
    [needed], [spare] = lacking.gpu(load("l4"), broken), lacking.gpu(load("cpu"), broken)
    assert (needed.level, spare.level) == ("missing", "note")
    assert "exit status 9" in needed.found and spare.mend.endswith("need none")


# ---- Ditto's files -----------------------------------------------------------------------------------------


def ditto(runtime: str, folder: Path | None = None) -> Settings:
    own = {"models": str(folder)} if folder else {}
    return load("cpu", face={"engine": "ditto", "arguments": {"runtime": runtime, **own}})


def built(settings: Settings) -> list[str]:
    return lines(lacking.built(settings, "no-such-program"))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without what makes graphs."""
    monkeypatch.setattr(lacking, "required", lambda: ["no-such-thing; extra == 'ditto'"])


@pytest.mark.usefixtures("bare")
def test_files_that_nobody_has_built_are_missing_with_both_lines_that_bring_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    [told] = built(load("l4"))
    assert told.startswith(f"missing: {tmp_path / 'ditto-built'}: not there -> ")
    assert told.endswith("'realtime-avatar[ditto]'; then avatar models build --runtime tensorrt")
    assert built(load("cpu")) == [], "another face reads none"


def test_what_a_folder_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lacking, "required", lambda: [])
    lacks = {
        Lack(weights=("warp.safetensors",)): "without warp.safetensors",
        Lack(graphs=("warp",), engines=("warp",)): "without graphs of warp; a start would make them",
        Lack(engines=("warp", "hubert")): "without onnx's engines of warp, hubert for this machine; a start would",
    }
    for lack, words in lacks.items():
        monkeypatch.setattr(lacking, "lacking", lambda *asked, lack=lack: lack)
        [told] = built(ditto("onnx", tmp_path))
        assert told.startswith(f"missing: {tmp_path}: {words}")
        assert told.endswith(" -> avatar models build --runtime onnx")
    monkeypatch.setattr(lacking, "lacking", lambda *asked: Lack())
    assert built(ditto("onnx", tmp_path)) == [f"ok: {tmp_path}: all that onnx reads -> "]


@pytest.mark.usefixtures("bare")
def test_engines_alone_are_built_without_what_makes_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lacking, "lacking", lambda *asked: Lack(engines=("warp",)))
    assert built(ditto("tensorrt", tmp_path))[0].endswith("are done -> avatar models build --runtime tensorrt")


def test_engines_are_looked_for_by_the_version_that_is_here_and_the_gpus_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    library = ModuleType("tensorrt")
    library.__version__ = "11.4.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    monkeypatch.setattr(lacking, "lacking", lambda *given: asked.extend(given) or Lack())
    list(lacking.built(ditto("tensorrt", tmp_path), smi(tmp_path, "NVIDIA L4, 23034 MiB, 580.1")))
    assert asked == [tmp_path, "tensorrt", "11.4.0", ["NVIDIA L4"]]


def test_torch_reads_what_a_build_for_onnx_makes(tmp_path: Path) -> None:
    [told] = built(ditto("torch", tmp_path))
    assert "without appearance.safetensors" in told and told.endswith("avatar models build --runtime onnx")


def test_a_precision_that_there_is_not_is_told_like_anything_else(tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "precision").write_text("fp2")
    assert "names the precision 'fp2'" in built(ditto("onnx", tmp_path))[0]


# ---- what is said to engines -------------------------------------------------------------------------------


def test_a_language_model_elsewhere_needs_an_address_or_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert lines(lacking.language(load("cpu")))[0].startswith("ok: guide, because")
    [told] = lacking.language(load("l4-api"))
    assert told.level == "missing" and told.mend.startswith("set OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
    [told] = lacking.language(load("l4-api"))
    assert told.level == "ok" and "sk-of-nobody" not in str(told)


def test_arguments_that_do_not_fit_are_told_before_the_start() -> None:
    assert list(lacking.fitting(load("cpu"))) == []
    [told] = lacking.fitting(load("cpu", tts={"arguments": {"colour": "red"}}))
    assert told.level == "missing" and "the arguments of tts engine 'hibari' do not fit" in told.found
    assert told.mend == "mend tts.arguments"
    assert list(lacking.fitting(load("cpu", tts={"engine": "choir"}))) == [], "the engine table tells of that"


def test_an_engine_that_cannot_be_imported_says_what_it_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "actors.tts.hibari", None)
    [told] = lacking.fitting(load("cpu"))
    assert told.level == "missing" and told.found.startswith("tts engine 'hibari' cannot be imported: ")
    assert told.mend == "install actors.tts.hibari"
