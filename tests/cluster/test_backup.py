"""A backup holds all that cannot be made again, and a restore changes nothing unless it can be done whole."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cluster.backup import Refused, main, restore, save


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "realtime-avatar"
    (folder / "avatars" / "own-1").mkdir(parents=True)
    (folder / "avatars" / "own-1" / "portrait.jpg").write_bytes(b"a face")
    (folder / "prepared" / "own-1").mkdir(parents=True)
    (folder / "prepared" / "own-1" / "idle.mp4").write_bytes(b"made again")
    (folder / "keys.toml").write_text("[me]\n")
    with sqlite3.connect(folder / "avatar.db") as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table said (words text)")
        base.execute("insert into said values ('hello')")
    base.close()
    return folder


def said(folder: Path) -> list[str]:
    base = sqlite3.connect(folder / "avatar.db")
    try:
        return [words for (words,) in base.execute("select words from said")]
    finally:
        base.close()


def test_what_was_saved_comes_back(data: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "backup.tar.gz", tmp_path / "elsewhere" / "data"
    assert save(data, file) == 3
    assert restore(file, other) == 3
    assert said(other) == ["hello"]
    assert sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file()) == [
        "avatar.db",
        "avatars/own-1/portrait.jpg",
        "keys.toml",
    ]
    assert file.stat().st_mode & 0o077 == 0, "keys are in it: nobody else reads it"


def test_a_conversation_that_is_being_written_is_saved_as_of_its_last_commit(data: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(data / "avatar.db", isolation_level=None)
    writer.execute("insert into said values ('committed')")
    writer.execute("begin")
    writer.execute("insert into said values ('not yet')")
    save(data, tmp_path / "backup.tar.gz")
    writer.execute("commit")
    writer.close()
    restore(tmp_path / "backup.tar.gz", tmp_path / "other")
    assert said(tmp_path / "other") == ["hello", "committed"]


def test_a_restore_over_data_is_refused_or_keeps_the_old_beside(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    save(data, file)
    with sqlite3.connect(data / "avatar.db") as base:
        base.execute("insert into said values ('since then')")
    base.close()
    with pytest.raises(Refused, match="not empty"):
        restore(file, data)
    assert restore(file, data, replace=True) == 3
    assert said(data) == ["hello"]
    assert said(tmp_path / "realtime-avatar.before-1") == ["hello", "since then"]


@pytest.mark.parametrize("keep", [0, 40, -9])
def test_half_a_backup_changes_nothing(keep: int, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    save(data, file)
    file.write_bytes(file.read_bytes()[: keep or None] if keep else b"")
    with pytest.raises(Refused, match="no whole backup"):
        restore(file, data, replace=True)
    assert said(data) == ["hello"]
    assert [path.name for path in tmp_path.iterdir() if "before" in path.name or "restoring" in path.name] == []


def test_the_command_says_what_it_did(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "backup.tar.gz")
    assert main(["save", file, "--data", str(data)]) == 0
    assert main(["restore", file, "--data", str(data)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "3 files saved\n"
    assert printed.err.startswith("backup: ") and "--replace" in printed.err
