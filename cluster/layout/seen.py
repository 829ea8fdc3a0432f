"""What a run has seen: the table that it prints, and what is asked of Ray, Prometheus and the store."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from cluster.layout.boxes import Boxes, Failed
from cluster.layout.database import STORE
from cluster.layout.plan import GATEWAY_PORT, Plan
from serve_app.store import Store, Stored

ANSWER_S, PATIENCE_S = 30.0, 120.0
"""Longest wait for one answer, and for an answer at all."""
ESTABLISHED = "01"
"""Of a connection, in the kernel's table."""


@dataclass
class Seen:
    """Lines of the table, and what did not hold."""

    faults: list[str] = field(default_factory=list[str])

    def note(self, what: str, how: str) -> None:
        """A line of the table, told at once."""
        print(f"{what:<26} {how}", flush=True)

    def must(self, true: bool, fault: str) -> None:
        """What does not hold is told in the end, and ends the run with 1."""
        if not true:
            self.faults.append(fault)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster as it can be asked from outside."""

    plan: Plan
    boxes: Boxes

    def _answer(self, path: str) -> Any:
        token = self.boxes.running["head"].box.environment.get("RAY_AUTH_TOKEN", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return _asked(Request(self.plan.dashboard + path, headers=headers))

    def runs(self) -> bool:
        """Whether every application does. Raises Failed for one that never will."""
        status = self._answer("/api/serve/applications/")["applications"]
        for name, one in status.items():
            if one["status"] == "DEPLOY_FAILED":
                raise Failed(f"{name} cannot be deployed: {one['message']}")
        return bool(status) and all(one["status"] == "RUNNING" for one in status.values())

    def states(self) -> str:
        """How every application is, in words."""
        status = self._answer("/api/serve/applications/")["applications"]
        return "; ".join(f"{name} {one['status']} {one['message']}".strip() for name, one in status.items())

    def gateways(self) -> dict[str, str]:
        """Each gateway that runs -> the node that it is on."""
        names = {address: name for name, address in self.boxes.addresses.items()}
        [gateway] = self._answer("/api/serve/applications/")["applications"]["gateway"]["deployments"].values()
        return {one["replica_id"]: names[one["node_ip"]] for one in gateway["replicas"] if one["state"] == "RUNNING"}

    def node(self, name: str) -> str:
        """Ray's id of a box's node."""
        nodes = self._answer("/api/v0/nodes")["data"]["result"]["result"]
        [found] = [
            one["node_id"] for one in nodes if one["node_ip"] == self.boxes.addresses[name] and one["state"] == "ALIVE"
        ]
        return found

    def serving(self) -> str:
        """The gateway that nginx has connected a conversation with; empty while there is none."""
        table = Path(f"/proc/{self.boxes.running['nginx'].pid}/net/tcp").read_text().splitlines()[1:]
        names = {self.boxes.addresses[name]: name for name in self.plan.gateways}
        for line in table:
            _, _, remote, state = line.split()[:4]
            host, port = remote.split(":")
            address = ".".join(str(byte) for byte in reversed(bytes.fromhex(host)))
            if state == ESTABLISHED and int(port, 16) == GATEWAY_PORT and address in names:
                return names[address]
        return ""

    def nodes(self) -> set[str]:
        """Names of Ray's nodes."""
        return {name for name, one in self.boxes.running.items() if "ray start" in " ".join(one.box.command)}

    def measured(self, query: str) -> dict[str, str]:
        """What Prometheus answers: name of the box, or empty, -> value."""
        url = f"http://prometheus:9090/api/v1/query?{urlencode({'query': query})}"
        found = _asked(Request(url))["data"]["result"]
        names = {address: name for name, address in self.boxes.addresses.items()}
        hosts = [(str(one["metric"].get("instance", "")).rpartition(":")[0], str(one["value"][1])) for one in found]
        return {names.get(host, host): value for host, value in hosts}


def _asked(question: Request) -> Any:
    """An answer in JSON; on a busy machine it is asked for more than once. Raises Failed."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urlopen(question, timeout=ANSWER_S) as answer:
                return json.load(answer)
        except OSError as error:
            if time.monotonic() > until:
                raise Failed(f"{question.full_url} does not answer: {error}") from error
        time.sleep(1.0)


async def stored(session: str) -> Stored:
    """The conversation as the store has it. Raises Failed if it has not."""
    store = Store(STORE)
    try:
        found = await store.conversation(session)
    finally:
        await store.close()
    if found is None:
        raise Failed(f"the store does not have {session}")
    return found
