"""The boxes of an overlay of cluster/kubernetes, as kustomize renders it: the pods that KubeRay makes, and both stores.

KubeRay 1.7 writes a node's command out of ``rayStartParams`` and gives it a few variables; both are written here as it
does it. Its autoscaler, which asks an API server for pods, has no place here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cluster.checks.parts import documents
from cluster.checks.parts import program as found
from cluster.layout.box import Box, Mount, Unknown, image
from cluster.layout.database import database

OVERLAYS = Path("cluster/kubernetes/overlays")
SECRETS = Path("cluster/kubernetes/secret.example.yaml")
MONITOR = Path("cluster/kubernetes/monitoring/podmonitor.yaml")
HEAD = "avatar-head-svc.avatar.svc.cluster.local"
"""Under which KubeRay's pods find the head."""
TOKEN = "made-up-for-the-layout-0123456789"
"""KubeRay makes one for each cluster whose ``authOptions`` say so."""
FIRST = "ulimit -n 65536; ray start"

Object = Mapping[str, Any]


class Rendered:
    """What an overlay is on a cluster. Raises Unknown for what is not carried out here."""

    def __init__(self, text: str, given: Mapping[str, str], secrets: str) -> None:
        """``given``: what the operator fills into ``secrets``, by key; that is the text of the example."""
        self._objects: list[Object] = documents(text)
        self._examples: list[Object] = documents(secrets)
        self._given = given
        self._service: Object = self._one("RayService", "avatar")
        self._cluster: Object = self._service["spec"]["rayClusterConfig"]

    @property
    def serve(self) -> str:
        """The Serve config."""
        return self._service["spec"]["serveConfigV2"]

    def boxes(self, root: Path) -> list[Box]:
        """Redis, the head, and as many pods of each group as there are at first."""
        groups = self._cluster["workerGroupSpecs"]
        workers = [(f"{g['groupName']}-{n}", g) for g in groups for n in range(1, int(g["replicas"]) + 1)]
        head = self._node("head", self._cluster["headGroupSpec"], root, head=True)
        return [self._redis(root), head, *(self._node(name, group, root, head=False) for name, group in workers)]

    def store(self, programs: Path) -> Box:
        """Its PostgreSQL, by the programs of this machine in that folder."""
        state, [container] = self._state("postgres")
        ready = tuple(container["readinessProbe"]["exec"]["command"])
        mounts = tuple(self._claimed(state, container))
        return database(programs, self._told(container), mounts, ready, state["spec"]["serviceName"])

    def _one(self, kind: str, name: str) -> Object:
        found = [one for one in self._objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
        if len(found) != 1:
            raise Unknown(f"the overlay has {len(found)} objects {kind}/{name}, and one is wanted")
        return found[0]

    def _state(self, name: str) -> tuple[Object, list[Object]]:
        """A StatefulSet and its containers."""
        state = self._one("StatefulSet", name)
        return state, state["spec"]["template"]["spec"]["containers"]

    def _claimed(self, state: Object, container: Object) -> Iterator[Mount]:
        """What a container of it keeps; the rest of what is mounted is memory, as everything here is."""
        claims = {claim["metadata"]["name"] for claim in state["spec"]["volumeClaimTemplates"]}
        for one in container["volumeMounts"]:
            if one["name"] in claims:
                yield Mount(one["mountPath"], volume=f"{state['metadata']['name']}-{one['name']}")

    # ---- a node --------------------------------------------------------------------------------------------

    def _node(self, name: str, group: Object, root: Path, *, head: bool) -> Box:
        pod: Object = group["template"]["spec"]
        [container] = pod["containers"]
        params = {key: str(value) for key, value in group.get("rayStartParams", {}).items()}
        limits = container["resources"].get("limits", {})
        params |= {"block": "", "dashboard-agent-listen-port": "52365", "memory": str(_bytes(limits["memory"]))}
        if gpus := limits.get("nvidia.com/gpu"):
            params.setdefault("num-gpus", str(gpus))
        params |= {"head": "", "no-monitor": ""} if head else {"address": f"{HEAD}:6379"}
        if head and "gcsFaultToleranceOptions" in self._cluster:
            params["redis-password"] = "$REDIS_PASSWORD"
        line = " ".join(
            [FIRST, *(f"--{key}={value}" if value else f"--{key}" for key, value in sorted(params.items()))]
        )
        command, environment, _ = image(container["image"], ["/bin/bash", "-c", "--", line], root)
        ports = {one["name"]: int(one["containerPort"]) for one in container.get("ports", ())}
        return Box(
            name,
            command,
            {**environment, **self._told(container), **self._kuberay(head), "RAY_NODE_TYPE_NAME": name},
            tuple(self._mounts(name, pod, container)),
            healthy=_probes(container, ports, ("startupProbe", "readinessProbe") if head else ("startupProbe",)),
            after=("redis",) if head else ("head",),
            aliases=(HEAD,) if head else (),
            leave=tuple(container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ())),
            grace_s=float(pod["terminationGracePeriodSeconds"]),
        )

    def _kuberay(self, head: bool) -> dict[str, str]:
        told = {"RAY_PORT": "6379", "RAY_ADDRESS": "127.0.0.1:6379" if head else f"{HEAD}:6379"}
        told |= {"RAY_CLUSTER_NAME": "avatar", "RAY_SERVE_KV_TIMEOUT_S": "5"}
        mode = self._cluster.get("authOptions", {}).get("mode", "disabled")
        told |= {"RAY_AUTH_MODE": mode} | ({"RAY_AUTH_TOKEN": TOKEN} if mode == "token" else {})
        if not head:
            return told | {"FQ_RAY_IP": HEAD, "RAY_IP": HEAD, "RAY_gcs_rpc_server_reconnect_timeout_s": "600"}
        kept = self._cluster.get("gcsFaultToleranceOptions")
        if kept:
            told |= {"RAY_REDIS_ADDRESS": kept["redisAddress"], "RAY_external_storage_namespace": "avatar"}
            told |= {"REDIS_PASSWORD": self._secret(kept["redisPassword"]["valueFrom"]["secretKeyRef"])}
        return told

    def _told(self, container: Object) -> dict[str, str]:
        told: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                named = source["configMapRef"]["name"]
                maps = [o for o in self._objects if o["kind"] == "ConfigMap" and o["metadata"]["name"] == named]
                if not maps:
                    raise Unknown(f"the ConfigMap {named} is not in what was rendered")
                told |= {str(k): str(v) for k, v in maps[0]["data"].items()}
            else:
                told |= self._secrets(source["secretRef"]["name"])
        for one in container.get("env", ()):
            told[one["name"]] = one["value"] if "value" in one else self._secret(one["valueFrom"]["secretKeyRef"])
        return told

    def _secrets(self, name: str) -> dict[str, str]:
        """All keys that the example of the secret has."""
        found = [one for one in self._examples if one["metadata"]["name"] == name]
        keys = [{"name": name, "key": key} for one in found for key in one["stringData"]]
        if not keys:
            raise Unknown(f"{SECRETS} has no secret {name}")
        return {reference["key"]: self._secret(reference) for reference in keys}

    def _secret(self, reference: Object) -> str:
        if reference["key"] not in self._given:
            raise Unknown(f"nobody says what the key {reference['key']} of the secret {reference['name']} is")
        return self._given[reference["key"]]

    def _mounts(self, name: str, pod: Object, container: Object) -> Iterator[Mount]:
        volumes: dict[str, Object] = {one["name"]: one for one in pod.get("volumes", ())}
        for one in container.get("volumeMounts", ()):
            kind = volumes[one["name"]]
            if one["mountPath"] == "/tmp":
                continue  # the checkout may lie there; it is this box's own anyhow
            if "persistentVolumeClaim" in kind or "secret" in kind:
                yield Mount(one["mountPath"], volume=one["name"])
            elif "emptyDir" in kind:
                limit = kind["emptyDir"].get("sizeLimit", "")
                yield Mount(one["mountPath"], size=str(_bytes(limit)) if limit else "")
            else:
                raise Unknown(f"{name}: nothing here is a volume like {kind}")

    # ---- Redis ---------------------------------------------------------------------------------------------

    def _redis(self, root: Path) -> Box:
        state, [container] = self._state("redis")
        _, environment, _ = image(container["image"], [], root)
        ports = {one["name"]: int(one["containerPort"]) for one in container["ports"]}
        return Box(
            state["spec"]["serviceName"],
            tuple(container["command"]),
            {**environment, **self._told(container)},
            tuple(self._claimed(state, container)),
            healthy=_probes(container, ports, ("readinessProbe",)),
        )


