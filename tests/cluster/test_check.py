"""Each check of cluster/ finds the mistake that it is there for, and finds nothing in the files as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cluster import build
from cluster.check import CHECKS
from cluster.checks.parts import Missing

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("cluster", "dashboards", "pyproject.toml", "constraints.txt")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the checks read, to plant errors in."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tmp_path / name)
    return tmp_path


def found(check: str, root: Path) -> list[str]:
    try:
        return list(CHECKS[check](root))
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("check", CHECKS)
def test_the_files_as_they_are_have_no_fault(check: str) -> None:
    assert found(check, ROOT) == []


BASE = "cluster/kubernetes/base"
L4 = "cluster/kubernetes/overlays/l4"
POSTGRES = "cluster/kubernetes/postgres"

PLANTED = [
    ("Serve configs", "cluster/serve/l4.yaml", "max_ongoing_requests", "max_ongoing_request", "no such key"),
    ("Serve configs", "cluster/serve/l4-apart.yaml", "num_gpus: 0.45", "num_gpus: 0.55", "0.98 of the GPU"),
    ("images", "cluster/images/tts.Dockerfile", "WORKDIR /data", "WORKDIR data", "DL3000"),
    ("images", "cluster/images/asr.Dockerfile", "@${PYTHON_DIGEST}\nRUN", "\nRUN", "a tag that moves"),
    ("images", "cluster/images/asr.Dockerfile", "USER 10001:10001", "USER root", "as root"),
    ("images", "cluster/images/face.Dockerfile", "HEALTHCHECK", "LABEL health=", "no HEALTHCHECK"),
    ("images", "cluster/images/face.Dockerfile", " --require-hashes", "", "require-hashes"),
    ("images", "cluster/images/locks/gateway.txt", "numpy==2", "numpy==9", "pyproject.toml wants"),
    ("images", "cluster/images/locks/tts.txt", "--hash=sha256:", "--hash=sha1:", "hashes"),
    ("images", "cluster/images/wheels.json", '"torch==', '"torch-==', "size of torch"),
    ("compose", "cluster/compose.yaml", "stop_grace_period: 30s", "stop_grace_perod: 30s", "stop_grace_perod"),
    ("compose", "cluster/compose.yaml", "read_only: true", "read_only: false", "root file system"),
    ("compose", "cluster/compose.yaml", '"127.0.0.1:8265:8265"', '"8265:8265"', "open to the world"),
    ("compose", "cluster/compose.yaml", "./serve/l4-apart.yaml", "./serve/l4-part.yaml", "does not exist"),
    ("compose", "cluster/compose.yaml", "  RAY_AUTH_MODE: disabled", "  RAY_AUTH_MODE: enabled", "RAY_AUTH_MODE"),
    ("compose", "cluster/compose.yaml", '{"face": 1}', '{"faces": 1}', "the resource faces"),
    ("compose", "cluster/compose.yaml", "  redis: {}\n", "", "the volume redis"),
    ("Kubernetes", f"{BASE}/rayservice.yaml", "excludeHeadPodFromServeSvc", "excludeHeadPodFromServeSv", "unexpected"),
    ("Kubernetes", f"{BASE}/rayservice.yaml", "type: NewCluster", "type: BlueGreen", "BlueGreen"),
    ("Kubernetes", f"{BASE}/rayservice.yaml", "version: v2", "version: v3", "v3"),
    ("Kubernetes", f"{BASE}/rayservice.yaml", "containerPort: 8080", "containerPort: http", "http"),
    (
        "Kubernetes",
        f"{BASE}/rayservice.yaml",
        "terminationGracePeriodSeconds: 60",
        "terminationGracePeriodSeconds: 20",
        "drains for",
    ),
    (
        "Kubernetes",
        f"{BASE}/rayservice.yaml",
        'metrics-export-port: "9100"\n          object',
        "object",
        "metrics-export-port",
    ),
    ("Kubernetes", f"{BASE}/rayservice.yaml", "readinessProbe: { httpGet", "readyProbe: { httpGet", "readyProbe"),
    ("Kubernetes", f"{BASE}/rayservice.yaml", "claimName: models", "claimName: model", "PersistentVolumeClaim model"),
    ("Kubernetes", f"{BASE}/disruption.yaml", "maxUnavailable: 1", "maxUnavailble: 1", "maxUnavailble"),
    ("Kubernetes", f"{BASE}/network.yaml", "policyTypes: [Ingress]", "policyTypes: Ingress", "array"),
    ("Kubernetes", f"{BASE}/redis.yaml", "apiVersion: apps/v1", "apiVersion: apps/v7", "nobody knows"),
    (
        "Kubernetes",
        f"{L4}/kustomization.yaml",
        "components:\n  - ../../postgres",
        "components: [] ",
        "cannot share SQLite",
    ),
    (
        "Kubernetes",
        f"{POSTGRES}/kustomization.yaml",
        "@postgres/",
        "@postgre/",
        "the Service postgre, and there is none",
    ),
    ("Kubernetes", f"{POSTGRES}/kustomization.yaml", "@postgres/", "@postgres:5433/", "no port 5433"),
    ("Kubernetes", f"{POSTGRES}/kustomization.yaml", "://avatar@", "://gateway@", "says gateway"),
    (
        "Kubernetes",
        f"{POSTGRES}/postgres.yaml",
        "selector: { app.kubernetes.io/name: postgres }",
        "selector: { app: postgres }",
        "no StatefulSet",
    ),
    (
        "Kubernetes",
        f"{POSTGRES}/postgres.yaml",
        "POSTGRES_DB, value: avatar",
        "POSTGRES_DB, value: talks",
        "POSTGRES_DB is talks",
    ),
    ("Kubernetes", f"{POSTGRES}/postgres.yaml", "key: PGPASSWORD", "key: PASSWORD", "which the example does not have"),
    (
        "Kubernetes",
        f"{POSTGRES}/postgres.yaml",
        "{ name: avatar, key: PG",
        "{ name: avatar-redis, key: REDIS_",
        "theirs would be another",
    ),
    (
        "Kubernetes",
        f"{POSTGRES}/postgres.yaml",
        "- { name: data, mountPath",
        "- { name: tmp, mountPath",
        "conversations go with the pod",
    ),
    (
        "Kubernetes",
        f"{POSTGRES}/postgres.yaml",
        "pg_isready, -U, avatar, -d, avatar] }, periodS",
        "pg_isready] }, periodsS",
        "periodsSeconds",
    ),
    ("Kubernetes", f"{POSTGRES}/rules.yaml", "ray.io/group: gateway", "ray.io/group: head", "lets the gateways in"),
    (
        "Kubernetes",
        f"{POSTGRES}/rules.yaml",
        "podSelector:\n            matchLabels: { ray.io/group: gateway }",
        "podSelector: {}",
        "others than the gateways",
    ),
    (
        "Kubernetes",
        f"{POSTGRES}/rules.yaml",
        "maxUnavailable: 0\n  selector:\n    matchLabels: { app.kubernetes.io/name: postgres }",
        "maxUnavailable: 0\n  selector:\n    matchLabels: { app.kubernetes.io/name: redis }",
        "no PodDisruptionBudget keeps",
    ),
    ("Kubernetes", f"{POSTGRES}/rules.yaml", "kind: PodDisruptionBudget", "kind: PodDisruptionBudge", "nobody knows"),
    ("Kubernetes", f"{L4}/stages.yaml", '\\"face\\": 1', '\\"mouth\\": 1', "resource face"),
    ("Kubernetes", f"{L4}/serve.yaml", "max_queued_requests: 32", "max_queue: 32", "no such key"),
    ("Kubernetes", f"{L4}/serve.yaml", "timeout_s: 25.0", "timeout_s: 13.0", "kills a gateway after 13 s"),
    (
        "Kubernetes",
        f"{L4}/kustomization.yaml",
        "newTag: 0.1.0 }\n  - { name: realtime-avatar/asr",
        "}\n  - { name: realtime-avatar/asr",
        "neither tag",
    ),
    ("Kubernetes", f"{L4}/kustomization.yaml", "value: avatar-shared", "value: standard-rwo", "standard-rwo is no"),
    ("Kubernetes", f"{L4}/shared.yaml", "volumeBindingMode", "volumeBinding", "volumeBinding"),
    ("Kubernetes", f"{L4}/kustomization.yaml", "path: stages.yaml", "path: stage.yaml", "stage.yaml"),
    ("Kubernetes", "cluster/kubernetes/monitoring/podmonitor.yaml", "interval: 5s", "interval: 5", "5 is not"),
    ("Caddy", "cluster/proxy/Caddyfile", "lb_policy ip_hash", "lb_policy ip_hush", "ip_hush"),
    ("nginx", "cluster/proxy/nginx.conf", "proxy_read_timeout 1h", "proxy_read_timeouts 1h", "proxy_read_timeouts"),
    ("nginx", "cluster/proxy/nginx.conf", "proxy_buffering off;", "", "WebSockets"),
    ("systemd", "cluster/systemd/realtime-avatar.service", "Restart=on-failure", "Restart=on-failre", "on-failre"),
    ("systemd", "cluster/systemd/realtime-avatar.service", "DynamicUser", "DynamicUsr", "DynamicUsr"),
    ("Prometheus", "dashboards/prometheus.yml", "scrape_interval", "scrape_intervall", "scrape_intervall"),
    (
        "Prometheus",
        "dashboards/rules.yml",
        "rate(avatar_voice_to_voice_seconds_bucket[5m])",
        "rate(avatar_voice_to_voice_seconds_bucket)",
        "rules.yml",
    ),
    (
        "Prometheus",
        "dashboards/rules.yml",
        "avatar_voice_to_voice_seconds_bucket",
        "avatar_voice_to_voice_second_bucket",
        "rules_test.yml",
    ),
    ("Prometheus", "dashboards/alertmanager.yml", "receiver: pages", "receiver: page", "undefined receiver"),
    ("scripts", "cluster/images/build.sh", 'cd "$(dirname "$0")/../.."', "cd $(dirname $0)/../..", "SC2046"),
    ("scripts", "cluster/terraform/gcp/start.sh.tftpl", "compose pull --quiet", "compose pull $quiet", "SC2154"),
    (
        "scripts",
        "cluster/terraform/gcp/start.sh.tftpl",
        "${bucket}/cluster",
        "${buckets}/cluster",
        "${buckets} is nothing",
    ),
    ("Kubernetes", f"{L4}/ingress.yaml", "timeoutSec: 86400", "timeoutSecs: 86400", "timeoutSecs"),
    ("Terraform", "cluster/terraform/gcp/vm.tf", "machine_type  ", "machine_typ   ", "no argument machine_typ"),
    (
        "Terraform",
        "cluster/terraform/gcp/vm.tf",
        "enable_secure_boot",
        "secure_boot",
        "shielded_instance_config.secure_boot",
    ),
    (
        "Terraform",
        "cluster/terraform/gcp/gke.tf",
        "max_shared_clients_per_gpu",
        "max_clients_per_gpu",
        "max_clients_per_gpu",
    ),
    ("Terraform", "cluster/terraform/gcp/gke.tf", "min_node_count", "minimum_nodes", "autoscaling.minimum_nodes"),
    (
        "Terraform",
        "cluster/terraform/gcp/main.tf",
        "threshold_percent",
        "threshold_pct",
        "threshold_rules.threshold_pct",
    ),
    (
        "Terraform",
        "cluster/terraform/gcp/main.tf",
        "google_compute_network.avatar.id",
        "google_compute_network.avatr.id",
        "avatr is nowhere",
    ),
    ("Terraform", "cluster/terraform/gcp/main.tf", "var.region", "var.regoin", "var.regoin is not declared"),
    (
        "Terraform",
        "cluster/terraform/gcp/main.tf",
        'resource "google_compute_network" "avatar" {',
        'resource "google_compute_network" "avatar" ',
        "main.tf",
    ),
    ("Terraform's layout", "cluster/terraform/gcp/vm.tf", "  tags ", "    tags ", "vm.tf"),
    ("Cloud Run", "cluster/gcp/cloudrun.yaml", "containerConcurrency", "containerConcurency", "no containerConcurency"),
    ("Cloud Run", "cluster/gcp/cloudrun.yaml", "timeoutSeconds: 3600", "timeoutSeconds: 300", "after 300 s"),
    ("Cloud Run", "cluster/gcp/cloudrun.yaml", 'minScale: "0"', "minScale: 0", "put it into quotes"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "machineType: g2", "machinType: g2", "no machinType"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "GPU: 1,", "GPU: 0.5,", "0.5"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "max_workers: 2\nidle", "max_worker: 2\nidle", "max_worker"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "RAY_AUTH_MODE=disabled ", "", "RAY_AUTH_MODE"),
    (
        "Ray's launcher",
        "cluster/gcp/ray.yaml",
        "gateway: 1, llm: 1 }",
        "gateway: 1 }",
        "too few nodes carry what llm books",
    ),
    (
        "Ray's launcher",
        "cluster/gcp/ray.yaml",
        "GPU: 1, gpu: 1 }",
        "GPU: 1 }",
        "too few nodes carry what gpu books (gpu, a GPU)",
    ),
    (
        "Ray's launcher",
        "cluster/gcp/ray.yaml",
        "max_workers: 2\n    res",
        "max_workers: 1\n    res",
        "too few nodes carry what gpu",
    ),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "-apart.yaml", ".yaml", "gateway may run on any node"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", ": constraints.txt", ": pins.txt", "there is no pins.txt"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "ubuntu-2404-lts-amd64", "ubuntu-2204-lts", "older than 3.11"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "ubuntu-2404-lts-amd64", "ubuntu-2604-lts-amd64", "different versions"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "google-api-python-client", "requests", "the head asks Google"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "[gpu,xtts,ditto]", "[gpu,ditto]", "the extra xtts is missing"),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "[gpu,xtts,ditto]", "[gpus,xtts,ditto]", "there is no extra gpus"),
    (
        "Ray's launcher",
        "cluster/gcp/ray.yaml",
        "libs==11.4.0.106",
        "libs==11.3.0.1",
        "tensorrt-cu13-libs==11.4.0.106 is missing",
    ),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "nvidia-cublas-cu12", "nvidia-cublas-cu11", "which Whisper calls"),
    (
        "Ray's launcher",
        "cluster/gcp/ray.yaml",
        "models pull --profile two-l4-one-process",
        "models pull --profile l4",
        "are not pulled",
    ),
    ("Ray's launcher", "cluster/gcp/ray.yaml", "models build", "models make", "there is no such command"),
    (
        "Ray's launcher",
        "cluster/gcp/ray.yaml",
        "--runtime tensorrt",
        "--runtime onnx",
        "models build --runtime tensorrt",
    ),
]


@pytest.mark.parametrize(
    ("check", "file", "right", "wrong", "told"),
    PLANTED,
    ids=[f"{one[0]}: {one[3].strip()[:40] or 'without ' + one[2].strip()[:32]}" for one in PLANTED],
)
def test_a_planted_error_is_found(check: str, file: str, right: str, wrong: str, told: str, tree: Path) -> None:
    for overlay in ("dev", "scale-to-zero"):  # all that they have is in l4 as well, and rendering takes time
        shutil.rmtree(tree / "cluster/kubernetes/overlays" / overlay)
    text = (tree / file).read_text("utf-8")
    assert right in text, "the place to plant it in is gone"
    (tree / file).write_text(text.replace(right, wrong, 1), "utf-8")
    faults = found(check, tree)
    assert any(told in fault for fault in faults), faults


@pytest.mark.system
@pytest.mark.timeout(600)
@pytest.mark.parametrize("check", [name for name in CHECKS if name != "made files"])
def test_an_error_is_told_by_its_own_check_and_by_no_other(check: str, tree: Path) -> None:
    made = {str(name) for name in build.made()}
    _, file, right, wrong, _ = next(one for one in PLANTED if one[0] == check and one[1] not in made)
    text = (tree / file).read_text("utf-8")
    (tree / file).write_text(text.replace(right, wrong, 1), "utf-8")
    complaints: dict[str, list[str]] = {}
    for other, look in CHECKS.items():
        try:
            complaints[other] = list(look(tree))
        except Missing:
            continue
    if check not in complaints:
        pytest.skip(f"what {check} needs is not here")
    assert [name for name, faults in complaints.items() if faults] == [check]


def test_a_made_file_that_somebody_edits_is_found(tree: Path) -> None:
    rules = tree / "cluster/kubernetes/monitoring/rules.yaml"
    rules.write_text(rules.read_text("utf-8").replace("> 1.5", "> 2.5"), "utf-8")
    assert found("made files", tree) == [
        "cluster/kubernetes/monitoring/rules.yaml: not as its source says; run python -m cluster.build"
    ]


def test_a_key_that_is_written_twice_is_found(tree: Path) -> None:
    compose = tree / "cluster/compose.yaml"
    compose.write_text(compose.read_text("utf-8") + "\nnetworks: {}\n", "utf-8")
    [fault] = found("compose", tree)
    assert "'networks' is written twice" in fault


def test_an_image_without_a_lock_is_found(tree: Path) -> None:
    (tree / "cluster/images/locks/asr.txt").unlink()
    assert "cluster/images/locks/asr.txt: there is none; run python -m cluster.locks" in found("images", tree)
