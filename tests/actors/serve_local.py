"""A deployment in Serve's local mode: no Ray, but everything else of ours."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle


def local(bound: Any, name: str) -> DeploymentHandle:
    """The handle of an application that runs in this process.

    The local mode answers from a loop of its own. Where the throughput mode was set before Ray was imported, and that
    depends on what was imported first, handles would expect answers in the caller's loop.
    """
    handle = serve.run(bound, name=name, route_prefix=None, _local_testing_mode=True)
    handle._init(_run_router_in_separate_loop=True)
    return handle
