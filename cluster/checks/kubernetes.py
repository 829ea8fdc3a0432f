"""Kubernetes: every overlay as kustomize renders it, each object by the strict schema of its kind, and all together.

The schemas of Kubernetes' own kinds come with kubernetes-validate, those of others are in objects.yaml. No API server
was asked: what admission, quotas and operators say only on a cluster is unchecked.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from cluster.checks import store
from cluster.checks.parts import Faults, documents, of_schema, program, walk
from serve_app import checking
from serve_app.errors import UserError

VERSION = "1.33.0"
OVERLAYS = Path("cluster/kubernetes/overlays")
MONITORING = Path("cluster/kubernetes/monitoring")
SECRETS = Path("cluster/kubernetes/secret.example.yaml")
DRAIN = "AVATAR_GATEWAY__DRAIN_S"

Object = Mapping[str, Any]


def check(root: Path) -> Faults:
    """Every overlay and what watches it."""
    kubectl = program("kubectl", "no overlay of Kubernetes was rendered or checked")
    secrets = documents((root / SECRETS).read_text("utf-8"))
    for one in secrets:
        yield from of_kind(one, str(SECRETS))
    for folder in [*sorted(path for path in (root / OVERLAYS).iterdir() if path.is_dir()), root / MONITORING]:
        told = str(folder.relative_to(root))
        done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60)
        if done.returncode:
            yield f"{told}: {' '.join(done.stderr.split())}"
            continue
        try:
            objects = documents(done.stdout)
        except yaml.YAMLError as error:
            yield f"{told}: {' '.join(str(error).split())}"
            continue
        for one in objects:
            yield from of_kind(one, told)
        if folder.name != MONITORING.name:
            yield from _together([*objects, *secrets], told)


# ---- one object ------------------------------------------------------------------------------------------------


@cache
def _schemas() -> tuple[str, Any, Mapping[str, Any]]:
    """The base address of the schemas, a registry of Kubernetes' definitions, and the schemas of others' kinds."""
    from referencing import Registry, Resource

    definitions = json.loads(_local("_definitions.json"))
    registry = Resource.from_contents(definitions) @ Registry()
    others = yaml.safe_load((Path(__file__).parent / "objects.yaml").read_text("utf-8"))
    return definitions["$id"], registry, others


def _local(name: str) -> str:
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}-local-strict"
    return (folder / name).read_text("utf-8")


@cache
def _validator(kind: str, version: str) -> Any:
    from jsonschema import Draft202012Validator

    base, registry, others = _schemas()
    if kind in others:
        schema: dict[str, Any] = dict(others[kind])
    else:
        group, _, number = version.rpartition("/")
        name = "-".join([kind.lower(), *([group.split(".")[0]] if group else []), number])
        schema = json.loads(_local(f"{name}.json"))
    return Draft202012Validator({**schema, "$id": base.replace("_definitions.json", f"{kind}.json")}, registry=registry)


def of_kind(one: Any, told: str) -> Faults:
    """An object against the schema of its kind; a kind without a schema is a fault, not a pass."""
    if not isinstance(one, Mapping) or not one.get("kind") or not one.get("apiVersion"):
        yield f"{told}: this is no object of Kubernetes: {str(one)[:80]}"
        return
    name = f"{told}: {one['kind']} {one.get('metadata', {}).get('name')}"
    try:
        validator = _validator(str(one["kind"]), str(one["apiVersion"]))
    except FileNotFoundError:
        yield f"{name}: nobody knows {one['apiVersion']} {one['kind']}; write its schema into objects.yaml"
        return
    yield from of_schema(validator, one, name)


# ---- all of an overlay -------------------------------------------------------------------------------------------


def _together(objects: list[Object], told: str) -> Faults:
    yield from _references(objects, told)
    yield from store.check(objects, told)
    for one in objects:
        if one.get("kind") == "RayService":
            environment = _environment(objects)
            yield from _served(one, environment, told)
            yield from _pods(one, environment, told)
        for image in walk(one, "image"):
            if isinstance(image, str) and ":" not in image and "@" not in image:
                yield f"{told}: the image {image} has neither tag nor digest; name it under images:"


def _references(objects: list[Object], told: str) -> Faults:
    """Whatever is named must be there: kustomize renames nothing inside a RayService."""
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    wanted = {
        "configMapRef": ("ConfigMap", "name"),
        "secretRef": ("Secret", "name"),
        "secretKeyRef": ("Secret", "name"),
        "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
    }
    for key, (kind, field) in wanted.items():
        names = {str(value[field]) for value in walk(objects, key) if isinstance(value, Mapping) and field in value}
        for name in sorted(names):
            if (kind, name) not in there:
                yield f"{told}: {key} names the {kind} {name}, and there is none"
    for one in objects:
        if one["kind"] == "PersistentVolumeClaim" and "ReadWriteMany" in one["spec"].get("accessModes", []):
            given = one["spec"].get("storageClassName")
            if ("StorageClass", given) not in there:
                name = f"{told}: PersistentVolumeClaim {one['metadata']['name']}"
                yield f"{name}: many nodes write to it, and {given or 'no class'} is no StorageClass of this overlay"


def _environment(objects: list[Object]) -> dict[str, str]:
    """What the pods are told: the ConfigMaps, then what the example of the secrets sets."""
    told: dict[str, str] = {}
    for kind, part in (("ConfigMap", "data"), ("Secret", "stringData")):
        for one in objects:
            if one["kind"] == kind:
                told |= {str(k): str(v) for k, v in (one.get(part) or {}).items()}
    return {k: v for k, v in told.items() if k.startswith("AVATAR_")}


@contextmanager
def _told(environment: Mapping[str, str]) -> Iterator[None]:
    """These settings, and none of whoever runs the check."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AVATAR_")]:
        del os.environ[name]
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _served(service: Object, environment: Mapping[str, str], told: str) -> Faults:
    """The Serve config, which is a mere text to Kubernetes, and whether the nodes have what it books."""
    try:
        config = documents(service["spec"]["serveConfigV2"])[0]
    except (KeyError, IndexError, yaml.YAMLError) as error:
        yield f"{told}: serveConfigV2 is no Serve config: {' '.join(str(error).split())}"
        return
    groups = _groups(service)
    gpus = sum(int(group.get("maxReplicas", 0)) for group in groups if _gpus(group))
    with _told(environment):
        try:
            yield from (f"{told}: serveConfigV2: {sentence}" for sentence in checking.faults(config, gpus))
        except UserError as error:
            yield f"{told}: serveConfigV2: {error}"
    drain = float(environment.get(DRAIN, 8))
    for seconds in _patience(config):
        if seconds < drain + 1:
            yield f"{told}: Serve kills a gateway after {seconds:g} s, it drains for {drain:g}; see cluster/build.py"
    carried: dict[str, float] = {}
    for group in groups:
        for name, amount in _resources(group).items():
            carried[name] = carried.get(name, 0.0) + amount * int(group.get("maxReplicas", 0))
    for name, amount in sorted(_booked(config).items()):
        if amount > carried.get(name, 0.0) + 1e-9:
            yield f"{told}: {amount:g} of the resource {name} are booked and the nodes carry {carried.get(name, 0.0):g}"