def rendered(root: Path, overlay: str, given: Mapping[str, str]) -> Rendered:
    """An overlay through kustomize. Raises Unknown, Missing."""
    kubectl = found("kubectl", "no overlay can be rendered")
    done = subprocess.run([kubectl, "kustomize", root / OVERLAYS / overlay], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Unknown(f"the overlay {overlay} cannot be rendered: {' '.join(done.stderr.split())}")
    return Rendered(done.stdout, given, (root / SECRETS).read_text("utf-8"))


def scraped(root: Path, targets: list[str]) -> str:
    """What the Prometheus Operator makes of the PodMonitor, for pods at these addresses."""
    [monitor] = documents((root / MONITOR).read_text("utf-8"))
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    rules = endpoint["metricRelabelings"]
    relabelled = [{re.sub("[A-Z]", _lowered, key): value for key, value in rule.items()} for rule in rules]
    job = {"job_name": "avatar", "scrape_interval": endpoint["interval"], "static_configs": [{"targets": targets}]}
    return json.dumps({"scrape_configs": [{**job, "metric_relabel_configs": relabelled}]})


def _probes(container: Object, ports: Mapping[str, int], kinds: tuple[str, ...]) -> tuple[str, ...]:
    """A command that succeeds when all of them would."""
    numbers = [ports[container[kind]["tcpSocket"]["port"]] for kind in kinds]
    return ("bash", "-c", " && ".join(f"exec 3<>/dev/tcp/127.0.0.1/{number}" for number in numbers))


def _lowered(found: re.Match[str]) -> str:
    return f"_{found[0].lower()}"


def _bytes(text: str) -> int:
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    if text[-2:] not in units:
        raise Unknown(f"{text} is no amount of memory that is known here")
    return int(text[:-2]) * units[text[-2:]]
