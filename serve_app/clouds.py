"""Google's three ways of `avatar deploy`: a machine (vm), a cluster (gke), Cloud Run. deploying.py goes them.

What only the person has (images, models, keys, passwords) is looked for before anything is changed, each with the line
that brings it. Every name that comes from the command line is quoted before a shell reads it.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

from serve_app.deploying import KEY, Check, Step, Way
from serve_app.errors import UserError

REGION, ZONE = "us-central1", "us-central1-a"
REGISTRY = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev(/[\w.:-]+){2,}")
KUBERAY = "github.com/ray-project/kuberay/ray-operator/config/default?ref=v1.7.0"
KEPT = "--exclude=^(gcp|images|kubernetes|terraform)/.*"
"""What no machine needs of cluster/: Terraform's state and the cluster's secrets may lie there."""
SECRETS = Path("cluster/kubernetes/secret.yaml")
"""What the person made of secret.example.yaml; git ignores it."""
VARIABLES = Path("cluster/terraform/gcp/terraform.tfvars")
"""Terraform's variables of this person, which it reads by itself; git ignores them."""


def sh(text: str) -> tuple[str, ...]:
    """A command line that a shell reads."""
    return ("sh", "-c", text)


def registry(name: str, choices: Mapping[str, str]) -> str:
    """Where the images are. Raises UserError for what is no repository of Google's registry."""
    images = choices.get("images", "")
    if not REGISTRY.fullmatch(images):
        raise UserError(
            f"avatar deploy {name} needs --images REGION-docker.pkg.dev/PROJECT/REPOSITORY, where"
            f" cluster/images/build.sh pushed them{f', not {images}' if images else ''}"
        )
    return images


# ---- what is looked at ---------------------------------------------------------------------------------------------


def _account(project: str) -> tuple[Check, ...]:
    return (
        KEY,
        Check("gcloud is logged in", ("gcloud", "auth", "print-access-token", "--quiet"), "gcloud auth login"),
        Check(f"project {project}", ("gcloud", "projects", "describe", project), "create it, or name another"),
    )


def _quota(project: str, region: str) -> Check:
    """Of Compute's L4s. Cloud Run's own are another quota, which a project has from the start."""
    look = (
        f"gcloud compute regions describe {shlex.quote(region)} --project {shlex.quote(project)} --flatten=quotas"
        " --filter=quotas.metric=NVIDIA_L4_GPUS --format='value(quotas.limit)' | grep -q '^[1-9]'"
    )
    return Check(f"quota of L4 in {region}", sh(look), "ask for NVIDIA_L4_GPUS under IAM & Admin, Quotas")


def _image(images: str, name: str, version: str) -> Check:
    image = f"{images}/{name}:{version}"
    mend = f"AVATAR_IMAGES={images} PUSH=1 cluster/images/build.sh {name}"
    return Check(f"image {image}", ("gcloud", "artifacts", "docker", "images", "describe", image), mend)


def _secret(project: str, name: str, value: str) -> Check:
    """Whether a secret of Terraform's has a value; ``value`` is what writes one to the standard output."""
    command = ("gcloud", "secrets", "versions", "describe", "latest", f"--secret=avatar-{name}", f"--project={project}")
    add = f"{value} | gcloud secrets versions add avatar-{name} --data-file=- --project={project}"
    return Check(f"secret avatar-{name}", command, add)


def _keys(project: str) -> Check:
    return _secret(project, "keys-toml", "avatar key add me && cat ~/.local/share/realtime-avatar/keys.toml")


def _filled_in(home: Path) -> Check:
    """Whether every password and the keys are in the file of the cluster's secrets."""
    file = shlex.quote(str(home / SECRETS))
    look = f"test -f {file} && ! grep -Eq '(PASSWORD|keys.toml): \"\"' {file}"
    mend = f"cp {SECRETS.with_suffix('.example.yaml')} {SECRETS}, and fill it in"
    return Check(f"passwords and keys in {SECRETS}", sh(look), mend)


def _let_in(home: Path) -> Check:
    """Whether anybody may reach the cluster's API: without a network of theirs nobody outside of Google may."""
    mend = f"echo 'administrators = {{ me = \"YOUR.OWN.ADDRESS/32\" }}' >>{VARIABLES}"
    look = ("grep", "-q", "^administrators", str(home / VARIABLES))
    return Check(f"a network that may reach the cluster, in {VARIABLES}", look, mend)