def _patience(config: Object) -> list[float]:
    """How long Serve waits for each gateway that it stops."""
    deployments = [one for application in config.get("applications", []) for one in application.get("deployments", [])]
    return [float(one.get("graceful_shutdown_timeout_s", 20)) for one in deployments if one.get("name") == "gateway"]


def _groups(service: Object) -> list[Object]:
    return service["spec"].get("rayClusterConfig", {}).get("workerGroupSpecs", [])


def _gpus(group: Object) -> bool:
    return any("nvidia.com/gpu" in limits for limits in walk(group, "limits") if isinstance(limits, Mapping))


def _resources(group: Object) -> dict[str, float]:
    """Ray's own resources of a node, which KubeRay wants as JSON in quotes within quotes."""
    text = str(group.get("rayStartParams", {}).get("resources", '"{}"'))
    try:
        return {str(k): float(v) for k, v in json.loads(json.loads(text)).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _booked(config: Object) -> dict[str, float]:
    booked: dict[str, float] = {}
    for application in config.get("applications", []):
        for one in application.get("deployments", []):
            most = (one.get("autoscaling_config") or {}).get("max_replicas") or one.get("num_replicas") or 0
            for name, each in (one.get("ray_actor_options", {}).get("resources") or {}).items():
                booked[name] = booked.get(name, 0.0) + float(each) * int(most)
    return booked


def _pods(service: Object, environment: Mapping[str, str], told: str) -> Faults:
    """What KubeRay's own defaults would get wrong, and what each of our pods must have."""
    spec = service["spec"].get("rayClusterConfig", {})
    for group in [spec.get("headGroupSpec", {}), *_groups(service)]:
        name = f"{told}: {group.get('groupName', 'head')}"
        if str(group.get("rayStartParams", {}).get("metrics-export-port", "8080")) == "8080":
            yield f"{name}: metrics-export-port is the gateway's port (8080 is KubeRay's default); write 9100"
        pod = group.get("template", {}).get("spec", {})
        if not pod.get("securityContext", {}).get("runAsNonRoot"):
            yield f"{name}: the pod may run as root; write runAsNonRoot: true"
        for container in pod.get("containers", []):
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in container:
                    yield f"{name}: there is no {probe}, and KubeRay's asks Serve's proxy, which is off; write one"
            if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
                yield f"{name}: the root file system can be written; write readOnlyRootFilesystem: true"
            if "memory" not in container.get("resources", {}).get("limits", {}):
                yield f"{name}: there is no limit of memory"
        if group.get("groupName") == "gateway":
            drain, grace = float(environment.get(DRAIN, 8)), float(pod.get("terminationGracePeriodSeconds", 30))
            if grace < drain + 5:
                yield f"{name}: terminationGracePeriodSeconds is {grace:g}, it drains for {drain:g} s and 5 more"
