"""`avatar deploy` against stand-ins for docker: what is run, and what is taken back.

No cloud and no container engine was asked: these tests hold the command lines, not what the real programs make of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from serve_app import cli, deploying
from serve_app.deploying import Done, really
from serve_app.load import checked
from tests.serve_app.stand_ins import going, ran

__all__ = ["ran"]

COMPOSE = "docker compose -f HOME/cluster/compose.yaml --profile cpu"


LOCAL = {"version": "0.1.0"}


def test_a_dry_run_looks_and_changes_nothing(ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert deploying.main("compose", LOCAL, apply=False, run=going()) == 0
    assert ran() == [
        "docker compose version",
        "docker image inspect realtime-avatar/cpu:0.1.0",
        f"{COMPOSE} run --rm --no-deps cpu sh -c grep -q . /data/realtime-avatar/keys.toml",
    ]
    assert capsys.readouterr().out.endswith("nothing was changed; do it with --apply\n")


def test_compose_is_told_where_the_images_are(ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert deploying.main("compose", {**LOCAL, "images": "elsewhere/avatar"}, apply=False, run=going()) == 0
    assert "env AVATAR_IMAGES=elsewhere/avatar AVATAR_VERSION=0.1.0 docker compose" in capsys.readouterr().out


def test_what_is_missing_is_said_with_its_mend_and_nothing_is_done(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "image inspect")
    assert deploying.main("compose", LOCAL, apply=True, run=going()) == 1
    said = capsys.readouterr().out
    assert (
        "missing  image realtime-avatar/cpu:0.1.0 -> AVATAR_IMAGES=realtime-avatar cluster/images/build.sh cpu" in said
    )
    assert not any(" up " in line for line in ran())


def test_what_talks_to_it_at_the_end_is_a_command_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    command = deploying.smoke("https://a.example")
    assert command[:3] == (sys.executable, "-m", "serve_app.cli")
    chosen = cli.parser().parse_args(command[3:])
    assert (chosen.url, chosen.sessions, chosen.yes) == ("wss://a.example/v1/realtime", 1, True)
    assert checked(chosen).seconds == 30
    assert deploying.shown(command).startswith("avatar bench --url wss://a.example/v1/realtime")


def test_without_a_key_to_speak_with_nothing_is_done(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AVATAR_KEY")
    assert deploying.main("compose", LOCAL, apply=True, run=going()) == 1
    assert "missing  a key to speak with, in AVATAR_KEY -> export AVATAR_KEY=ak_..." in capsys.readouterr().out
    assert not any(" up " in line for line in ran())


def test_compose_is_started_and_talked_to(ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert deploying.main("compose", LOCAL, apply=True, run=going()) == 0
    assert ran()[3:] == [
        f"{COMPOSE} ps --format {{{{.Image}}}} cpu",
        f"{COMPOSE} up --detach --wait --wait-timeout 600",
    ]
    assert capsys.readouterr().out.endswith("it answers at http://127.0.0.1:8080\n")


def test_where_nothing_ran_before_a_failure_takes_it_away(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", " up ")
    assert deploying.main("compose", LOCAL, apply=True, run=going()) == 1
    assert ran()[-1] == f"{COMPOSE} down"
    assert "failed    start it, and wait until it is healthy failed: it broke" in capsys.readouterr().out


def test_where_nobody_can_talk_to_it_the_version_before_comes_back(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYS_AT", " ps ")
    monkeypatch.setenv("SAYS", "realtime-avatar/cpu:0.0.9")
    assert deploying.main("compose", LOCAL, apply=True, run=going(well=False)) == 1
    assert [line for line in ran() if " up " in line] == [f"{COMPOSE} up --detach --wait --wait-timeout 600"] * 2
    said = capsys.readouterr().out
    assert "nobody could talk to it: no answer within 10 s" in said
    assert (
        "taken back  start it, and wait until it is healthy: env AVATAR_IMAGES=realtime-avatar AVATAR_VERSION=0.0.9"
        in said
    )


def test_a_rollback_that_fails_is_said_loudly(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "--profile cpu down")
    assert deploying.main("compose", LOCAL, apply=True, run=going(well=False)) == 1
    assert "NOT taken back" in capsys.readouterr().out


def test_what_a_way_needs_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["deploy", "vm", "--project", "p"]) == 2
    assert capsys.readouterr().err == "avatar: avatar deploy vm needs --host\n"
    assert cli.main(["deploy", "compose", "--profile", "l5"]) == 2
    assert "compose has no profile 'l5'; choose one of cpu, l4" in capsys.readouterr().err


def test_a_program_that_is_not_there_or_hangs_is_told() -> None:
    assert really(("no-such-program",), 1.0) == Done(127, "no-such-program is not installed")
    hanging = [sys.executable, "-u", "-c", "import time\nfor _ in range(99): print(1); time.sleep(0.05)"]
    assert really(hanging, 0.2) == Done(124, "it took over 0.2 s")
