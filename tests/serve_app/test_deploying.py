"""`avatar deploy` against stand-ins for docker, terraform, gcloud and kubectl: what is run, and what is taken back.

No cloud and no container engine was asked: these tests hold the command lines, not what the real programs make of them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from serve_app import cli, clouds, deploying
from serve_app.deploying import Done, really
from serve_app.load import checked

CLOUD = {"images": "europe-docker.pkg.dev/p/avatar", "project": "p", "host": "a.example", "version": "0.1.0"}


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Stand-ins that write down how they are called, print $SAYS where $SAYS_AT is called, and fail at $FAILS."""
    log, folder = tmp_path / "log", tmp_path / "bin"
    folder.mkdir()
    script = (
        "#!/bin/sh\n"
        f'called="$(basename "$0") $*"; echo "$called" >>{log}\n'
        f'case "$called" in *"services replace -"*) cat >{tmp_path / "service.yaml"};; esac\n'
        'case "$called" in *"${FAILS:-no such thing}"*) echo "it broke"; exit 3;; esac\n'
        'case "$called" in *"${SAYS_AT:-no such thing}"*) echo "$SAYS";; esac\n'
        'case "$called" in *quotas*) echo 8;; *terraform*output*|*"compose"*" ps "*|*view-last*|*describe\\ avatar*)\n'
        '  [ -n "${SAYS_AT:-}" ] || exit 1;; esac\n'
    )
    for name in ("docker", "terraform", "gcloud", "kubectl", "curl", "nvidia-smi"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AVATAR_KEY", "ak_of_nobody")
    home = str(Path(deploying.__file__).resolve().parents[1])
    return lambda: [line.replace(home, "HOME") for line in log.read_text().splitlines()] if log.exists() else []


def going(well: bool = True) -> Callable[[Sequence[str], float], Done]:
    """The real runner, but for the client at the end."""

    def run(command: Sequence[str], limit_s: float) -> Done:
        if command[0] == sys.executable and "bench" in command:
            return Done(0 if well else 1, "" if well else "no answer within 10 s")
        if command[0] == sys.executable:  # free room: not of the machine that tests
            return Done(0, "")
        return really(command, limit_s)

    return run


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


def variables(size: str, version: str = "0.1.0") -> str:
    images = f"-var=images={CLOUD['images']}"
    return f"-var=project=p -var=size={size} -var=host=a.example {images} -var=image_version={version}"


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
    [bringing] = [line for line in ran() if line.endswith("HOME/cluster gs://p-avatar-models/cluster")]
    assert bringing.startswith("gcloud storage rsync --recursive --exclude=")
    left = re.compile(bringing.split("--exclude=")[1].split()[0])
    secret = ("kubernetes/secret.yaml", "terraform/gcp/terraform.tfstate", "terraform/gcp/.terraform/providers/x")
    assert all(left.match(name) for name in secret), "the machine's bucket is no place for secrets"
    assert not any(left.match(name) for name in ("compose.yaml", "serve/l4-apart.yaml", "proxy/Caddyfile"))
    fetching = "gcloud compute ssh avatar --project p --zone us-central1-a --tunnel-through-iap"
    fetching += " --command=sudo google_metadata_script_runner startup"
    assert [k for k, line in enumerate(ran()) if line == fetching][-1] == len(ran()) - 1, "after the way back as well"
    assert ran().count(fetching) == 2


def test_a_machine_that_was_not_there_fetches_its_images_by_itself(
    ran: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deploying.main("vm", CLOUD, apply=True, run=going()) == 0
    assert not any("compute ssh" in line or "reset" in line for line in ran())


def test_a_machine_that_cannot_be_reached_is_started_anew(
    ran: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYS_AT", "output -raw version")
    monkeypatch.setenv("SAYS", "0.0.9")
    monkeypatch.setenv("FAILS", "compute ssh")
    assert deploying.main("vm", CLOUD, apply=True, run=going()) == 0
    assert "gcloud compute instances reset avatar --project p --zone us-central1-a" in ran()


@pytest.mark.parametrize("before", ["", "/tmp/before.json"])
def test_a_cluster_goes_back_to_the_service_before(
    before: str, ran: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secret.yaml"
    secrets.write_text('REDIS_PASSWORD: "r"\n', "utf-8")
    monkeypatch.setattr(clouds, "SECRETS", secrets)
    monkeypatch.setenv("FAILS", "rayservice/avatar --for")
    if before:
        monkeypatch.setenv("SAYS_AT", "view-last-applied")
        monkeypatch.setenv("SAYS", "{}")
    assert deploying.main("gke", CLOUD, apply=True, run=going()) == 1
    done = [line for line in ran() if line.startswith("kubectl")]
    assert "kubectl kustomize HOME/cluster/kubernetes/overlays/l4" in done
    assert "kubectl apply -f -" in done
    assert f"kubectl apply -f HOME/cluster/kubernetes/base/namespace.yaml -f {secrets}" in done
    assert "kubectl wait crd/rayservices.ray.io --for=condition=Established --timeout=2m" in done
    assert done[-2] == "kubectl wait -n avatar rayservice/avatar --for=condition=Ready --timeout=30m"
    if before:
        assert done[-1].startswith("kubectl apply -f ") and done[-1].endswith(".json")
    else:
        assert done[-1] == "kubectl delete rayservice avatar -n avatar --ignore-not-found"


def test_a_cluster_without_kuberay_gets_it(
    ran: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = tmp_path / "secret.yaml"
    secrets.write_text('REDIS_PASSWORD: "r"\n', "utf-8")
    monkeypatch.setattr(clouds, "SECRETS", secrets)
    monkeypatch.setenv("FAILS", "get crd")
    assert deploying.main("gke", CLOUD, apply=True, run=going()) == 0
    done = ran()
    brought = done.index(f"kubectl apply --server-side -k {clouds.KUBERAY}")
    gone = done.index("kubectl delete job builder -n avatar --ignore-not-found")
    assert brought < gone < done.index("kubectl apply -f -")


@pytest.mark.parametrize("content", [None, 'PGPASSWORD: ""\n', 'keys.toml: "" # the file\n'])
def test_a_cluster_is_not_made_before_its_secrets_are_filled_in(
    content: str | None,
    ran: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    secrets = tmp_path / "secret.yaml"
    if content:
        secrets.write_text(content, "utf-8")
    monkeypatch.setattr(clouds, "SECRETS", secrets)
    assert deploying.main("gke", CLOUD, apply=True, run=going()) == 1
    assert f"missing  passwords and keys in {secrets} -> cp " in capsys.readouterr().out
    assert not any("terraform" in line and "apply" in line for line in ran())


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


def test_cloud_run_gets_the_image_that_was_pushed(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAYS_AT", "status.url")
    monkeypatch.setenv("SAYS", "https://avatar-1.run.app")
    there = {**CLOUD, "project": "mine", "region": "europe-west4", "version": "0.2.0"}
    assert deploying.main("cloudrun", there, apply=True, run=going()) == 0
    assert "it answers at https://avatar-1.run.app" in capsys.readouterr().out
    assert ran()[:8] == [
        "gcloud auth print-access-token --quiet",
        "gcloud projects describe mine",
        f"gcloud artifacts docker images describe {CLOUD['images']}/all:0.2.0",
        *(
            f"gcloud secrets versions describe latest --secret=avatar-{name} --project=mine"
            for name in ("keys-toml", "store-url", "openai-api-key")
        ),
        "gcloud storage ls gs://mine-avatar-models/models/",
        "gcloud run services describe avatar --project mine --region europe-west4"
        " --format=value(status.latestReadyRevisionName)",
    ]
    service = yaml.safe_load((tmp_path / "service.yaml").read_text("utf-8"))
    spec = service["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == f"{CLOUD['images']}/all:0.2.0"
    assert spec["serviceAccountName"] == "avatar-node@mine.iam.gserviceaccount.com"
    assert spec["volumes"][0]["csi"]["volumeAttributes"]["bucketName"] == "mine-avatar-models"
    assert service["metadata"]["labels"] == {"cloud.googleapis.com/location": "europe-west4"}
    assert "PROJECT" not in (tmp_path / "service.yaml").read_text("utf-8").replace("of the PROJECT", "")


def test_an_image_that_was_not_pushed_stops_cloud_run_before_anything_is_changed(
    ran: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "images describe")
    assert deploying.main("cloudrun", CLOUD, apply=True, run=going()) == 1
    image = f"{CLOUD['images']}/all:0.1.0"
    mend = f"AVATAR_IMAGES={CLOUD['images']} PUSH=1 cluster/images/build.sh all"
    assert f"missing  image {image} -> {mend}\n" in capsys.readouterr().out
    assert not any("replace" in line for line in ran())


@pytest.mark.parametrize(
    "images", [(), ("--images", "realtime-avatar"), ("--images", "us-docker.pkg.dev/only-a-project")]
)
def test_without_images_in_a_registry_a_cloud_is_refused_with_one_sentence(
    images: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for way in ("cloudrun", "vm", "gke"):
        assert cli.main(["deploy", way, "--project", "p", "--host", "a.example", *images]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"avatar: avatar deploy {way} needs --images REGION-docker.pkg.dev/PROJECT/REPOSITORY")
        assert told.count("\n") == 1


def test_what_a_way_needs_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["deploy", "vm", "--project", "p"]) == 2
    assert capsys.readouterr().err == "avatar: avatar deploy vm needs --host\n"
    assert cli.main(["deploy", "compose", "--profile", "l5"]) == 2
    assert "compose has no profile 'l5'; choose one of cpu, l4" in capsys.readouterr().err


def test_a_program_that_is_not_there_or_hangs_is_told() -> None:
    assert really(("no-such-program",), 1.0) == Done(127, "no-such-program is not installed")
    hanging = [sys.executable, "-u", "-c", "import time\nfor _ in range(99): print(1); time.sleep(0.05)"]
    assert really(hanging, 0.2) == Done(124, "it took over 0.2 s")
