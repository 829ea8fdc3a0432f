"""The manifest: right files are found, and each wrong one is named with the line that mends it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from actors import models
from actors.models import FILES, ModelFile, ModelMissing, ModelWrong, verified

CONTENT = b"weights"
FILE = ModelFile(
    "toy", "toy-models", "1.2.3", "toy/model.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "MIT"
)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT)
    monkeypatch.setattr(models, "_installed", lambda file: path)
    monkeypatch.setattr(models, "_hashed", set())
    return path


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


def test_names_are_unique_and_hashes_whole() -> None:
    assert len({file.name for file in FILES}) == len(FILES)
    assert all(len(file.sha256) == 64 and file.licence for file in FILES)


def test_a_right_file_is_hashed_once(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verified(FILE) == toy
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed a second time"))
    assert verified(FILE) == toy


def test_a_missing_file_says_what_to_install(toy: Path) -> None:
    toy.unlink()
    with pytest.raises(ModelMissing, match=r"toy/model.bin is missing .*: pip install .*toy-models==1.2.3"):
        verified(FILE)


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(ModelMissing, match=r"needs the package toy-models: pip install toy-models==1.2.3"):
        verified(FILE)


def test_an_optional_package_is_installed_without_what_it_requires() -> None:
    with pytest.raises(ModelMissing, match=r"needs the package toy-models: pip install --no-deps toy-models==1.2.3"):
        verified(replace(FILE, optional=True))


def test_a_truncated_file_is_wrong(toy: Path) -> None:
    toy.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelWrong, match="has 6 bytes instead of 7: pip install"):
        verified(FILE)


def test_a_file_with_one_other_byte_is_wrong(toy: Path) -> None:
    toy.write_bytes(b"Weights")
    with pytest.raises(ModelWrong, match="sha256 differs"):
        verified(FILE)


def test_a_survey_tells_what_is_wrong_and_goes_on(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "FILES", (replace(FILE, size=9), FILE))
    wrong, right = models.survey()
    assert wrong.path is None and "instead of 9" in wrong.problem
    assert (right.path, right.problem) == (toy, "")
