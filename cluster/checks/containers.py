"""Images and compose: Dockerfiles by hadolint, compose by its published schema, and what neither of them looks for.

No container engine was asked: that the images build and start is unchecked.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from actors.serving import ENVIRONMENT
from cluster.checks.parts import Faults, documents, of_schema, program, ran
from serve_app.images import IMAGES, locked

IMAGE_FOLDER = Path("cluster/images")
COMPOSE = Path("cluster/compose.yaml")
DIGEST = "@${PYTHON_DIGEST}"
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}$")
WHEELS = "wheels.json"


def images(root: Path) -> Faults:
    """Every Dockerfile, and its lock against pyproject.toml, constraints.txt and the known sizes."""
    hadolint = program("hadolint", "no Dockerfile was linted")
    there = {path.name.removesuffix(".Dockerfile") for path in (root / IMAGE_FOLDER).glob("*.Dockerfile")}
    for name in sorted(there ^ IMAGES.keys()):
        yield f"{IMAGE_FOLDER}: {name} is in only one of serve_app/images.py and the Dockerfiles"
    known = json.loads((root / IMAGE_FOLDER / WHEELS).read_text("utf-8"))["wheels"]
    for name in sorted(there & IMAGES.keys()):
        file = IMAGE_FOLDER / f"{name}.Dockerfile"
        yield from ran([hadolint, "--no-color", "--failure-threshold", "info", file], root, str(file))
        yield from _dockerfile((root / file).read_text("utf-8"), name, str(file))
        yield from _lock(root, name, known)


def _dockerfile(text: str, name: str, told: str) -> Faults:
    orders = re.findall(r"^([A-Z]+)\s+(.*)$", text, re.MULTILINE)
    for _, rest in (one for one in orders if one[0] == "FROM"):
        if DIGEST not in rest:
            yield f"{told}: {rest.split()[0]} is a tag that moves; write {DIGEST} behind it"
    if re.search(r"^ARG PYTHON_DIGEST=", text, re.MULTILINE):
        yield f"{told}: PYTHON_DIGEST has a default; whoever builds shall name it"
    users = [rest for order, rest in orders if order == "USER"]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        yield f"{told}: it runs as root; write USER 10001:10001"
    if name != "builder" and not any(order == "HEALTHCHECK" for order, _ in orders):
        yield f"{told}: there is no HEALTHCHECK"
    if "--require-hashes" not in text or f"locks/{name}.txt" not in text:
        yield f"{told}: it does not install its own lock with --require-hashes"
    copies = [i for i, (order, rest) in enumerate(orders) if order == "COPY" and "dist/" in rest]
    locks = [i for i, (order, rest) in enumerate(orders) if order == "COPY" and "locks/" in rest]
    if not copies or not locks or min(copies) < max(locks):
        yield f"{told}: our code comes before the packages, which would be installed anew with each change of it"


def _lock(root: Path, name: str, known: Mapping[str, Any]) -> Faults:
    told = IMAGE_FOLDER / "locks" / f"{name}.txt"
    if not (root / told).exists():
        yield f"{told}: there is none; run python -m cluster.locks"
        return
    text = (root / told).read_text("utf-8")
    packages, image = locked(text), IMAGES[name]
    hashed = sum(1 for line in text.splitlines() if HASH.match(line))
    if hashed != len(packages):
        yield f"{told}: {len(packages)} packages and {hashed} hashes; run python -m cluster.locks"
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [row for extra in image.extras for row in project["optional-dependencies"][extra]]
    for row in [*project["dependencies"], *extras, *image.more]:
        wanted = Requirement(row)
        package = canonicalize_name(wanted.name)
        if package in image.without:
            continue
        if package not in packages:
            yield f"{told}: {row} is missing; run python -m cluster.locks"
        elif not wanted.specifier.contains(packages[package], prereleases=True):
            yield f"{told}: {package} is {packages[package]}, pyproject.toml wants {wanted.specifier}"
    pins = dict(row.split("==", 1) for row in (root / "constraints.txt").read_text("utf-8").split() if "==" in row)
    for package, version in packages.items():
        if package in pins and pins[package] != version:
            yield f"{told}: {package} is {version}, constraints.txt has {pins[package]}; run python -m cluster.locks"
        if f"{package}=={version}" not in known:
            yield f"{told}: the size of {package}=={version} is not known; run python -m cluster.locks"


# ---- compose -----------------------------------------------------------------------------------------------------


def compose(root: Path) -> Faults:
    """compose.yaml by the schema of the Compose specification, then what is promised of every service."""
    from jsonschema.validators import validator_for

    try:
        [content] = documents((root / COMPOSE).read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        yield f"{COMPOSE}: {' '.join(str(error).split())}"
        return
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text("utf-8"))
    wrong = [*of_schema(validator_for(schema)(schema), content, str(COMPOSE))]
    yield from wrong
    if not wrong:
        for name, service in content["services"].items():
            yield from _service(name, service, content, root)


def _service(name: str, service: Mapping[str, Any], content: Mapping[str, Any], root: Path) -> Faults:
    told = f"{COMPOSE}: services.{name}"
    if not service.get("profiles"):
        yield f"{told}: it belongs to no profile, so every `up` would start it"
    if service.get("read_only") is not True and name != "vllm":
        yield f"{told}: its root file system can be written; write read_only: true"
    if service.get("cap_drop") != ["ALL"]:
        yield f"{told}: it keeps capabilities; write cap_drop: [ALL]"
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:") and name != "caddy":
            yield f"{told}: port {port} is open to the world; publish it to 127.0.0.1 and put the proxy in front"
    for mount in service.get("volumes", []):
        source = str(mount).split(":")[0]
        if source.startswith(".") and not (root / COMPOSE.parent / source).exists():
            yield f"{told}: {source} is mounted and does not exist"
        elif not source.startswith(".") and source not in content.get("volumes", {}):
            yield f"{told}: the volume {source} is not declared under volumes:"
    for other in service.get("depends_on", {}):
        if other not in content["services"]:
            yield f"{told}: it waits for {other}, which there is not"
    command = [str(part) for part in service.get("command", [])]
    if command[:1] in (["ray"], ["avatar"], ["serve"]):
        environment = service.get("environment", {})
        for variable, value in ENVIRONMENT.items():
            if str(environment.get(variable)) != value:
                yield f"{told}: {variable} is {environment.get(variable)}, actors/serving.py says {value}"
    carried = [json.loads(part.removeprefix("--resources=")) for part in command if part.startswith("--resources=")]
    for resources in carried:
        for resource in resources:
            if resource not in ("asr", "llm", "tts", "face", "gateway"):
                yield f"{told}: it carries the resource {resource}, which no deployment asks for"
