"""`avatar models`: what a person reads of a pull, a list, a check and a clearing out, and what they are refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from actors import models
from actors.models import manifest
from actors.models.kinds import Model
from serve_app import cli, weights
from serve_app.settings import load
from tests.actors.models.shelf import WEIGHTS, Shelf, file, home, model, shelf

__all__ = ["home", "shelf"]


@pytest.fixture
def toy(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The only model of the manifest beside the default ones."""
    one = model(file("model.bin", WEIGHTS, shelf.hub("model.bin", WEIGHTS)))
    bundled = {name: known for name, known in manifest.MODELS.items() if not known.optional}
    for table in (manifest.MODELS, models.MODELS):
        assert table is manifest.MODELS
    monkeypatch.setattr(manifest, "MODELS", {**bundled, "toy": one})
    monkeypatch.setattr(models, "MODELS", manifest.MODELS)
    return one


def ran(*arguments: str) -> int:
    return cli.main(["models", *arguments])


def test_a_pull_says_what_came_and_a_second_one_that_nothing_is_missing(
    toy: Model, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("pull", "toy") == 0
    assert capsys.readouterr() == (f"1 file, 1.0 MB, in {home}\n", "toy/model.bin: 1.0 MB from hub people/toy\n")
    assert ran("pull", "toy") == 0
    assert capsys.readouterr() == ("nothing to fetch: toy are here\n", "")


def test_without_a_name_what_the_profile_needs_is_pulled(
    toy: Model, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("pull") == 0
    assert capsys.readouterr().out == "nothing to fetch: silero-v6, whisper-tiny.en, hibari are here\n"


def test_the_list_marks_what_the_profile_needs(toy: Model, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines if "hibari" in line] == [["*", "hibari", "here"]]
    assert [line.split()[:2] for line in lines if "toy" in line] == [["toy", "absent"]]
    assert lines[-1] == f"* the profile cpu needs it; pulled models lie in {home}"


def test_an_unknown_model_is_refused_with_those_that_there_are(toy: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("pull", "toys") == 2
    assert capsys.readouterr().err.startswith("avatar: there is no model 'toys'; choose out of whisper-tiny.en, ")


def test_no_files_at_once_are_too_few(toy: Model, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("pull", "toy", "--jobs", "0") == 2
    assert capsys.readouterr().err == "avatar: --jobs is 0; write 1 or more\n"


def test_a_pull_that_fails_is_one_line(toy: Model, shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.files.clear()
    assert ran("pull", "toy") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("avatar: toy/model.bin could not be fetched (hub people/toy: it ans")


def test_what_may_not_be_used_commercially_and_what_nobody_has_seen_must_be_asked_for(
    shelf: Shelf, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("pull", "xtts-v2") == 2
    assert "not for commercial use" in capsys.readouterr().err
    assert ran("pull", "ditto") == 2
    assert "avatar models pull ditto --trust-first-use" in capsys.readouterr().err
    assert shelf.asked == []


def test_verify_tells_what_is_right_and_what_is_not(toy: Model, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran("pull", "toy")
    capsys.readouterr()
    assert ran("verify") == 0
    assert "toy: 1 file, 1.0 MB, as in the manifest\n" in capsys.readouterr().out
    (home / "toy" / "model.bin").write_bytes(WEIGHTS[::-1])
    assert ran("verify", "toy") == 1
    assert "toy/model.bin is not the file that was tried" in capsys.readouterr().out


def test_verify_passes_over_what_was_never_pulled_unless_it_is_named(
    toy: Model, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("verify") == 0
    assert "toy" not in capsys.readouterr().out
    assert ran("verify", "toy") == 1


def test_pruning_asks_and_where_nobody_can_answer_removes_nothing(
    toy: Model, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran("pull", "toy")
    capsys.readouterr()
    assert ran("prune", "--profile", "cpu") == 2
    out, err = capsys.readouterr()
    assert out == f"     1.0 MB  {home}/toy: no profile that was named needs it\n"
    assert err == "avatar: nothing was removed; to remove these 1.0 MB: avatar models prune --yes\n"
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    assert ran("prune", "--profile", "cpu") == 0
    assert (home / "toy" / "model.bin").exists()
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    assert ran("prune", "--profile", "cpu") == 0
    assert capsys.readouterr().out.endswith("removed 1.0 MB\n") and not (home / "toy").exists()
    assert ran("prune", "--yes") == 0
    assert capsys.readouterr().out == f"nothing to remove in {home}\n"


def test_building_without_what_builds_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "folder", lambda name: home / name)
    monkeypatch.setattr(weights, "BUILD", "actors.face.ditto.export.none")
    assert ran("build") == 2
    assert "nothing can be built here" in (err := capsys.readouterr().err) and "realtime-avatar[ditto]" in err


def test_building_needs_the_published_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("build") == 2
    assert "ditto/appearance_extractor.pth is missing" in capsys.readouterr().err


@pytest.fixture
def builder(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the two parts of Ditto that build were asked for, instead of their work."""
    done: list[object] = []
    exporting, converting = ModuleType("exporting"), ModuleType("converting")

    def build(folder: Path, *, progress: Callable[[str, float], None], **wishes: object) -> None:
        progress("graphs", 0.5)
        done.append((folder.name, wishes))

    def convert(path: Path, to: Path) -> None:
        if path.suffix == ".pkl" and "broken" in done:
            raise ValueError("it is no pickle")
        done.append(path.name)

    exporting.build = build  # type: ignore[attr-defined]
    converting.convert = convert  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_builder", exporting)
    monkeypatch.setitem(sys.modules, "actors.face.ditto.convert.__main__", converting)
    monkeypatch.setattr(weights, "BUILD", "toy_builder")
    monkeypatch.setattr(models, "folder", lambda name: home / name)
    return done


def test_building_converts_what_was_published_and_hands_it_on(
    builder: list[object], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("build", "--runtime", "tensorrt-rtx", "--target", "sm89") == 0
    wishes = {"runtime": "tensorrt-rtx", "target": "sm89", "precision": "fp16"}
    assert builder == [*(file.path for file in models.MODELS["ditto"].files), ("ditto-built", wishes)]
    assert capsys.readouterr().out == f"{home}/ditto-built\n"


def test_a_published_file_that_cannot_be_converted_is_one_line(
    builder: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    builder.append("broken")
    assert ran("build") == 2
    assert capsys.readouterr().err == "avatar: v0.4_hubert_cfg_pytorch.pkl was not converted: it is no pickle\n"


def test_the_models_folder_and_the_mirror_are_no_settings_and_not_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_MODEL_MIRROR", "http://mirror.example")
    assert load("cpu").profile == "cpu"


def test_notes_name_no_password(toy: Model, shelf: Shelf, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{shelf.url}/hub")
    ran("pull", "toy")
    [note] = json.loads((home / "toy" / ".notes.json").read_text()).values()
    assert note["origin"].endswith("/hub/people/toy/resolve/abc/model.bin") and "@" not in note["origin"]
