"""`avatar deploy` against stand-ins for docker, terraform, gcloud and kubectl: what is run, and what is taken back.

No cloud and no container engine was asked: these tests hold the command lines, not what the real programs make of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from serve_app import cli, deploying
from serve_app.deploying import Done, really

CLOUD = {"images": "europe-docker.pkg.dev/p/avatar", "project": "p", "host": "a.example", "version": "0.1.0"}


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Stand-ins that write down how they are called, print $SAYS where $SAYS_AT is called, and fail at $FAILS."""
    log, folder = tmp_path / "log", tmp_path / "bin"
    folder.mkdir()
    script = (
        "#!/bin/sh\n"
        f'called="$(basename "$0") $*"; echo "$called" >>{log}\n'
        'case "$called" in *"${FAILS:-no such thing}"*) echo "it broke"; exit 3;; esac\n'
        'case "$called" in *"${SAYS_AT:-no such thing}"*) echo "$SAYS";; esac\n'
        'case "$called" in *quotas*) echo 8;; *terraform*output*|*"compose"*" ps "*|*view-last*|*describe\\ avatar*)\n'
        '  [ -n "${SAYS_AT:-}" ] || exit 1;; esac\n'
    )
    for name in ("docker", "terraform", "gcloud", "kubectl", "curl", "nvidia-smi"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    home = str(Path(deploying.__file__).resolve().parents[1])
    return lambda: [line.replace(home, "HOME") for line in log.read_text().splitlines()] if log.exists() else []


def going(well: bool = True) -> Callable[[Sequence[str], float], Done]:
    """The real runner, but for the client at the end."""

    def run(command: Sequence[str], limit_s: float) -> Done:
        if command[0] == sys.executable and "load" in command:
            return Done(0 if well else 1, "" if well else "no answer within 10 s")
        if command[0] == sys.executable:  # free room: not of the machine that tests
            return Done(0, "")
        return really(command, limit_s)

    return run


COMPOSE = "docker compose -f HOME/cluster/compose.yaml --profile cpu"
LOCAL = {"images": "realtime-avatar", "version": "0.1.0"}


def test_a_dry_run_looks_and_changes_nothing(ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert deploying.main("compose", LOCAL, apply=False, run=going()) == 0
    assert ran() == [
        "docker compose version",
        "docker image inspect realtime-avatar/cpu:0.1.0",
        f"{COMPOSE} run --rm --no-deps cpu sh -c grep -q . /data/realtime-avatar/keys.toml",
    ]
    assert capsys.readouterr().out.endswith("nothing was changed; do it with --apply\n")


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
    assert "taken back  start it, and wait until it is healthy: env AVATAR_VERSION=0.0.9 docker compose" in said


def test_a_rollback_that_fails_is_said_loudly(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "--profile cpu down")
    assert deploying.main("compose", LOCAL, apply=True, run=going(well=False)) == 1
    assert "NOT taken back" in capsys.readouterr().out


def variables(size: str, version: str = "0.1.0") -> str:
    return f"-var=project=p -var=size={size} -var=host=a.example -var=image_version={version}"


def test_a_vm_goes_back_to_the_images_before(ran: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYS_AT", "output -raw version")
    monkeypatch.setenv("SAYS", "0.0.9")
    assert deploying.main("vm", CLOUD, apply=True, run=going(well=False)) == 1
    there = "terraform -chdir=HOME/cluster/terraform/gcp"
    assert [line for line in ran() if line.startswith(there)] == [
        f"{there} init -input=false",
        f"{there} output -raw version",
        f"{there} apply -input=false -auto-approve {variables('vm')}",
        f"{there} apply -input=false -auto-approve {variables('vm', '0.0.9')}",
    ]


@pytest.mark.parametrize("before", ["", "/tmp/before.json"])
def test_a_cluster_goes_back_to_the_service_before(
    before: str, ran: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "kubectl wait")
    if before:
        monkeypatch.setenv("SAYS_AT", "view-last-applied")
        monkeypatch.setenv("SAYS", "{}")
    assert deploying.main("gke", CLOUD, apply=True, run=going()) == 1
    done = [line for line in ran() if line.startswith("kubectl")]
    assert "kubectl kustomize HOME/cluster/kubernetes/overlays/l4" in done
    assert "kubectl apply -f -" in done
    assert done[-2] == "kubectl wait -n avatar rayservice/avatar --for=condition=Ready --timeout=30m"
    if before:
        assert done[-1].startswith("kubectl apply -f ") and done[-1].endswith(".json")
    else:
        assert done[-1] == "kubectl delete rayservice avatar -n avatar --ignore-not-found"


def test_cloud_run_is_asked_where_it_is_and_goes_back_to_its_revision(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYS_AT", "describe avatar")
    monkeypatch.setenv("SAYS", "avatar-00007")
    assert deploying.main("cloudrun", CLOUD, apply=True, run=going(well=False)) == 1
    place = "--project p --region us-central1"
    assert ran()[-4:] == [
        f"gcloud run services describe avatar {place} --format=value(status.latestReadyRevisionName)",
        f"gcloud run services replace - {place}",
        f"gcloud run services describe avatar {place} --format=value(status.url)",
        f"gcloud run services update-traffic avatar --to-revisions=avatar-00007=100 {place}",
    ]


def test_what_a_way_needs_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["deploy", "vm", "--project", "p"]) == 2
    assert capsys.readouterr().err == "avatar: avatar deploy vm needs --host\n"
    assert cli.main(["deploy", "compose", "--profile", "l5"]) == 2
    assert "compose has no profile 'l5'; choose one of cpu, l4" in capsys.readouterr().err


def test_a_program_that_is_not_there_or_hangs_is_told() -> None:
    assert really(("no-such-program",), 1.0) == Done(127, "no-such-program is not installed")
    hanging = [sys.executable, "-u", "-c", "import time\nfor _ in range(99): print(1); time.sleep(0.05)"]
    assert really(hanging, 0.2) == Done(124, "it took over 0.2 s")
