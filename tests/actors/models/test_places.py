"""The manifest and where its files lie: right ones are found, each wrong one is named with the line that mends it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors import models
from actors.models import FILES, MODELS, ModelMissing, ModelWrong, manifest, needs, places, tending, verified
from actors.models.kinds import Hub, Installed, Model, ModelFile, Packed
from tests.actors.models.shelf import home, model, sha256

__all__ = ["home"]

pytestmark = pytest.mark.usefixtures("home")

CONTENT = b"weights"
HUB = Hub("people/toy", "abc", "model.bin")
FILE = ModelFile("toy", "model.bin", len(CONTENT), sha256(CONTENT), "MIT", (HUB,))
BUNDLED = replace(FILE, sources=(Installed("toy-models", "1.2.3", "toy/model.bin"),), optional=False)


@pytest.fixture
def toy(home: Path) -> Path:
    """The file in the folder of models."""
    path = home / "toy" / "model.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same file inside an installed package."""
    path = tmp_path / "site" / "toy" / "model.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    where = SimpleNamespace(locate_file=lambda path: tmp_path / "site" / path)
    monkeypatch.setattr(places, "distribution", lambda package: where)
    return path


# ---- the manifest ------------------------------------------------------------------------------------------


def test_everything_that_the_default_engines_need_is_installed_and_right() -> None:
    assert [
        (found.file.name, found.problem) for found in models.survey() if found.problem and not found.file.optional
    ] == []


def test_a_model_is_found_by_its_name_and_so_is_each_of_its_files() -> None:
    folder = models.folder("whisper-tiny.en")
    assert models.locate("whisper-tiny.en/model.bin") == folder / "model.bin"
    assert (folder / "tokenizer.json").is_file()


def test_an_unknown_name_gives_the_known_ones() -> None:
    with pytest.raises(KeyError, match="whisper-tiny"):
        models.locate("whisper-huge/model.bin")
    with pytest.raises(KeyError, match="hibari"):
        models.folder("whisper-huge")


def test_names_are_unique_and_stay_inside_their_folders() -> None:
    assert len({file.name for file in FILES}) == len(FILES)
    assert all(file.model == model.name for model in MODELS.values() for file in model.files)
    assert all(not Path(file.path).is_absolute() and ".." not in Path(file.path).parts for file in FILES)


def test_every_file_has_a_size_a_licence_a_source_and_a_hash_unless_nobody_could_see_it() -> None:
    assert all(file.size > 0 and file.licence and file.sources for file in FILES)
    assert {file.model for file in FILES if not file.sha256} == {"ditto"}
    hashes = [file.sha256 for file in FILES if file.sha256]
    hashes += [
        part[0].sha256 for file in FILES for one in file.sources if isinstance(one, Packed) for part in one.parts
    ]
    assert all(len(one) == 64 and int(one, 16) for one in hashes)


def test_every_hub_file_whose_hash_is_known_is_pinned_to_a_commit() -> None:
    revisions = {source.revision for file in FILES if file.sha256 for source in file.sources if isinstance(source, Hub)}
    assert all(len(revision) == 40 and int(revision, 16) for revision in revisions)


def test_what_may_not_be_used_commercially_says_where_its_terms_are() -> None:
    restricted = {name for name, model in MODELS.items() if "not commercial" in model.licence}
    assert restricted == {"xtts-v2"} == {name for name, model in MODELS.items() if model.terms}


def test_what_stands_in_for_a_model_is_in_the_manifest_too() -> None:
    assert {model.stand_in for model in MODELS.values()} - {""} <= set(MODELS)


def test_every_model_that_an_engine_needs_is_in_the_manifest() -> None:
    assert {name for engine in (*needs.ENGINES, "whisper") for name in needs.needed(engine, {})} <= set(MODELS)
    assert set(needs.WHISPER.values()) <= set(MODELS)
    assert needs.needed("whisper", {"model": "turbo"}) == ("whisper-turbo", "silero-v6")
    assert needs.needed("whisper", {"model": "/own/folder"}) == ("silero-v6",)
    assert needs.needed("chat", {}) == ()
    assert needs.needed("smollm", {}) == ("smollm2",)
    assert needs.needed("smollm", {"model": "own.gguf"}) == ()


# ---- on this machine ---------------------------------------------------------------------------------------


