"""Puts the service with sleeping stages on a cluster that runs: a program, for a test must not be part of the cluster.

``python -m tests.system.faults.deploy ADDRESS FOLDER STORE PORT VERSION [NAME...]``: the named deployments, or all.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split
import logging
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray import serve

from serve_app.placement import options
from serve_app.settings import Settings, load
from tests.system.faults import stages

DEPLOYED_S = 120.0


def settings_of(store: str, port: int) -> Settings:
    """Two of each but the face, and room for each of them on every node."""
    return load(
        Path(__file__).with_name("faults.toml"), store={"url": store}, gateway={"port": port}, llm={"engine": "guide"}
    )


def main(address: str, folder: str, store: str, port: str, version: str, *names: str) -> None:
    """Deploy and wait until it runs."""
    settings = settings_of(store, int(port))
    ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    serve.start(proxy_location="Disabled")
    classes: dict[str, Any] = {"llm": stages.StubLanguage, "tts": stages.StubVoice, "face": stages.StubFace}
    made: Any = serve.deployment
    wanted = {
        name: made(kind, name=name).options(**options(settings, name)).bind("stub", {"folder": folder})
        for name, kind in classes.items()
    }
    gateway = made(stages.WatchedGateway, name="gateway").options(**options(settings, "gateway"))
    wanted["gateway"] = gateway.bind(settings, folder, int(version))
    targets = [
        serve.RunTarget(target, name=name, route_prefix=None)
        for name, target in wanted.items()
        if name in names or not names
    ]
    serve.run_many(targets, wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)
    begun = time.monotonic()
    while True:
        status = serve.status().applications
        if all(status[target.name].status == "RUNNING" for target in targets):
            return
        if time.monotonic() - begun > DEPLOYED_S:
            raise SystemExit(f"not deployed within {DEPLOYED_S:.0f} s: {status}")
        time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
