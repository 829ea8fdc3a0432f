"""The boxes of cluster/compose.yaml: the services of chosen profiles as Docker would start them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cluster.checks.parts import documents
from cluster.layout.box import Box, Mount, Unknown, filled, image

COMPOSE = Path("cluster/compose.yaml")
PROFILES = ("l4", "watch")
LEFT_OUT = {"grafana": "no program of that name is here"}
KNOWN = frozenset(
    "profiles image command environment networks volumes tmpfs depends_on healthcheck shm_size stop_grace_period"
    " ports deploy restart read_only cap_drop cap_add security_opt logging secrets".split()
)
"""Keys that are carried out here, and from `ports` on those that only an engine can, or that change nothing here."""


def boxes(root: Path, given: Mapping[str, str], profiles: tuple[str, ...] = PROFILES) -> list[Box]:
    """Services of the profiles, each after those it waits for. Raises Unknown."""
    [content] = documents((root / COMPOSE).read_text("utf-8"))
    internal = {name for name, network in content["networks"].items() if (network or {}).get("internal")}
    wanted = {
        name: _filled(service, given, f"services.{name}")
        for name, service in content["services"].items()
        if set(service.get("profiles", ())) & set(profiles) and name not in LEFT_OUT
    }
    return [_box(name, wanted[name], internal, root) for name in ordered({n: _after(s) for n, s in wanted.items()})]


def ordered(after: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names, each behind all that it waits for. Raises Unknown where one waits for nobody that is there."""
    done: list[str] = []
    while len(done) < len(after):
        free = [name for name, waits in after.items() if name not in done and set(waits) <= set(done)]
        if not free:
            left = {name: waits for name, waits in after.items() if name not in done}
            raise Unknown(f"these wait for each other, or for what is not started: {left}")
        done += free
    return done


def _filled(value: Any, given: Mapping[str, str], where: str) -> Any:
    if isinstance(value, str):
        return filled(value, given, f"{COMPOSE}: {where}")
    if isinstance(value, Mapping):
        return {key: _filled(one, given, f"{where}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, given, where) for one in value]
    return value


def _after(service: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(service.get("depends_on", ()))


def _box(name: str, service: Mapping[str, Any], internal: set[str], root: Path) -> Box:
    if strange := service.keys() - KNOWN:
        raise Unknown(f"{COMPOSE}: services.{name}: nothing here carries out {', '.join(sorted(strange))}")
    command, environment, healthy = image(service["image"], [str(part) for part in service["command"]], root)
    told = {key: "" if value is None else str(value) for key, value in service.get("environment", {}).items()}
    return Box(
        name,
        command,
        environment | told,
        tuple(_mounts(name, service, root)),
        healthy=_health(service.get("healthcheck"), healthy),
        after=_after(service),
        job=service.get("restart") == "no",
        outside=not set(service.get("networks", ())) <= internal,
        grace_s=_seconds(service.get("stop_grace_period", "10s")),
    )


def _health(told: Mapping[str, Any] | None, of_image: tuple[str, ...]) -> tuple[str, ...]:
    if told is None:
        return of_image
    if told.get("disable"):
        return ()
    kind, *command = told["test"]
    if kind != "CMD":
        raise Unknown(f"{COMPOSE}: a health check of the kind {kind}; only CMD is carried out here")
    return tuple(command)


def _mounts(name: str, service: Mapping[str, Any], root: Path) -> Iterator[Mount]:
    for told in service.get("volumes", ()):
        source, at, *_ = told.split(":")
        if source.startswith("."):
            yield Mount(at, folder=str((root / COMPOSE.parent / source).resolve()))
        else:
            yield Mount(at, volume=source)
    for told in service.get("tmpfs", ()):
        if told.split(":")[0] != "/tmp":  # the checkout may lie there; it is this box's own anyhow
            yield Mount(told.split(":")[0])
    if "shm_size" in service:
        yield Mount("/dev/shm", size=str(service["shm_size"]))


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)s", text)
    if found is None:
        raise Unknown(f"{COMPOSE}: {text} is no number of seconds")
    return float(found[1])
