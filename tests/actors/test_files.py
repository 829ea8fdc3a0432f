"""Files appear whole or not at all, whoever writes at once."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from actors.files import whole, write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "voice.bin"
    file.write_bytes(b"old")
    with whole(file) as part:
        assert part.parent == tmp_path and not part.exists(), "the writer makes it, with whatever library"
        part.write_bytes(b"half")
        assert file.read_bytes() == b"old"
        part.write_bytes(b"whole")
    assert (names(tmp_path), file.read_bytes()) == (["voice.bin"], b"whole")


def test_whoever_breaks_off_leaves_nothing_behind_and_the_old_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "voice.bin"
    file.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole(file) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), whole(file):
        _ = 1 / 0
    assert (names(tmp_path), file.read_bytes()) == (["voice.bin"], b"old")


def test_two_who_write_one_file_at_once_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "voice.bin"
    with whole(file) as one, whole(file) as other:
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert (names(tmp_path), file.read_bytes()) == (["voice.bin"], b"one"), "the last to be complete stands"


def test_a_private_file_is_its_owners_from_its_first_byte_on(tmp_path: Path) -> None:
    with whole(tmp_path / "keys", private=True) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        part.write_bytes(b"secret")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    assert write(tmp_path / "keys", b"new", private=True).stat().st_mode & 0o077 == 0


def test_other_files_are_as_open_as_whoever_writes_wants_them(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"as any program writes")
    assert write(tmp_path / "whole", b"data").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("private", [False, True])
def test_what_the_system_refuses_comes_as_it_says_it(tmp_path: Path, private: bool) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "absent" / "voice.bin", b"data", private=private)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "folder", b"data", private=private)
    assert names(tmp_path) == ["folder"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "voice.bin", b"data")
    assert names(tmp_path) == []
