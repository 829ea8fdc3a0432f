"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from serve_app.errors import UserError
from serve_app.files import check_writable, whole, write_json


def test_what_was_there_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("old")
    with whole(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"clip\.mp4 cannot be written: no space left on device; make room"),
        whole(tmp_path / "clip.mp4") as part,
    ):
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_any_other_error_passes_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "clip.mp4") as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(UserError, match="does not exist; make it first: mkdir -p"):
        check_writable(tmp_path / "a" / "clip.mp4")
    with pytest.raises(UserError, match="is no regular file"):
        check_writable(Path("/dev/null"))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match="nothing may be written into"):
        check_writable(tmp_path / "clip.mp4")


def test_json_is_for_people(tmp_path: Path) -> None:
    write_json(tmp_path / "labels.json", {"symbol": "ˈæ"})
    text = (tmp_path / "labels.json").read_text(encoding="utf-8")
    assert "ˈæ" in text and text.endswith("}\n")
    assert json.loads(text) == {"symbol": "ˈæ"}
