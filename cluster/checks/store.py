"""The store of conversations on Kubernetes: it must be there, keep what it is given, and be reached by gateways only.

An address with a dot in its host, or one in a Secret, is a database elsewhere, of which nothing can be seen here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cluster.checks.parts import Faults, walk

URL, PASSWORD = "AVATAR_STORE__URL", "PGPASSWORD"
PORT = 5432
GATEWAY = {"ray.io/group": "gateway", "ray.io/is-ray-node": "yes", "ray.io/node-type": "worker"}
"""Labels that KubeRay gives the pods of the group `gateway`."""

Object = Mapping[str, Any]


def check(objects: list[Object], told: str) -> Faults:
    """All objects of an overlay, with the example of its secrets."""
    address = next((str(one["data"][URL]) for one in _kind(objects, "ConfigMap") if URL in (one.get("data") or {})), "")
    url = urlsplit(address)
    if url.scheme != "postgresql" or "." in (url.hostname or ""):
        return
    service = next((one for one in _kind(objects, "Service") if one["metadata"]["name"] == url.hostname), None)
    if service is None:
        yield f"{told}: {URL} names the Service {url.hostname}, and there is none"
        return
    name = f"{told}: Service {url.hostname}"
    if (url.port or PORT) not in [port["port"] for port in service["spec"].get("ports", [])]:
        yield f"{name}: it has no port {url.port or PORT}, which {URL} names"
    selector = service["spec"].get("selector", {})
    stateful = next((one for one in _kind(objects, "StatefulSet") if _selects(selector, _labels(one))), None)
    if stateful is None:
        yield f"{name}: it selects the pods of no StatefulSet"
        return
    name = f"{told}: StatefulSet {stateful['metadata']['name']}"
    yield from (f"{name}: {sentence}" for sentence in _told_the_same(stateful, url, objects))
    yield from (f"{name}: {sentence}" for sentence in _kept(stateful))
    yield from (f"{name}: {sentence}" for sentence in _guarded(_labels(stateful), objects))


def _kind(objects: list[Object], kind: str) -> Iterator[Object]:
    return (one for one in objects if one.get("kind") == kind)


def _labels(stateful: Object) -> Mapping[str, str]:
    return stateful["spec"]["template"]["metadata"].get("labels", {})


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def _container(stateful: Object) -> Object:
    return stateful["spec"]["template"]["spec"]["containers"][0]


def _told_the_same(stateful: Object, url: SplitResult, objects: list[Object]) -> Iterator[str]:
    """User, database and password on both sides."""
    environment = {one["name"]: one for one in _container(stateful).get("env", [])}
    for variable, wanted in (("POSTGRES_USER", url.username), ("POSTGRES_DB", url.path.strip("/"))):
        if (given := environment.get(variable, {}).get("value")) != wanted:
            yield f"{variable} is {given}, and {URL} says {wanted}"
    where = environment.get("POSTGRES_PASSWORD", {}).get("valueFrom", {}).get("secretKeyRef", {})
    secret = next((one for one in _kind(objects, "Secret") if one["metadata"]["name"] == where.get("name")), None)
    if secret is None or where.get("key") not in secret.get("stringData", {}):
        yield f"its password is {where.get('key')} of the Secret {where.get('name')}, which the example does not have"
    elif where["key"] != PASSWORD or not any(one.get("name") == where["name"] for one in walk(objects, "secretRef")):
        yield f"its password must be {PASSWORD} of a Secret that gateways get whole; theirs would be another"


def _kept(stateful: Object) -> Iterator[str]:
    """Whether its files outlive the pod."""
    container = _container(stateful)
    folder = next((one["value"] for one in container.get("env", []) if one["name"] == "PGDATA"), "")
    claims = {one["metadata"]["name"] for one in stateful["spec"].get("volumeClaimTemplates", [])}
    mounts = [one["mountPath"] for one in container.get("volumeMounts", []) if one["name"] in claims]
    if not any(folder.startswith(f"{mount}/") for mount in mounts):
        yield f"PGDATA is {folder or 'not set'}, which is in no volume that is claimed: conversations go with the pod"


def _guarded(labels: Mapping[str, str], objects: list[Object]) -> Iterator[str]:
    """Who reaches it, and whether its node may be emptied."""
    rules = [
        rule
        for one in _kind(objects, "NetworkPolicy")
        if _selects(one["spec"].get("podSelector", {}).get("matchLabels", {}), labels)
        for rule in one["spec"].get("ingress", [])
    ]
    peers = [peer.get("podSelector", {}).get("matchLabels", {}) for rule in rules for peer in rule.get("from", [{}])]
    if not any(_selects(peer, GATEWAY) for peer in peers):
        yield "no NetworkPolicy lets the gateways in"
    if any(not _selects(peer, GATEWAY) for peer in peers):
        yield "a NetworkPolicy lets in others than the gateways"
    budgets = (one["spec"].get("selector", {}).get("matchLabels", {}) for one in _kind(objects, "PodDisruptionBudget"))
    if not any(_selects(selector, labels) for selector in budgets):
        yield "no PodDisruptionBudget keeps its node from being emptied"
