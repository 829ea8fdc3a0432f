"""`avatar deploy vm|gke|cloudrun` against stand-ins: what is run, what is asked for first, and what is taken back.

No cloud was asked: these tests hold the command lines, not what the real programs make of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from serve_app import cli, clouds, deploying
from tests.serve_app.stand_ins import going, ran

__all__ = ["ran"]

CLOUD = {"images": "europe-docker.pkg.dev/p/avatar", "project": "p", "host": "a.example", "version": "0.1.0"}


def written(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
    variables: str = 'administrators = { me = "192.0.2.1/32" }',
) -> Path:
    """The two files that a person writes for a cluster; that of the secrets."""
    secrets, terraform = folder / "secret.yaml", folder / "terraform.tfvars"
    secrets.write_text(secret, "utf-8")
    terraform.write_text(variables, "utf-8")
    monkeypatch.setattr(clouds, "SECRETS", secrets)
    monkeypatch.setattr(clouds, "VARIABLES", terraform)
    return secrets


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
    secrets = written(tmp_path, monkeypatch, 'REDIS_PASSWORD: "r"\n')
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
    written(tmp_path, monkeypatch, 'REDIS_PASSWORD: "r"\n')
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
    secrets = written(tmp_path, monkeypatch, content or "")
    if content is None:
        secrets.unlink()
    assert deploying.main("gke", CLOUD, apply=True, run=going()) == 1
    assert f"missing  passwords and keys in {secrets} -> cp " in capsys.readouterr().out
    assert not any("terraform" in line and "apply" in line for line in ran())


def test_a_cluster_is_not_made_that_nobody_could_reach(
    ran: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    written(tmp_path, monkeypatch, 'REDIS_PASSWORD: "r"\n', "")
    assert deploying.main("gke", CLOUD, apply=True, run=going()) == 1
    assert 'administrators = { me = "YOUR.OWN.ADDRESS/32" }' in capsys.readouterr().out
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
