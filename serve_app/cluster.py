"""Our deployments on a Ray cluster: which, with what options, watched until they are ready, and taken away again.

Each stage is a Serve application of its own, because a changed argument restarts every deployment of its
application; placement.py says with what options. This file knows no stage's insides and no client.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split
import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any

from ray import serve
from ray.serve.schema import ApplicationStatus

from serve_app.app import Tell, checked, choices, silent
from serve_app.head import NotStarted, Serving, cluster, stoppable
from serve_app.placement import options
from serve_app.settings import Settings, load
from streaming.stages import StageError

log = logging.getLogger(__name__)

READY_S = 180.0
"""Longest wait until everything is ready: models load on a busy machine. Less would hide what is missing."""

POLL_S = 0.2
STOPPED_S = 10.0

OURS = f"{StageError.__module__}.{StageError.__name__}: "


@asynccontextmanager
async def deploy(settings: Settings, *, gateway: bool, tell: Tell = silent) -> AsyncIterator[Serving]:
    """Our applications on a cluster for as long as the block lasts, all of them ready when it begins.

    Starts a cluster on this machine, or attaches to ``ray.address`` and uses what runs there already. What was
    started is stopped afterwards: the gateway first, so that its clients hear of it. Raises SettingsError or
    NotStarted.
    """
    wanted = applications(settings, gateway=gateway)
    with cluster(settings.ray, tell) as serving, stoppable():
        for name in _running() & wanted.keys():
            log.info("%s: the one that runs already, because we attach to a cluster that has it", name)
            del wanted[name]
        try:
            await _ready(wanted, tell)
            yield serving
        finally:
            for name in wanted if settings.ray.address else wanted.keys() & {"gateway"}:
                await _delete(name, settings.gateway.drain_s + STOPPED_S)


def applications(settings: Settings, *, gateway: bool) -> dict[str, serve.Application]:
    """Our Serve applications by name, with the options of the settings. Raises SettingsError."""
    wanted: dict[str, serve.Application] = {}
    together: dict[str, tuple[str, dict[str, Any]]] = {}
    for stage, choice in choices(settings).items():
        checked(stage, choice)
        log.info("%s: %s, because %s", stage, choice.engine, choice.why)
        if stage in settings.ray.together:
            together[stage] = (choice.engine, dict(choice.arguments))
            continue
        deployment = import_module(f"actors.{stage}.deployment").deployment
        wanted[stage] = deployment.options(**options(settings, stage)).bind(choice.engine, dict(choice.arguments))
    if together:
        log.info("gpu: %s in one process, because ray.together names them", ", ".join(together))
        deployment = import_module("actors.gpu.deployment").deployment
        wanted["gpu"] = deployment.options(**options(settings, "gpu")).bind(together)
    if gateway:
        deployment = import_module("serve_app.gateway.deployment").deployment
        wanted["gateway"] = deployment.options(**options(settings, "gateway")).bind(settings)
    return wanted


def _running() -> set[str]:
    """Applications that are ready on the cluster; none on one that was just started."""
    status = serve.status().applications
    return {name for name, application in status.items() if application.status == ApplicationStatus.RUNNING}


# ---- ready -------------------------------------------------------------------------------------------------


async def _ready(wanted: Mapping[str, serve.Application], tell: Tell) -> None:
    """Deploy all at once and wait until they run. Raises NotStarted."""
    for name in wanted:
        tell(name, "starting")
    targets = [serve.RunTarget(target, name=name, route_prefix=None) for name, target in wanted.items()]
    if targets:
        serve.run_many(targets, wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)
    waiting = set(wanted)
    begun = time.monotonic()
    while waiting:
        status = serve.status().applications
        for name in sorted(waiting & status.keys()):
            if status[name].status == ApplicationStatus.RUNNING:
                waiting.remove(name)
                tell(name, "ready")
            elif status[name].status == ApplicationStatus.DEPLOY_FAILED:
                raise NotStarted(f"{name} could not be started: {_why(status[name])}")
        if time.monotonic() - begun > READY_S:
            raise NotStarted(
                f"{', '.join(sorted(waiting))} did not become ready within {READY_S:.0f} s; does the cluster have the"
                " GPUs and CPUs that are booked? `ray status` says"
            )
        await asyncio.sleep(POLL_S)


def _why(application: Any) -> str:
    """The last line of what Serve tells: the exception of the constructor, and of ours only the words."""
    told = [deployment.message for deployment in application.deployments.values()] + [application.message]
    lines = [line.strip() for text in told for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "Exception" in line]
    return (errors or lines or ["no reason was given; look at its log"])[-1].removeprefix(OURS)


# ---- away ------------------------------------------------------------------------------------------------


async def _delete(name: str, limit_s: float) -> None:
    """Take an application away. In a thread, for handles hear of it on our loop; and not for ever, for the cluster
    may have got the same SIGTERM as we did."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def work() -> None:
        try:
            serve.delete(name)
        except Exception as error:  # the cluster is on its way out; whoever deploys anew will see more
            log.warning("%s was not taken away properly: %r", name, error)
        with suppress(RuntimeError):  # the loop may be closed: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name=f"delete {name}", daemon=True).start()
    try:
        async with asyncio.timeout(limit_s):
            await done.wait()
    except TimeoutError:
        log.warning("%s was not taken away within %.0f s; the cluster does not answer", name, limit_s)


# ---- for `serve deploy` ------------------------------------------------------------------------------------


def application(args: dict[str, str]) -> serve.Application:
    """One application of a Serve config: ``args`` hold ``name``, ``profile`` and ``version``.

    The cluster imports this; keys and URLs come from its own environment. A new ``version`` is what makes Serve
    restart replicas when only our code has changed.
    """
    settings = load(args["profile"])
    return applications(settings, gateway=args["name"] == "gateway")[args["name"]]