def _models(project: str, profile: str) -> Check:
    bucket = f"gs://{project}-avatar-models/models"
    mend = (
        f"avatar models pull --profile {profile} --accept-licence --trust-first-use && gcloud storage rsync --recursive"
        f" ~/.cache/realtime-avatar/models {bucket}"
    )
    return Check(f"models in {bucket}", ("gcloud", "storage", "ls", f"{bucket}/"), mend)


# ---- Terraform -----------------------------------------------------------------------------------------------------


APPLY = ("apply", "-input=false", "-auto-approve")
TERRAFORM = Check("terraform", ("terraform", "version"), "install it, 1.6 or newer")


def _terraform(choices: Mapping[str, str], home: Path, size: str, version: str, *order: str) -> tuple[str, ...]:
    """terraform's order stands between -chdir and the variables."""
    told = {"project": choices["project"], "size": size, "host": choices["host"], "images": choices["images"]}
    told |= {"image_version": version} | {key: choices[key] for key in ("region", "zone") if choices.get(key)}
    folder = str(home / "cluster" / "terraform" / "gcp")
    return ("terraform", f"-chdir={folder}", *order, *(f"-var={key}={value}" for key, value in told.items()))


def _named(choices: Mapping[str, str], terraform: tuple[str, ...]) -> str:
    return f"the record of {choices['host']} must name what `terraform {terraform[1]} output -raw address` prints"


# ---- the ways ------------------------------------------------------------------------------------------------------


def vm(choices: Mapping[str, str], home: Path) -> Way:
    """One machine with an L4. Raises UserError."""
    images = registry("vm", choices)
    project, zone, version = choices["project"], choices.get("zone") or ZONE, choices["version"]
    fresh = _terraform(choices, home, "vm", version, *APPLY)
    before = _terraform(choices, home, "vm", "{before}", *APPLY)
    bucket = f"gs://{project}-avatar-models"
    place = shlex.join(("--project", project, "--zone", zone))
    script = "sudo google_metadata_script_runner startup"
    again = f"(gcloud compute ssh avatar {place} --tunnel-through-iap --command={shlex.quote(script)}"
    again += f" || gcloud compute instances reset avatar {place})"
    url = f"https://{choices['host']}"
    rooms = [
        Step(
            f"bring {name}/ to where the machine fetches it",
            ("gcloud", "storage", "rsync", "--recursive", *but, str(home / name), f"{bucket}/{name}"),
        )
        for name, but in (("cluster", (KEPT,)), ("dashboards", ()))
    ]
    return Way(
        (
            TERRAFORM,
            *_account(project),
            _quota(project, choices.get("region") or REGION),
            *(_image(images, name, version) for name in ("gateway", "asr", "tts", "face", "builder")),
            _keys(project),
            _models(project, "l4"),
        ),
        (
            Step("prepare Terraform", (*fresh[:2], "init", "-input=false")),
            Step(
                "look what runs",
                sh(f"terraform {shlex.quote(fresh[1])} output -raw version 2>/dev/null"),
                keep="before",
            ),
            *rooms,
            Step("make the machine", fresh, back=sh(f"{shlex.join(before)} && {again}")),
            # a new machine does so by itself; this names {before}, and is passed over where there was none
            Step("have it fetch the new images", sh(f": {{before}}; {again}")),
            Step("wait until it answers", sh(_answers(url))),
        ),
        url,
        f"{_named(choices, fresh)}; costs: a g2-standard-8 for every hour it runs, docs/operations.md has the"
        " arithmetic; a new machine that fails is left for you to look at: terraform destroy removes it",
    )


def _answers(url: str) -> str:
    return (
        f"for i in $(seq 300); do curl -fsS -o /dev/null {shlex.quote(url)}/healthz && exit 0; sleep 10; done; exit 1"
    )


