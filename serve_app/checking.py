"""A strict look at a Serve config before it is deployed: a sentence for each fault that Ray's schema lets through.

Ray ignores keys that it does not know, waits for ever for GPUs that are not there, and imports a misspelt path only on
the cluster. This file reads one file; it starts nothing, imports nothing that the file names, and knows no Ray.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from serve_app.app import choices
from serve_app.errors import UserError
from serve_app.placement import POLICY, missing
from serve_app.placing import fitting, growing
from serve_app.placing.parts import (
    Faults,
    Map,
    applications_of,
    deployments_of,
    is_number,
    is_whole,
    listed,
    most_replicas,
    of_application,
    of_the_front,
    unknown_keys,
)
from serve_app.settings import Settings, SettingsError, load

NAMES = ("asr", "llm", "tts", "face", "gpu", "gateway")
FACES = ("face", "gpu")


class NotRead(UserError):
    """The file cannot be read as YAML."""


def main(path: Path, gpus: int | None = None) -> int:
    """Print each fault of a file as a line; 0 if there is none. Raises NotRead."""
    found = faults(read(path), gpus)
    for sentence in found:
        print(sentence, file=sys.stderr)
    count = f"{len(found)} fault{'s' if len(found) > 1 else ''}" if found else "no fault"
    print(f"{path}: {count}")
    return 1 if found else 0


def read(path: Path) -> Any:
    """The content; a key that is written twice is refused, for YAML would drop the first. Raises NotRead."""
    try:
        return yaml.load(path.read_text("utf-8"), _Strict)
    except OSError as error:
        raise NotRead(f"{path} cannot be read: {(error.strerror or str(error)).lower()}; name another file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NotRead(f"{path} is not YAML: {' '.join(str(error).split())}") from None


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # pyright: ignore
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} is written twice{node.start_mark}; remove one")
        return super().construct_mapping(node, deep)


def faults(config: Any, gpus: int | None = None) -> list[str]:
    """Every fault, as ``path: what is wrong; what to write``. ``gpus`` None: as many as the profile has."""
    if not isinstance(config, Mapping) or not listed(config.get("applications")):
        return ["applications: there are none; write a config with `avatar config --profile cpu --out FILE`"]
    found = [*unknown_keys("config", config, ""), *of_the_front(config)]
    for where, application in applications_of(config):
        found += of_application(where, application)
    found += _names(config)
    settings = _settings(config, found)
    if settings:
        found += [*_of_the_profile(config, settings), *_growth(config, settings)]
        gpus = settings.ray.num_gpus if gpus is None else gpus
    found += [*_ports(config, settings)]
    if gpus is not None:
        found += _gpus(config, gpus)
    return found


# ---- the parts together ------------------------------------------------------------------------------------


def _names(config: Map) -> Faults:
    seen: set[str] = set()
    routes: dict[str | None, str] = {}
    for where, application in applications_of(config):
        name = application.get("name")
        if name not in NAMES:
            yield f"{where}.name: there is no deployment {name!r}; write one of {', '.join(NAMES)}"
        elif name in seen:
            yield f"{where}.name: {name} is there already; remove one of the two"
        seen.add(str(name))
        deployments = [one for one in listed(application.get("deployments")) if isinstance(one, Mapping)]
        if len(deployments) != 1:
            yield f"{where}.deployments: there are {len(deployments)}; write one, so that it restarts alone"
        for k, deployment in enumerate(deployments):
            if deployment.get("name") != name:
                yield f"{where}.deployments[{k}].name: this is {deployment.get('name')!r}; write {name}"
        args = application.get("args")
        if not isinstance(args, Mapping) or args.get("name") != name:
            yield f"{where}.args.name: this is not what it builds; write {name}"
        route = application.get("route_prefix", "/")
        if not isinstance(route, str | None):
            yield f"{where}.route_prefix: this is {route!r}; write null"
        elif route in routes:
            yield f"{where}.route_prefix: {route} is that of {routes[route]} too (/ if it is not written); write null"
        elif route is not None:
            routes[route] = where


def _settings(config: Map, found: list[str]) -> Settings | None:
    """The profile that all applications name; its faults are added to ``found``."""
    first: str | None = None
    for where, application in applications_of(config):
        args = application.get("args")
        profile = args.get("profile") if isinstance(args, Mapping) else None
        if not isinstance(profile, str):
            found.append(f"{where}.args.profile: there is none; write the name of a profile, cpu for instance")
            return None
        if first is not None and profile != first:
            found.append(f"{where}.args.profile: this is {profile} and others have {first}; write the same in all")
            return None
        first = profile
    try:
        return load(first)
    except SettingsError as error:
        found.append(f"applications[0].args.profile: {error}")
        return None


def _of_the_profile(config: Map, settings: Settings) -> Faults:
    for sentence in missing(settings):
        yield f"applications[0].args.profile: {sentence}"
    there = {str(application.get("name")): where for where, application in applications_of(config)}
    served = {*choices(settings), "gpu", "gateway"}
    wanted = [name for name in settings.ray.deployed() if name in served]
    for name in wanted:
        if name not in there:
            yield f"applications: {name} is missing, which the profile {settings.profile} calls; add it"
    for name, where in there.items():
        if name in NAMES and name not in wanted:
            yield f"{where}.name: nobody calls {name} in the profile {settings.profile}; remove it"
    for where, application in applications_of(config):
        replicas = max((most_replicas(one) for one in deployments_of(application)), default=0)
        if application.get("name") == "gateway" and replicas > 1 and settings.store.keep != "none":
            if settings.store.one_node:
                yield (
                    f"{where}.deployments[0].num_replicas: {replicas} gateways cannot share SQLite; write 1, or set"
                    " AVATAR_STORE__URL to postgresql://..."
                )


def _growth(config: Map, settings: Settings) -> Faults:
    places: dict[str, str] = {}
    served: dict[str, growing.Growing] = {}
    for where, application in applications_of(config):
        for k, deployment in enumerate(deployments_of(application)):
            name = str(deployment.get("name"))
            if name not in NAMES:
                continue
            scaled = deployment.get("autoscaling_config")
            scaled = scaled if isinstance(scaled, Mapping) else {}
            least, most = scaled.get("min_replicas"), most_replicas(deployment)
            each, conversations = _told(scaled.get("policy"))
            sessions = 0 if name == "gateway" else settings.ray.share(name).sessions
            places[name] = f"{where}.deployments[{k}].autoscaling_config"
            served[name] = growing.Growing(least if is_whole(least) else most, most, sessions, each, conversations)
    for name, place in places.items():
        if wrong := growing.fault(served, name, settings.gateway.sessions):
            yield f"{place}: {wrong}"


def _told(policy: Any) -> tuple[float, bool]:
    """What our policy is told that a replica carries, and whether in conversations; 0 if it is not ours."""
    kwargs = policy.get("policy_kwargs") if isinstance(policy, Mapping) else None
    if not isinstance(kwargs, Mapping) or policy.get("policy_function") != POLICY:
        return 0.0, False
    each = kwargs.get("each")
    return (each if is_number(each) and each > 0 else 0.0), kwargs.get("conversations") is True


def _ports(config: Map, settings: Settings | None) -> Faults:
    taken: dict[int | None, str] = {}
    if settings:
        taken = {settings.gateway.port: "the gateway's", settings.ray.dashboard_port: "the Ray dashboard's"}
    wanted = [(part, config.get(part)) for part in ("http_options", "grpc_options")]
    for where, content in [*wanted, *applications_of(config)]:
        port = content.get("port") if isinstance(content, Mapping) else None
        if not isinstance(port, int | None):
            yield f"{where}.port: this is {port!r}; write a number, or remove it"
        elif port in taken:
            yield f"{where}.port: {port} is {taken[port]} port; write another, or remove it"
        elif port is not None:
            taken[port] = f"{where}'s"


def _gpus(config: Map, gpus: int) -> Faults:
    wanted: dict[str, fitting.Wanted] = {}
    apart: dict[str, float] = {}
    for _, application in applications_of(config):
        for deployment in deployments_of(application):
            actor = deployment.get("ray_actor_options")
            actor = actor if isinstance(actor, Mapping) else {}
            share, name = actor.get("num_gpus", 0), str(deployment.get("name"))
            if is_number(share) and share > 0 and name in (actor.get("resources") or {}):
                apart[name] = share
            elif is_number(share) and share > 0 and name not in wanted:
                alone = name in FACES and deployment.get("max_replicas_per_node") != 1
                wanted[name] = fitting.Wanted(share, most_replicas(deployment), alone)
    if sum(apart.values()) > 0.9 + 1e-9:  # nodes of their own, of which one of each shares a GPU
        booked = sum(apart.values())
        yield f"applications: {', '.join(apart)} book {booked:g} of the GPU that they share; 0.9 is the most"
    try:
        fault = fitting.fault(wanted, gpus)
    except fitting.TooMany:
        fault = "too many replicas share GPUs to say how they lie; keep each kind to GPUs of its own, or check a node"
    if fault:
        yield f"applications: {fault}"
