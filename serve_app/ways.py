"""The four ways of `avatar deploy`: what each looks at, does and takes back. deploying.py goes them."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from serve_app.deploying import Check, Step, Way
from serve_app.errors import UserError
from serve_app.images import IMAGES

ROOM = {"cpu": 4, "l4": 20}
"""Gigabytes that must be free to pull the images of a profile."""


def way(name: str, choices: Mapping[str, str], home: Path) -> Way:
    """A way by its name. ``choices``: profile, project, region, zone, host, version, images. Raises UserError."""
    made = {"compose": _compose, "vm": _vm, "gke": _gke, "cloudrun": _cloud_run}
    wanted = {"compose": (), "vm": ("project", "host"), "gke": ("project", "host"), "cloudrun": ("project",)}
    lacking = [choice for choice in wanted[name] if not choices.get(choice)]
    if lacking:
        raise UserError(f"avatar deploy {name} needs {' and '.join(f'--{choice}' for choice in lacking)}")
    return made[name](choices, home)


def _sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def _free(gigabytes: int) -> Check:
    test = f"import shutil, sys; sys.exit(shutil.disk_usage('/').free < {gigabytes}e9)"
    return Check(f"{gigabytes} GB free", (sys.executable, "-c", test), f"free room until {gigabytes} GB are")


def _compose(choices: Mapping[str, str], home: Path) -> Way:
    profile, version = choices.get("profile") or "cpu", choices["version"]
    if profile not in ROOM:
        raise UserError(f"compose has no profile {profile!r}; choose one of {', '.join(ROOM)}")
    file = str(home / "cluster" / "compose.yaml")
    compose = ("env", f"AVATAR_VERSION={version}", "docker", "compose", "-f", file, "--profile", profile)
    before = ("env", "AVATAR_VERSION={before}", *compose[2:])
    main = "cpu" if profile == "cpu" else "gateway"
    names = ["cpu"] if profile == "cpu" else [name for name in IMAGES if name not in ("cpu", "all", "builder")]
    checks = [
        Check("docker compose", ("docker", "compose", "version"), "install Docker with its compose plugin"),
        _free(ROOM[profile]),
    ]
    if profile == "l4":
        checks.append(Check("NVIDIA driver", ("nvidia-smi",), "install the driver, 580 or newer for TensorRT 11"))
    for name in names:
        image = f"{choices['images']}/{name}:{version}"
        mend = f"AVATAR_IMAGES={choices['images']} cluster/images/build.sh {name}"
        checks.append(Check(f"image {image}", ("docker", "image", "inspect", image), mend))
    key = f"docker compose -f cluster/compose.yaml --profile {profile} run --rm {main} avatar key add me"
    keys = (*compose, "run", "--rm", "--no-deps", main, "sh", "-c", "grep -q . /data/realtime-avatar/keys.toml")
    checks.append(Check("a key to come in with", keys, key))
    look = f"{shlex.join(compose)} ps --format '{{{{.Image}}}}' {main} | head -1 | sed -n 's/.*://p'"
    return Way(
        tuple(checks),
        (
            Step("look what runs", _sh(look), keep="before"),
            Step(
                "start it, and wait until it is healthy",
                (*compose, "up", "--detach", "--wait", "--wait-timeout", "600"),
                back=(*before, "up", "--detach", "--wait", "--wait-timeout", "600"),
                away=(*compose, "down"),
            ),
        ),
        "http://127.0.0.1:8080",
    )


def _terraform(choices: Mapping[str, str], home: Path, size: str, version: str) -> tuple[str, ...]:
    told = {"project": choices["project"], "size": size, "host": choices["host"], "image_version": version}
    told |= {key: choices[key] for key in ("region", "zone") if choices.get(key)}
    folder = str(home / "cluster" / "terraform" / "gcp")
    return ("terraform", f"-chdir={folder}", *(f"-var={key}={value}" for key, value in told.items()))


def _order(command: tuple[str, ...], *order: str) -> tuple[str, ...]:
    """terraform's order stands between -chdir and the variables."""
    return (*command[:2], *order, *command[2:])


def _cloud_checks(choices: Mapping[str, str]) -> tuple[Check, ...]:
    project, region = choices["project"], choices.get("region") or "us-central1"
    image = f"{choices['images']}/gateway:{choices['version']}"
    quota = (
        f"gcloud compute regions describe {region} --project {project} --flatten=quotas"
        " --filter=quotas.metric=NVIDIA_L4_GPUS --format='value(quotas.limit)' | grep -q '^[1-9]'"
    )
    return (
        Check("gcloud is logged in", ("gcloud", "auth", "print-access-token", "--quiet"), "gcloud auth login"),
        Check(f"project {project}", ("gcloud", "projects", "describe", project), "create it, or name another"),
        Check(f"quota of L4 in {region}", _sh(quota), "ask for NVIDIA_L4_GPUS under IAM & Admin, Quotas"),
        Check(
            "images in the registry",
            ("gcloud", "artifacts", "docker", "images", "describe", image),
            f"AVATAR_IMAGES={choices['images']} PUSH=1 cluster/images/build.sh",
        ),
    )