def gke(choices: Mapping[str, str], home: Path) -> Way:
    """A cluster with KubeRay. Raises UserError."""
    images = registry("gke", choices)
    project, version, zone = choices["project"], choices["version"], choices.get("zone") or ZONE
    fresh = _terraform(choices, home, "gke", version, *APPLY)
    kubernetes = home / "cluster" / "kubernetes"
    overlay = shlex.quote(str(kubernetes / "overlays" / (choices.get("profile") or "l4")))
    file = shlex.quote(str(Path(tempfile.gettempdir()) / f"avatar-before-{os.getpid()}.json"))
    save = f"kubectl apply view-last-applied rayservice/avatar -n avatar -o json >{file} && echo {file}"
    names = (("realtime-avatar/", f"{images}/"), (":0[.]1[.]0", f":{version}"))
    ours = " ".join(shlex.join(("-e", f"s#{a}#{b}#")) for a, b in (*names, ("avatar[.]example[.]org", choices["host"])))
    operator = f"kubectl get crd rayservices.ray.io || kubectl apply --server-side -k {shlex.quote(KUBERAY)}"
    return Way(
        (
            TERRAFORM,
            Check("kubectl", ("kubectl", "version", "--client"), "install it, 1.27 or newer"),
            *_account(project),
            _quota(project, choices.get("region") or REGION),
            *(_image(images, name, version) for name in ("gateway", "asr", "tts", "face", "builder")),
            _let_in(home),
            _filled_in(home),
        ),
        (
            Step("prepare Terraform", (*fresh[:2], "init", "-input=false")),
            Step("make the cluster", fresh),
            Step(
                "be let in",
                ("gcloud", "container", "clusters", "get-credentials", "avatar", "--zone", zone, "--project", project),
            ),
            Step("bring KubeRay, if there is none", sh(operator)),
            Step("wait until it is known", _wait("crd/rayservices.ray.io", "Established", "2m")),
            Step(
                "bring the secrets",
                ("kubectl", "apply", "-f", str(kubernetes / "base" / "namespace.yaml"), "-f", str(home / SECRETS)),
            ),
            Step("keep what runs", sh(save), keep="before"),
            # its image is of the version before, and a Job's template cannot be changed
            Step("let the builder go", ("kubectl", "delete", "job", "builder", "-n", "avatar", "--ignore-not-found")),
            Step(
                "tell the cluster",
                sh(f"kubectl kustomize {overlay} | sed {ours} | kubectl apply -f -"),
                back=("kubectl", "apply", "-f", "{before}"),
                away=("kubectl", "delete", "rayservice", "avatar", "-n", "avatar", "--ignore-not-found"),
            ),
            Step("wait until it is ready", _wait("rayservice/avatar", "Ready", "30m", "-n", "avatar")),
            Step("have it watched", sh(f"kubectl apply -k {shlex.quote(str(kubernetes / 'monitoring'))} || true")),
        ),
        f"https://{choices['host']}",
        f"{_named(choices, fresh)}; costs: docs/operations.md has the arithmetic; a cluster that was made stays:"
        " terraform destroy removes it",
    )


def _wait(what: str, condition: str, limit: str, *where: str) -> tuple[str, ...]:
    return ("kubectl", "wait", *where, what, f"--for=condition={condition}", f"--timeout={limit}")


def cloud_run(choices: Mapping[str, str], home: Path) -> Way:
    """One container of the image `all`, with an L4 while somebody is there. Raises UserError."""
    images = registry("cloudrun", choices)
    project, region, version = choices["project"], choices.get("region") or REGION, choices["version"]
    place = ("--project", project, "--region", region)
    image = f"{images}/all:{version}"
    ours = (
        (f"image: {REGION}-docker[.]pkg[.]dev/PROJECT/avatar/all:0[.]1[.]0", f"image: {image}"),
        ("PROJECT", project),
        (f"location: {REGION}", f"location: {region}"),
    )
    written = f"sed {' '.join(shlex.join(('-e', f's#{a}#{b}#g')) for a, b in ours)} "
    written += shlex.quote(str(home / "cluster" / "gcp" / "cloudrun.yaml"))
    describe = ("gcloud", "run", "services", "describe", "avatar", *place)
    return Way(
        (
            *_account(project),
            _image(images, "all", version),
            _keys(project),
            _secret(project, "store-url", "printf %s 'postgresql://USER:PASSWORD@HOST/NAME'"),
            _secret(project, "openai-api-key", 'printf %s "$OPENAI_API_KEY"'),
            _models(project, "l4-one-process"),
        ),
        (
            Step("look what runs", (*describe, "--format=value(status.latestReadyRevisionName)"), keep="before"),
            Step(
                f"replace the service by one of {image}",
                sh(f"{written} | gcloud run services replace - {shlex.join(place)}"),
                back=("gcloud", "run", "services", "update-traffic", "avatar", "--to-revisions={before}=100", *place),
                away=("gcloud", "run", "services", "delete", "avatar", "--quiet", *place),
            ),
            Step("ask for its address", (*describe, "--format=value(status.url)"), keep="url"),
        ),
        "{url}",
        "costs: an L4 for every second that an instance lives, nothing without one; a request, and so a socket, ends"
        " after 60 minutes and is resumed",
    )
