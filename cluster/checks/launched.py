"""What the nodes of Ray's launcher are set up with, held against the profile that they shall serve.

Ray's schema and Compute's know nothing of it: a deployment that no node may take waits for ever, and an engine whose
package, model or compiled file a node lacks is told only when it starts there.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors import extras
from cluster.checks.parts import Faults, documents
from serve_app import cli
from serve_app.images import CUBLAS_12
from serve_app.placing.parts import applications_of, deployments_of, most_replicas
from serve_app.settings import Settings, SettingsError, load
from serve_app.weights import needed

OURS = "~/venv/bin/avatar"
OLDEST = 2404
"""Ubuntu whose own Python is new enough: 22.04 has 3.10."""
MADE = ("dist",)
"""Mounted folders that are only there once `make wheel` was run."""


def faults(root: Path, content: Mapping[str, Any], told: str) -> Faults:
    """Of a launcher's file that Ray's schema lets through."""
    yield from _mounted(root, content, told)
    yield from _images(content, told)
    for part in ("setup_commands", "head_setup_commands", "worker_setup_commands"):
        for line in content.get(part, []):
            yield from _of_ours(line, f"{told}: {part}")
    if not any("google-api-python-client" in line for line in content.get("head_setup_commands", [])):
        yield f"{told}: head_setup_commands: the head asks Google for nodes; install google-api-python-client"
    served = next((root / path for path in content.get("file_mounts", {}).values() if "/serve/" in path), None)
    if served is None or not served.exists():
        yield f"{told}: file_mounts: no Serve config is brought to the head"
        return
    config = documents(served.read_text("utf-8"))[0]
    yield from _places(content, config, told)
    with contextlib.suppress(SettingsError):  # the check of the Serve configs tells of a profile that there is not
        profile = load(config["applications"][0]["args"]["profile"])
        lines = content.get("worker_setup_commands", [])
        yield from _needs(root, profile, lines, f"{told}: worker_setup_commands")


def _mounted(root: Path, content: Mapping[str, Any], told: str) -> Faults:
    for path in content.get("file_mounts", {}).values():
        if path not in MADE and not (root / path).exists():
            yield f"{told}: file_mounts: there is no {path}"


def _images(content: Mapping[str, Any], told: str) -> Faults:
    """One Ubuntu on all nodes, new enough; Ray compares the Python of nodes to the patch."""
    found: dict[str, int] = {}
    for name, kind in content["available_node_types"].items():
        for disk in kind["node_config"].get("disks", []):
            image = str(disk.get("initializeParams", {}).get("sourceImage", ""))
            number = re.search(r"ubuntu-(\d{4})", image)
            found[name] = int(number[1]) if number else 0
    for name, number in found.items():
        if number < OLDEST:
            yield f"{told}: {name}: the image's Python is older than 3.11; take one of Ubuntu {OLDEST // 100}.04"
    if len(set(found.values())) > 1:
        yield f"{told}: the images have Pythons of different versions, which Ray refuses; take one Ubuntu for all"


def _of_ours(line: str, told: str) -> Faults:
    """Whether what `avatar` is asked is something that it knows."""
    words = shlex.split(line)
    if OURS not in words:
        return
    asked = words[words.index(OURS) + 1 :]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            cli.parser().parse_args(asked)
    except SystemExit:
        yield f"{told}: avatar {' '.join(asked)}: there is no such command"


def _places(content: Mapping[str, Any], config: Mapping[str, Any], told: str) -> Faults:
    """Whether each deployment finds as many nodes that carry what it books as it has replicas."""
    kinds = content["available_node_types"]
    for _, application in applications_of(config):
        for deployment in deployments_of(application):
            actor = deployment.get("ray_actor_options") or {}
            gpus, booked = actor.get("num_gpus", 0), actor.get("resources") or {}
            room = sum(
                kind.get("max_workers", content.get("max_workers", 0)) if name != content["head_node_type"] else 1
                for name, kind in kinds.items()
                if all(kind["resources"].get(what, 0) >= share for what, share in {**booked, "GPU": gpus}.items())
            )
            name, alone = deployment["name"], deployment.get("max_replicas_per_node") == 1
            if not booked:
                yield f"{told}: {name} may run on any node; write the Serve config with --apart"
            elif room < (most_replicas(deployment) if alone else 1):
                yield f"{told}: too few nodes carry what {name} books ({', '.join(booked)}{', a GPU' * bool(gpus)})"


def _needs(root: Path, profile: Settings, lines: list[str], told: str) -> Faults:
    """Whether the nodes get the extras, the models and the engines of the profile."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    text = "\n".join(lines)
    found = {name for group in re.findall(r"\.whl\)?\[([\w,-]+)\]", text) for name in group.split(",")}
    choices = {stage: getattr(profile, stage).choice() for stage in ("asr", "tts", "face")}
    wanted = {name for one in choices.values() for name in extras.needed(one.engine, one.arguments)}
    for name in sorted(found - set(project["optional-dependencies"])):
        yield f"{told}: there is no extra {name}"
    if "tensorrt" in wanted:  # it comes from NVIDIA's own index
        pins = re.search(r"^tensorrt==(\S+)$", (root / "constraints.txt").read_text("utf-8"), re.MULTILINE)
        parts = [f"tensorrt-cu13-{part}=={pins[1] if pins else ''}" for part in ("bindings", "libs")]
        for part in [*parts, "cuda-bindings"]:
            if part not in text:
                yield f"{told}: {part} is missing, without which Ditto does not run on TensorRT"
    for name in sorted(wanted - {"tensorrt"} - found):
        yield f"{told}: the extra {name} is missing, which the profile {profile.profile} needs"
    if needed(profile) and f"models pull --profile {profile.profile} " not in f"{text} ":
        yield f"{told}: the models of {profile.profile} are not pulled"
    if choices["asr"].engine == "whisper" and CUBLAS_12 not in text:
        yield f"{told}: {CUBLAS_12} is missing, which Whisper calls on a GPU"
    face = choices["face"]
    runtime = str(face.arguments.get("runtime", "torch"))
    if face.engine == "ditto" and (f"models build --runtime {runtime}" not in text or "ditto" not in found):
        yield f"{told}: Ditto's files are not built; install the extra ditto, then models build --runtime {runtime}"
