"""A picture goes in, an avatar is in the library, named after what it was made of."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from actors.face import importing
from actors.face.avatars import BUILT_IN, DEFAULT, AvatarBuiltIn, AvatarUnknown, find, library, own_folder, remove
from actors.face.importing import identity, import_picture
from actors.face.landmarks import LandmarksMissing, PictureRefused
from actors.face.portrait.photo import make as making
from tests.actors.face.faces import answer, found, stub


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(making, "write_clip", lambda folder: shutil.copy(BUILT_IN / DEFAULT / "idle.mp4", folder))
    return tmp_path


def test_an_avatar_is_found_by_its_id_until_it_is_erased(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = import_picture(b"a picture", " Anna \n", stub(home, answer(found())))
    assert (made.id, made.new, made.notes) == (identity(b"a picture"), True, ())
    assert f"avatar {made.id} made of a picture of 9 bytes" in caplog.text
    entry = find(made.id)
    assert (entry.built_in, entry.about["name"], entry.folder) == (False, "Anna", own_folder() / made.id)
    assert entry.portrait is not None and entry.idle_clip is not None
    assert list(library()) == ["default", made.id]
    again = import_picture(b"a picture", "Berta", stub(home, "the worker is not asked again"))
    assert (again.id, again.new, find(made.id).about["name"]) == (made.id, False, "Anna")
    remove(made.id)
    assert list(library()) == ["default"] and list(own_folder().iterdir()) == []
    with pytest.raises(AvatarUnknown, match=made.id):
        remove(made.id)


def test_what_is_being_made_is_not_listed() -> None:
    shutil.copytree(BUILT_IN / DEFAULT, own_folder() / ".half.part")
    assert list(library()) == ["default"]
    for name in (".half.part", "../avatars/default", "", "Default"):
        with pytest.raises(AvatarUnknown):
            find(name)


def test_the_built_in_avatar_stays() -> None:
    with pytest.raises(AvatarBuiltIn, match="came with the program"):
        remove("default")
    assert find("default").built_in and find("default").about == {}


def test_what_is_refused_leaves_nothing(home: Path) -> None:
    with pytest.raises(PictureRefused, match="no face"):
        import_picture(b"x", "x", stub(home, json.dumps({"refused": "no_face"})))
    with pytest.raises(LandmarksMissing, match="avatar portrait setup"):
        import_picture(b"x", "x")
    assert not own_folder().exists()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, {"id": "own-1", "new": True, "notes": ["soft"]}),
        (PictureRefused("svg", "a drawing"), {"refused": "svg", "message": "a drawing"}),
        (LandmarksMissing("set it up"), {"refused": "not_set_up", "message": "set it up"}),
        (
            OSError(28, "No space left on device"),
            {
                "refused": "not_stored",
                "message": "the avatar cannot be stored: No space left on device; make room and try again",
            },
        ),
    ],
)
def test_the_process_says_one_line(
    error: Exception | None, told: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pipe:
        class buffer:
            @staticmethod
            def read() -> bytes:
                return b"bytes"

    def take(picture: bytes, name: str) -> importing.Imported:
        assert (picture, name) == (b"bytes", "Anna")
        if error:
            raise error
        return importing.Imported("own-1", True, ("soft",))

    monkeypatch.setattr(importing, "import_picture", take)
    monkeypatch.setattr("sys.stdin", Pipe)
    monkeypatch.setattr("sys.argv", ["importing", "Anna"])
    monkeypatch.setattr("os.nice", lambda by: by)
    importing.main()
    assert json.loads(capsys.readouterr().out) == told
