"""Which boxes a run has: those of the files, a second gateway, and what an operator would bring: nginx, PostgreSQL."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from cluster.checks.parts import documents
from cluster.layout import compose, rayservice
from cluster.layout.box import GIVEN, Box, Mount, Unknown, image
from cluster.layout.database import STORE, database

NGINX = Path("cluster/proxy/nginx.conf")
PROFILES = Path("serve_app/profiles")
EMBEDDED = ("asr", "tts", "face")
"""Stages whose engines of the profile cpu stand in for those that want a GPU."""
SERVE = "/serve.yaml"
HOST = "avatar.example.org"
"""The name that nginx.conf has, and that the client asks for."""
GATEWAY_PORT = 8080


@dataclass(frozen=True, slots=True)
class Plan:
    """What is started, in this order."""

    boxes: tuple[Box, ...]
    gateways: tuple[str, ...]
    """Names of those that nginx asks."""
    deploy: Box
    """Puts a Serve config on the cluster; for an upgrade once more, with another version."""
    dashboard: str
    """Where Serve and Ray are asked how it is."""


def of_compose(root: Path, postgres: Path, certificate: tuple[str, str]) -> Plan:
    """The services of cluster/compose.yaml, its gateway twice. Raises Unknown."""
    found = {box.name: box for box in compose.boxes(root, GIVEN | {"AVATAR_STORE__URL": STORE})}
    one, deploy = found.pop("gateway"), found.pop("deploy")
    gateways = ("gateway-1", "gateway-2")
    twice = [replace(one, name=name, aliases=("gateway",) if name == gateways[0] else ()) for name in gateways]
    [config] = [mount.folder for mount in deploy.mounts if mount.at == SERVE]
    served, profile = serve_config(Path(config).read_text("utf-8"), len(gateways))
    others = [with_program(box, root, {profile: engines(root, profile)}) for box in [*found.values(), *twice]]
    front = [database(postgres), proxy((root / NGINX).read_text("utf-8"), gateways, certificate)]
    job = with_program(replace(deploy, after=(), files={SERVE: served}), root, {})
    job = replace(job, mounts=tuple(mount for mount in job.mounts if mount.at != SERVE))
    return Plan((front[0], *others, front[1]), gateways, job, "http://head:8265")


def of_rayservice(overlay: str, root: Path, postgres: Path, certificate: tuple[str, str]) -> Plan:
    """The pods of an overlay, Prometheus as the operator of the PodMonitor would have it. Raises Unknown."""
    whole = rayservice.rendered(root, overlay, GIVEN)
    served, profile = serve_config(whole.serve, 0)
    found = whole.boxes(root)
    gateways = tuple(box.name for box in found if box.name.startswith("gateway-"))
    nodes = [with_program(box, root, {profile: engines(root, profile)}) for box in found]
    [head] = [box for box in nodes if box.name == "head"]
    targets = [f"{box.name}:9100" for box in nodes if box.name != "redis"]
    command, environment, _ = image("docker.io/prom/prometheus:0", ["--config.file=/made.yml"], root)
    watch = Box("prometheus", command, environment, files={"/made.yml": rayservice.scraped(root, targets)})
    order = ("serve", "deploy", "--address", f"http://{rayservice.HEAD}:8265", SERVE)
    job = replace(head, name="deploy", command=order, after=(), aliases=(), job=True, files={SERVE: served})
    nginx = proxy((root / NGINX).read_text("utf-8"), gateways, certificate)
    return Plan((whole.store(postgres), watch, *nodes, nginx), gateways, job, f"http://{rayservice.HEAD}:8265")


# ---- what stands in for something --------------------------------------------------------------------------


def with_program(box: Box, root: Path, files: Mapping[str, str]) -> Box:
    """What an image of ours would hold: this Python at /app, and this checkout."""
    if "/app/bin" not in box.environment["PATH"]:
        return box
    environment = {**box.environment, "PYTHONPATH": str(root)}
    mounts = (*box.mounts, Mount("/app", folder=sys.prefix))
    return replace(box, environment=environment, mounts=mounts, files={**box.files, **files})


def serve_config(text: str, gateways: int) -> tuple[str, str]:
    """A Serve config with so many gateways, and the path of the profile that it now names. Raises Unknown."""
    [config] = documents(text)
    paths: set[str] = set()
    for application in config["applications"]:
        told: dict[str, Any] = application["args"]
        if not re.fullmatch(r"[\w-]+", told["profile"]):
            raise Unknown(f"{application['name']}: the profile {told['profile']!r} is no name of a profile")
        told["profile"] = f"/layout/{told['profile']}.toml"
        paths.add(told["profile"])
        if application["name"] == "gateway":
            [deployment] = application["deployments"]
            if "autoscaling_config" not in deployment:
                deployment["num_replicas"] = gateways
    [path] = paths
    return yaml.safe_dump(config, sort_keys=False), path


def newer(text: str) -> str:
    """A Serve config with another version of the gateway, as a new release has it."""
    [config] = documents(text)
    for application in config["applications"]:
        if application["name"] == "gateway":
            application["args"]["version"] += "+next"
    return yaml.safe_dump(config, sort_keys=False)


def engines(root: Path, profile: str) -> str:
    """A profile with the embedded engines in place of those that want a GPU, and all else as it is."""
    wanted = sections((root / PROFILES / Path(profile).name).read_text("utf-8"))
    embedded = sections((root / PROFILES / "cpu.toml").read_text("utf-8"))
    return "\n".join([wanted.get("", ""), *({**wanted, **{stage: embedded[stage] for stage in EMBEDDED}}).values()])


def sections(text: str) -> dict[str, str]:
    """The text of each table of a TOML file, by its name."""
    parts = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    named = [(re.match(r"\[([\w.]+)\]", part), part) for part in parts]
    return {found[1]: part for found, part in named if found}


# ---- what an operator brings -------------------------------------------------------------------------------


def proxy(text: str, gateways: tuple[str, ...], certificate: tuple[str, str]) -> Box:
    """nginx with Debian's own configuration and ours in conf.d, the gateways' names put in. Raises Unknown."""
    lines = re.findall(r"^ *(?:# )?server 127\.0\.0\.1:\d+.*;$", text, re.MULTILINE)
    if len(lines) != len(gateways):
        raise Unknown(f"{NGINX}: {len(lines)} lines name a gateway, and there are {len(gateways)}")
    for line, name in zip(lines, gateways, strict=True):
        text = text.replace(line, re.sub(r"(# )?server [\d.]+:\d+", f"server {name}:{GATEWAY_PORT}", line))
    kept = dict(re.findall(r"ssl_(certificate|certificate_key) +(\S+);", text))
    files = {"/etc/nginx/conf.d/avatar.conf": text, "/etc/nginx/sites-enabled/default": ""}
    files |= {kept["certificate"]: certificate[0], kept["certificate_key"]: certificate[1]}
    return Box(
        "nginx",
        ("nginx", "-g", "daemon off;"),
        {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        files=files,
        healthy=("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/443"),
        aliases=(HOST,),
    )
