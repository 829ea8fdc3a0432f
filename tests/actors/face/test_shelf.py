"""What is made of an avatar is kept until somebody erases the avatar; whatever goes wrong with it, it is made again."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from actors.face.avatars import BUILT_IN, DEFAULT, own_folder, remove
from actors.face.shelf import Shelf, name_of, prune, shelf, weights


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def test_it_is_there_for_the_next_process_and_gone_with_the_avatar() -> None:
    shutil.copytree(BUILT_IN / DEFAULT, own_folder() / "own-1")
    shelf("own-1").keep_arrays("place.npz", {"cut": np.eye(3)})
    shelf("own-1").keep("idle.mp4", b"clip")
    shelf("default").keep("idle.mp4", b"another's")
    found = shelf("own-1").arrays("place.npz")
    assert found is not None and np.array_equal(found["cut"], np.eye(3))
    assert shelf("own-1").read("idle.mp4") == b"clip" and shelf("own-1").read("other.mp4") is None
    remove("own-1")
    assert shelf("own-1").read("idle.mp4") is None and shelf("own-1").arrays("place.npz") is None
    assert shelf("default").read("idle.mp4") == b"another's"


def test_what_is_kept_of_avatars_erased_elsewhere_goes_too() -> None:
    prune({})  # there is nothing yet
    for name in ("own-1", "own-2"):
        shelf(name).keep("idle.mp4", b"clip")
    prune({"own-2": None})
    assert shelf("own-1").read("idle.mp4") is None and shelf("own-2").read("idle.mp4") == b"clip"


def test_what_is_broken_is_made_again_and_nothing_is_unpickled(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Shelf(home / "s")
    kept.keep("cut.npz", b"PK\3\4 half a file")
    assert kept.arrays("cut.npz") is None and "cut.npz is broken and is made again" in caplog.text
    np.savez(home / "s" / "program.npz", cut=np.array([object()]))
    assert kept.arrays("program.npz") is None
    (home / "s" / "folder.npz").mkdir()
    assert kept.read("folder.npz") is None and "cannot be read and is made again" in caplog.text


def test_a_full_disk_costs_only_the_work(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (home / "file").write_text("in the way")
    Shelf(home / "file").keep("idle.mp4", b"clip")
    assert "is not kept, and will be made again" in caplog.text
    (home / "s" / "taken").mkdir(parents=True)
    Shelf(home / "s").keep("taken", b"clip")
    assert [path.name for path in (home / "s").iterdir()] == ["taken"]  # nothing half-written is left


def test_without_a_folder_nothing_is_kept(home: Path) -> None:
    nowhere = Shelf(None)
    nowhere.keep("idle.mp4", b"clip")
    assert nowhere.read("idle.mp4") is None and list(home.iterdir()) == []


def test_names_tell_parts_and_trainings_apart(home: Path) -> None:
    assert name_of("ab", "c") != name_of("a", "bc")
    assert weights(home / "nowhere") == ""
    models = home / "models"
    models.mkdir()
    (models / "stitch.safetensors").write_bytes(bytes(3_000_000))
    before = weights(models)
    assert weights(models) == before != ""
    (models / "stitch.safetensors").write_bytes(bytes(2_999_999) + b"1")
    assert weights(models) != before
    assert weights(models) != (models / "more.npz").write_bytes(b"x") and weights(models) != before
