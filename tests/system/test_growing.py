"""A stage grows on a real local Ray by the people whom gateways report: two applications, one controller."""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split

import asyncio
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray import serve

from actors.handles import connect, replicas
from serve_app.placement import options
from serve_app.scaling import PEOPLE, TURNED_AWAY
from serve_app.settings import load

pytestmark = [
    pytest.mark.ray,
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning"),
]

GROWN_S = 90.0


class Door:
    """Reports as many people as it is told."""

    def __init__(self) -> None:
        self._people = 1.0

    async def tell(self, people: float) -> None:
        self._people = people

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {"load": 1.0, PEOPLE: self._people, TURNED_AWAY: 0.0}


class Drawn:
    """A face that nobody calls."""

    def record_autoscaling_stats(self) -> dict[str, float]:
        return {"load": 0.0, "wait_s": 0.0, "late_s": -3600.0}


@pytest.fixture
def cluster() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="grow-") as folder:
        ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=100 * 2**20,
                 _temp_dir=folder, log_to_driver=False)  # fmt: skip
        serve.start(proxy_location="Disabled")
        try:
            yield
        finally:
            ray.shutdown()


async def test_a_face_that_nobody_calls_grows_with_the_people_at_the_gateways(cluster: None) -> None:
    settings = load("cpu", ray={"face": {"sessions": 2, "most": 3}})
    made: Any = serve.deployment
    targets = [
        serve.RunTarget(
            made(kind, name=name).options(**{**options(settings, name), "max_surge_percent": 0}).bind(),
            name=name,
            route_prefix=None,
        )
        for name, kind in {"gateway": Door, "face": Drawn}.items()
    ]
    serve.run_many(targets, wait_for_ingress_deployment_creation=False)
    assert replicas() == {"gateway": 1, "face": 1}
    await connect("gateway").tell.remote(4.0)
    begun = time.monotonic()
    while (running := replicas()) != {"gateway": 1, "face": 3}:
        assert time.monotonic() - begun < GROWN_S, running
        await asyncio.sleep(0.5)