def test_the_folder_of_models_is_the_users_cache_unless_it_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.home() == home
    monkeypatch.delenv("AVATAR_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert models.home() == tmp_path / "cache" / "realtime-avatar" / "models"


def test_a_right_file_is_hashed_once(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verified(FILE) == toy
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed a second time"))
    assert verified(FILE) == toy


def test_a_missing_file_says_what_to_pull(home: Path) -> None:
    with pytest.raises(ModelMissing, match=rf"toy/model.bin is missing from {home}/toy: avatar models pull toy"):
        verified(FILE)


def test_a_missing_file_of_a_package_that_comes_along_says_what_to_install(installed: Path) -> None:
    installed.unlink()
    with pytest.raises(ModelMissing, match=r"toy/model.bin is missing .*: pip install .*toy-models==1.2.3"):
        verified(BUNDLED)


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(ModelMissing, match=r"needs the package toy-models: pip install .*toy-models==1.2.3"):
        verified(BUNDLED)


def test_a_file_of_a_package_is_read_where_it_lies_and_a_pulled_one_where_it_is_not(installed: Path, toy: Path) -> None:
    assert verified(BUNDLED) == installed
    installed.write_bytes(b"spoilt!")
    assert verified(BUNDLED) == toy


def test_a_model_lies_in_one_place_and_not_half_here_and_half_there(
    installed: Path, home: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = replace(BUNDLED, path="words.txt", sources=(Installed("toy-models", "1.2.3", "toy/words.txt"),))
    both = model(BUNDLED, words)
    (installed.parent / "words.txt").write_bytes(CONTENT)
    assert places.whole(both) == installed.parent
    (installed.parent / "words.txt").unlink()
    with pytest.raises(ModelMissing, match=r"toy/words\.txt is missing"):
        places.whole(both)
    (home / "toy" / "words.txt").write_bytes(CONTENT)
    assert places.whole(both) == home / "toy"


def test_a_model_stands_in_for_another(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = replace(FILE, model="away")
    monkeypatch.setattr(manifest, "MODELS", {"away": model(away, stand_in="toy"), "toy": model(FILE)})
    assert models.folder("away") == toy.parent
    toy.unlink()
    with pytest.raises(ModelMissing, match=r"away/model\.bin is missing"):
        models.folder("away")


def test_a_truncated_file_is_wrong(toy: Path) -> None:
    toy.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelWrong, match="has 6 bytes instead of 7: avatar models pull toy"):
        verified(FILE)


def test_a_file_with_one_other_byte_is_wrong(toy: Path) -> None:
    toy.write_bytes(b"Weights")
    with pytest.raises(ModelWrong, match="sha256 differs"):
        verified(FILE)


def test_a_survey_tells_what_is_wrong_and_goes_on(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FILES", (replace(FILE, size=9), FILE))
    wrong, right = models.survey()
    assert wrong.path is None and "instead of 9" in wrong.problem
    assert (right.path, right.problem) == (toy, "")


def test_what_is_built_of_a_model_is_asked_for_by_its_name(home: Path) -> None:
    with pytest.raises(ModelMissing, match=r"ditto-built is missing: avatar models pull ditto, then: avatar models bu"):
        models.built("ditto")
    (home / tending.BUILT["ditto"]).mkdir(parents=True)
    assert models.built("ditto") == home / "ditto-built"


# ---- verifying, pruning ------------------------------------------------------------------------------------


def test_what_is_verified_is_known_to_other_processes_until_it_changes(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [found] = tending.verify([model(FILE)])
    assert found.path == toy
    places.forget()  # as another process
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed a second time"))
        assert verified(FILE) == toy
    toy.write_bytes(b"Weights")
    os.utime(toy, ns=(1, 1))
    with pytest.raises(ModelWrong, match="sha256 differs"):
        verified(FILE)


def test_bytes_that_changed_behind_an_unchanged_date_are_found_by_verify(toy: Path) -> None:
    tending.verify([model(FILE)])
    date = toy.stat().st_mtime_ns
    toy.write_bytes(b"Weights")
    os.utime(toy, ns=(date, date))
    [found] = tending.verify([model(FILE)])
    assert found.path is None and "sha256 differs" in found.problem


def test_a_file_that_nobody_knows_is_vouched_for_once(toy: Path) -> None:
    unseen = model(replace(FILE, sha256=""))
    [found] = tending.verify([unseen])
    assert "nobody has vouched for" in found.problem and "verify toy --trust-first-use" in found.problem
    [found] = tending.verify([unseen], trust=True)
    assert found.path == toy
    toy.write_bytes(b"Weights")
    [found] = tending.verify([unseen])
    assert "sha256 differs" in found.problem


def test_notes_that_cannot_be_read_say_nothing(toy: Path) -> None:
    (toy.parent / ".notes.json").write_text("no notes")
    assert verified(FILE) == toy


def test_pruning_finds_what_nobody_needs_and_keeps_the_rest(
    home: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = Model("spare", "", (replace(FILE, model="spare"),))
    monkeypatch.setattr(manifest, "MODELS", {"toy": model(FILE), "spare": spare, "ditto": MODELS["ditto"]})
    tending.verify([model(FILE)])
    for name in ("spare/model.bin", "stranger/x", ".archives/toy.whl", "toy/.model.bin.part", "ditto-built/x"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"1234567")
    found = tending.spare(["toy"])
    assert [(str(one.path.relative_to(home)), one.size, one.why) for one in found] == [
        (".archives", 7, "packages on their way"),
        ("ditto-built", 7, "no profile that was named needs it"),
        ("spare", 7, "no profile that was named needs it"),
        ("stranger", 7, "not in the manifest"),
        ("toy/.model.bin.part", 7, "half a file"),
    ]
    assert "ditto-built" not in {one.path.name for one in tending.spare(["toy", "ditto"])}
    tending.remove(found)
    assert tending.spare(["toy"]) == []
    assert verified(FILE) == toy


def test_what_an_engine_makes_beside_its_weights_is_kept(home: Path) -> None:
    (home / "xtts-v2").mkdir(parents=True)
    for name in ("model.safetensors", "model.old"):
        (home / "xtts-v2" / name).write_bytes(b"1234567")
    assert [one.path.name for one in tending.spare(["xtts-v2"])] == ["model.old"]


def test_where_nothing_was_pulled_there_is_nothing_to_prune() -> None:
    assert tending.spare([]) == []