def _vm(choices: Mapping[str, str], home: Path) -> Way:
    fresh = _terraform(choices, home, "vm", choices["version"])
    before = _terraform(choices, home, "vm", "{before}")
    look = f"terraform {fresh[1]} output -raw version 2>/dev/null"
    return Way(
        (Check("terraform", ("terraform", "version"), "install it, 1.6 or newer"), *_cloud_checks(choices)),
        (
            Step("prepare Terraform", (*fresh[:2], "init", "-input=false")),
            Step("look what runs", _sh(look), keep="before"),
            Step(
                "make the machine",
                _order(fresh, "apply", "-input=false", "-auto-approve"),
                back=_order(before, "apply", "-input=false", "-auto-approve"),
            ),
            Step("wait until it answers", _sh(_answers(f"https://{choices['host']}"))),
        ),
        f"https://{choices['host']}",
        "costs: a g2-standard-8 for every hour it runs, docs/operations.md has the arithmetic; a new machine that fails"
        " is left for you to look at: terraform destroy removes it",
    )


def _answers(url: str) -> str:
    return f"for i in $(seq 120); do curl -fsS -o /dev/null {url}/healthz && exit 0; sleep 10; done; exit 1"


def _gke(choices: Mapping[str, str], home: Path) -> Way:
    fresh = _terraform(choices, home, "gke", choices["version"])
    zone = choices.get("zone") or "us-central1-a"
    overlay = str(home / "cluster" / "kubernetes" / "overlays" / (choices.get("profile") or "l4"))
    monitoring = str(home / "cluster" / "kubernetes" / "monitoring")
    credentials = ("gcloud", "container", "clusters", "get-credentials", "avatar", "--zone", zone)
    file = shlex.quote(str(Path(tempfile.gettempdir()) / f"avatar-before-{os.getpid()}.json"))
    save = f"kubectl apply view-last-applied rayservice/avatar -n avatar -o json >{file} && echo {file}"
    names = (("realtime-avatar/", f"{choices['images']}/"), (":0[.]1[.]0", f":{choices['version']}"))
    ours = " ".join(shlex.join(("-e", f"s#{a}#{b}#")) for a, b in (*names, ("avatar[.]example[.]org", choices["host"])))
    secrets = ("avatar", "avatar-keys", "avatar-redis")
    return Way(
        (
            Check("terraform", ("terraform", "version"), "install it, 1.6 or newer"),
            Check("kubectl", ("kubectl", "version", "--client"), "install it, 1.27 or newer"),
            *_cloud_checks(choices),
        ),
        (
            Step("prepare Terraform", (*fresh[:2], "init", "-input=false")),
            Step("make the cluster", _order(fresh, "apply", "-input=false", "-auto-approve")),
            Step("be let in", (*credentials, "--project", choices["project"])),
            Step("look for KubeRay", ("kubectl", "get", "crd", "rayservices.ray.io")),
            Step(
                "look for the secrets",
                ("kubectl", "get", "secret", "-n", "avatar", *secrets),
            ),
            Step("keep what runs", _sh(save), keep="before"),
            Step(
                "tell the cluster",
                _sh(f"kubectl kustomize {shlex.quote(overlay)} | sed {ours} | kubectl apply -f -"),
                back=("kubectl", "apply", "-f", "{before}"),
                away=("kubectl", "delete", "rayservice", "avatar", "-n", "avatar", "--ignore-not-found"),
            ),
            Step(
                "wait until it is ready",
                ("kubectl", "wait", "-n", "avatar", "rayservice/avatar", "--for=condition=Ready", "--timeout=30m"),
            ),
            Step("have it watched", _sh(f"kubectl apply -k {shlex.quote(monitoring)} || true")),
        ),
        f"https://{choices['host']}",
        "costs: docs/operations.md has the arithmetic; a cluster that was made stays: terraform destroy removes it",
    )


def _cloud_run(choices: Mapping[str, str], home: Path) -> Way:
    project, region = choices["project"], choices.get("region") or "us-central1"
    place = ("--project", project, "--region", region)
    file = str(home / "cluster" / "gcp" / "cloudrun.yaml")
    ours = f"-e s/PROJECT/{project}/g -e s/us-central1/{region}/g -e 's/:0\\.1\\.0/:{choices['version']}/'"
    written = f"sed {ours} {shlex.quote(file)}"
    describe = ("gcloud", "run", "services", "describe", "avatar", *place)
    return Way(
        _cloud_checks(choices)[:3],
        (
            Step("look what runs", (*describe, "--format=value(status.latestReadyRevisionName)"), keep="before"),
            Step(
                "replace the service",
                _sh(f"{written} | gcloud run services replace - {shlex.join(place)}"),
                back=("gcloud", "run", "services", "update-traffic", "avatar", "--to-revisions={before}=100", *place),
                away=("gcloud", "run", "services", "delete", "avatar", "--quiet", *place),
            ),
            Step("ask for its address", (*describe, "--format=value(status.url)"), keep="url"),
        ),
        "{url}",
        "costs: an L4 for every second that an instance lives, nothing without one; a request, and so a socket, ends"
        " after 60 minutes and is resumed",
    )
