"""The disk plan of a profile, and what `avatar doctor` says of its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.models import MODELS, Found, ModelFile, places
from serve_app import disk
from serve_app.disk import FREE, GB, plan
from serve_app.settings import load

MACHINE = 49 * GB
"""The disk of the machine with one L4 that the profiles are made for."""


def total(profile: str, **wishes: object) -> int:
    return sum(item.size for item in plan(load(profile, **wishes)))


def sentences(findings) -> list[str]:
    return [f"{finding.level}: {finding.found} -> {finding.mend}" for finding in findings]


# ---- the plan ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["l4", "l4-one-process", "l4-api"])
def test_one_l4_fits_on_its_machines_disk_with_ten_gigabytes_free(profile: str) -> None:
    assert total(profile) + FREE <= MACHINE


def test_a_language_model_of_ones_own_does_not_fit_beside_it_and_that_is_said() -> None:
    own = load("l4", llm={"base_url": "http://localhost:8000/v1", "server": "vllm"})
    *_, told = disk.planned(own, MACHINE)
    assert told.level == "note" and told.found.startswith("l4 takes 48.6 GB") and "of a disk of 49.0 GB" in told.found
    elsewhere = load("l4", llm={"base_url": "http://models.example:8000/v1", "server": "vllm"})
    assert plan(elsewhere) == plan(load("l4"))


def test_a_face_that_torch_draws_takes_more_and_still_fits() -> None:
    drawn = total("l4", face={"arguments": {"runtime": "torch"}})
    assert drawn - total("l4") == 4 * GB and drawn + FREE <= MACHINE


def test_a_laptop_needs_little() -> None:
    assert total("cpu") < 3 * GB and total("mac") == total("cpu")
    *_, told = disk.planned(load("cpu"), 2 * GB)
    assert told.mend.startswith("a disk of ")


def test_models_are_exact_and_everything_else_says_that_it_is_an_estimate() -> None:
    exact = {item.what: item.size for item in plan(load("l4")) if item.exact}
    assert exact == {f"model {name}": MODELS[name].size for name in ("whisper-turbo", "xtts-v2")}
    lines = sentences(disk.planned(load("l4"), MACHINE))
    assert "ok: model xtts-v2: 1.9 GB (exact) -> " in lines
    assert "ok: packages of tts: xtts: 6.5 GB (estimate) -> " in lines
    assert "ok: model ditto: 2.3 GB (estimate) -> " in lines, "nobody here has seen its files"
    assert lines[-1].startswith("ok: l4 takes 34.1 GB, and 10.0 GB should stay free, of a disk of 49.0 GB")


# ---- engines and weights -----------------------------------------------------------------------------------


def test_an_engine_that_there_is_not_is_missing() -> None:
    [told] = disk.engines(load("cpu", tts={"engine": "choir"}))
    assert told.level == "missing" and told.found.startswith("tts has no engine 'choir' yet")
    assert told.mend.startswith("choose one of: ")


def row(file: ModelFile, problem: str = "") -> Found:
    return Found(file, None if problem else Path(file.path), problem)


def test_default_models_are_looked_at_file_by_file() -> None:
    good, bad = MODELS["whisper-tiny.en"].files[0], MODELS["hibari"].files[-1]
    report = [row(good), row(bad, f"{bad.name} is missing: {bad.mend}")]
    assert [line for line in sentences(disk.models(load("cpu"), report)) if "whisper" in line] == [
        "ok: whisper-tiny.en: 1 file, 75.5 MB, MIT -> "
    ]


def test_a_default_file_that_is_wrong_is_named_with_the_line_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = MODELS["hibari"].files[-1]
    monkeypatch.setattr(disk, "_whole", lambda name: False)
    report = [row(bad, f"{bad.name} is missing: {bad.mend}")]
    assert sentences(disk.models(load("cpu"), report)) == [f"missing: {bad.name} is missing -> {bad.mend}"]


def test_a_model_that_the_profile_needs_is_one_line_with_the_order_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    places.forget()
    lines = sentences(disk.models(load("l4")))
    assert "missing: xtts-v2: 4 of 4 files -> avatar models pull xtts-v2" in lines
    assert "missing: whisper-turbo: 5 of 5 files -> avatar models pull whisper-turbo" in lines
    assert not [line for line in lines if "kokoro" in line]


def test_a_model_that_another_profile_needs_is_only_counted() -> None:
    spare = MODELS["kokoro"].files[0]
    assert sentences(disk.models(load("cpu"), [row(spare)])) == [
        "ok: 1 more that this profile does not need; avatar models list -> "
    ]
    assert sentences(disk.models(load("cpu"), [row(spare, "it is missing")])) == []
