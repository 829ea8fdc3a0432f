"""The doctor says what is there, what is missing, and how to mend it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from serve_app import doctor
from serve_app.gateway.keys import KeyFile
from serve_app.settings import load, profiles


def lines(findings) -> list[str]:
    return [f"{finding.level}: {finding.found} -> {finding.mend}" for finding in findings]


def test_an_old_python_is_missing_a_new_one() -> None:
    assert lines(doctor.python((3, 10, 9)))[0] == "missing: 3.10.9 -> install Python 3.11 or later, then: make setup"
    assert lines(doctor.python((3, 13, 0)))[0] == "ok: 3.13.0 -> "


def test_a_python_of_the_system_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "prefix", doctor.sys.base_prefix)
    assert lines(doctor.python())[1] == "note: not a virtual one; other packages may interfere -> make setup"


def test_a_full_disk_and_a_full_memory_say_how_much_is_wanted() -> None:
    assert lines(doctor.disk(300_000_000)) == ["missing: 0.3 GB free -> free 0.7 GB more"]
    assert lines(doctor.memory(900_000_000)) == ["missing: 0.9 GB available -> end programs until 1.5 GB are"]
    assert lines(doctor.disk(5_000_000_000)) == ["ok: 5.0 GB free -> "]
    assert lines(doctor.memory(8_000_000_000)) == ["ok: 8.0 GB available -> "]


def test_the_memory_of_this_machine_is_a_sensible_number() -> None:
    assert 10**7 < doctor._available_memory() < 10**14


def test_one_core_is_enough_but_noted() -> None:
    assert lines(doctor.cpu(1)) == ["note: 1 core; answers come late below 2 -> avatar run --local"]
    assert lines(doctor.cpu(8)) == ["ok: 8 cores -> "]


def test_a_port_that_is_taken_is_noted_with_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lines(doctor.ports([port])) == [f"note: in use -> end the program that listens at {port}"]
    assert lines(doctor.ports([port])) == ["ok: free -> "]


def test_packages_that_are_absent_or_too_old_are_missing() -> None:
    rows = ["numpy>=1", "numpy<1", "no-such-thing==1.0", "colour>=1; extra == 'dev'"]
    found = lines(doctor.requirements(rows))
    assert len(found) == 2
    assert found[0] == "missing: no-such-thing is not installed -> make setup"
    assert found[1].startswith("missing: numpy is ") and found[1].endswith("needed is <1 -> make setup")


def test_what_is_installed_here_is_what_is_needed() -> None:
    assert [finding.level for finding in doctor.requirements()] == ["ok"]
    assert [finding.level for finding in doctor.shadows()] == ["ok"]


def test_a_version_that_was_not_tested_is_noted(tmp_path: Path) -> None:
    pinned = tmp_path / "constraints.txt"
    pinned.write_text("# a remark\nnumpy==0.0.1\nno-such-thing==1.0\n")
    [finding] = doctor.pins(pinned)
    assert finding.level == "note" and "(tested: 0.0.1)" in finding.found and "no-such" not in finding.found


def test_portraits_of_ones_own_are_a_part_that_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert lines(doctor.portraits()) == ["note: one's own need a part that is not set up -> avatar portrait setup"]
    home = tmp_path / "realtime-avatar" / "portrait-import"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").touch()
    (home / "ready").touch()
    assert lines(doctor.portraits()) == ["ok: one's own can be taken in -> "]


def test_a_stranger_with_our_name_is_named() -> None:
    owners = {"streaming": ["realtime-avatar", "mosaicml-streaming"]}
    assert lines(doctor.shadows(owners)) == [
        "missing: mosaicml-streaming brings a package streaming too -> pip uninstall mosaicml-streaming"
    ]


def test_the_door_is_told_in_a_line_each(tmp_path: Path) -> None:
    wished = load(door={"keys": str(tmp_path / "keys.toml"), "messages": 50})
    assert lines(doctor.door(wished)) == [
        f"ok: none; they would be in {tmp_path / 'keys.toml'} -> ",
        "ok: 127.0.0.1:8080 -> ",
        "ok: open to this machine without a key, 50 messages a second -> ",
    ]
    others = load(door={"keys": str(tmp_path / "keys.toml")}, gateway={"host": "0.0.0.0", "port": 80})
    *_, refused = doctor.door(others)
    assert (refused.level, refused.mend) == ("missing", "avatar key add NAME")
    assert refused.found.startswith("0.0.0.0 can be reached from other machines")
    KeyFile(tmp_path / "keys.toml").add("phone")
    assert lines(doctor.door(others)) == [
        f"ok: 1 in {tmp_path / 'keys.toml'} -> ",
        "ok: 0.0.0.0:80 -> ",
        "ok: asks for a key -> ",
    ]
    (tmp_path / "keys.toml").write_text("no keys")
    [broken] = doctor.door(others)
    assert broken.level == "missing" and "mend the file or put a copy back" in broken.found


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("note", 0), ("missing", 1)])
def test_only_what_is_missing_makes_it_fail(level, code: int, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([doctor.Finding(level, "x", "y", "z")]),))
    monkeypatch.setattr(doctor, "OF_PROFILE", ())
    assert doctor.main() == code
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"{level:<8} x            y -> z"
    assert last == ("1 missing: mend the lines above" if code else "it can run here: avatar run")


def test_a_profile_that_there_is_not_is_told_like_anything_else(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(doctor, "CHECKS", ())
    assert doctor.main("l5") == 1
    assert "missing  profile      there is no profile 'l5'; choose cpu or " in capsys.readouterr().out


def test_a_setting_that_is_wrong_is_told_once(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("AVATAR_GATEWAY__PORT", "many")
    doctor.main()
    assert capsys.readouterr().out.count("AVATAR_GATEWAY__PORT") == 1


def test_what_depends_on_the_profile_is_asked_of_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(doctor, "CHECKS", ())
    told = lambda settings: iter([doctor.Finding("ok", "x", settings.profile)])  # noqa: E731
    monkeypatch.setattr(doctor, "OF_PROFILE", (told,))
    assert doctor.main("mac") == 0
    assert capsys.readouterr().out == "ok       x            mac\nit can run here: avatar run --profile mac\n"


def test_what_stages_lack_here_is_only_noted_where_they_run_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(doctor, "CHECKS", ())
    lacks = lambda settings: iter([doctor.Finding("missing", "x", "y")])  # noqa: E731
    monkeypatch.setattr(doctor, "OF_PROFILE", (lacks,))
    monkeypatch.setattr(doctor, "OF_STAGES", (lacks,))
    assert doctor.main("l4") == 1
    monkeypatch.setenv("AVATAR_RAY__ADDRESS", "auto")
    capsys.readouterr()
    assert doctor.main("l4") == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("note     cluster      the stages run at auto;")
    assert second == "note     x            y"


@pytest.mark.parametrize("profile", profiles())
def test_a_profile_for_gpus_never_can_run_without_one(profile: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Nothing else is looked at, and a machine that tests has none."""
    monkeypatch.setattr(doctor, "CHECKS", ())
    monkeypatch.setattr(doctor, "OF_PROFILE", (lambda settings: doctor.lacking.gpu(settings, "no-such-program"),))
    code, said = doctor.main(profile), capsys.readouterr().out
    assert code == int("l4" in profile)
    assert ("it can run here" in said) == ("l4" not in profile)
