"""A Ray cluster with our deployments on it: started, watched until it is ready, and stopped again.

Each stage is a Serve application of its own, because a changed argument restarts every deployment of its
application. ``python -m serve_app.cluster PROFILE`` writes the same as a file for ``serve deploy``. This file knows
no stage's insides and no client.
"""

from __future__ import annotations

import actors.serving  # before ray

# isort: split
import asyncio
import logging
import math
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

import ray
from ray import serve
from ray.serve.schema import ApplicationStatus

from serve_app.app import Tell, checked, choices, silent
from serve_app.errors import UserError
from serve_app.groups import Cluster, Share
from serve_app.settings import Settings, load

log = logging.getLogger(__name__)

READY_S = 180.0
"""Longest wait until everything is ready: models load on a busy machine. Less would hide what is missing."""

POLL_S = 0.2
ANSWER_S = 5.0

OBJECT_STORE = 100 * 2**20
"""Bytes. Everything travels by gRPC; Ray wants a store nevertheless, by default a third of the memory."""

LONGEST_FOLDER = 45
"""Characters of Ray's folder: it appends about 60 of its own, and a socket's name has at most 107."""


class NotStarted(UserError):
    """The cluster or a deployment did not become ready; the message says which and what to look at."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What runs."""

    dashboard: str
    """URL of the Ray dashboard; empty if there is none."""


@asynccontextmanager
async def deploy(settings: Settings, *, gateway: bool, tell: Tell = silent) -> AsyncIterator[Serving]:
    """Our applications on a cluster for as long as the block lasts, all of them ready when it begins.

    Starts a cluster on this machine, or attaches to ``ray.address`` and uses what runs there already. What was
    started is stopped afterwards: the gateway first, so that its clients hear of it. Raises SettingsError or
    NotStarted.
    """
    wanted = applications(settings, gateway=gateway)
    with _cluster(settings.ray, tell) as serving:
        for name in _running() & wanted.keys():
            log.info("%s: the one that runs already, because we attach to a cluster that has it", name)
            del wanted[name]
        try:
            await _ready(wanted, tell)
            yield serving
        finally:
            for name in wanted if settings.ray.address else wanted.keys() & {"gateway"}:
                await asyncio.to_thread(serve.delete, name)  # our loop must go on: handles hear of it there


def applications(settings: Settings, *, gateway: bool) -> dict[str, serve.Application]:
    """Our Serve applications by name, with the options of the settings. Raises SettingsError."""
    wanted: dict[str, serve.Application] = {}
    for stage, choice in choices(settings).items():
        checked(stage, choice)
        log.info("%s: %s, because %s", stage, choice.engine, choice.why)
        deployment = import_module(f"actors.{stage}.deployment").deployment
        wanted[stage] = deployment.options(**options(settings, stage)).bind(choice.engine, dict(choice.arguments))
    if gateway:
        deployment = import_module("serve_app.gateway.deployment").deployment
        wanted["gateway"] = deployment.options(**options(settings, "gateway")).bind(settings)
    return wanted


def options(settings: Settings, name: str) -> dict[str, Any]:
    """The Serve options of a deployment: what the settings say, and what ``docs/operations.md`` gives reasons for."""
    share = settings.ray.share(name)
    common = {
        "num_replicas": share.replicas,
        "max_ongoing_requests": share.ongoing,
        "max_queued_requests": share.queued,
        "graceful_shutdown_wait_loop_s": 0.2,
        "graceful_shutdown_timeout_s": 10.0,
        "health_check_period_s": 1.0,  # Serve learns of a death only by the next check
        "health_check_timeout_s": 10.0,
        "max_constructor_retry_count": 2,
        "ray_actor_options": _actor(share),
    }
    if name != "gateway":
        return common
    drain = {"graceful_shutdown_timeout_s": settings.gateway.drain_s + 5.0, "health_check_period_s": 2.0}
    return {**common, **drain, "max_surge_percent": 100}  # the new one listens before the old one stops


def _actor(share: Share) -> dict[str, Any]:
    hidden = {} if share.gpus else {"runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}}
    return {"num_cpus": share.cpus, "num_gpus": share.gpus, **hidden}


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
    """The last line of what Serve tells: the exception of the constructor."""
    told = [deployment.message for deployment in application.deployments.values()] + [application.message]
    lines = [line.strip() for text in told for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "Exception" in line]
    return (errors or lines or ["no reason was given; look at its log"])[-1]


# ---- the cluster -------------------------------------------------------------------------------------------


@contextmanager
def _cluster(wanted: Cluster, tell: Tell) -> Iterator[Serving]:
    """Ray and Serve's controller. Blocks for seconds; nothing else happens in this process meanwhile."""
    if ray.is_initialized():
        raise NotStarted("this process is part of a Ray cluster already; leave it first")
    tell("ray", "starting")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    folder = _folder(wanted) if not wanted.address else ""
    try:
        dashboard = _attach(wanted) if wanted.address else _start(wanted, folder)
        serve.start(proxy_location="Disabled")
        tell("ray", "ready")
        yield Serving(dashboard)
    finally:
        ray.shutdown()  # the dashboard's own children notice by themselves, a second or two later
        if folder and not wanted.temp_dir:
            shutil.rmtree(folder, ignore_errors=True)


def _start(wanted: Cluster, folder: str) -> str:
    port = _free_port(wanted.dashboard_port) if wanted.dashboard else None
    shares = [wanted.share(name) for name in ("asr", "llm", "tts", "face", "gateway")]
    context = ray.init(
        address="local",
        num_cpus=math.ceil(sum(share.cpus * share.replicas for share in shares)),
        num_gpus=wanted.num_gpus,
        object_store_memory=OBJECT_STORE,
        include_dashboard=wanted.dashboard,
        dashboard_host="127.0.0.1",
        dashboard_port=port,
        _temp_dir=folder,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )
    log.info("ray: a cluster of its own on this machine, because no ray.address is given")
    return f"http://{context.dashboard_url}" if context.dashboard_url else ""


def _attach(wanted: Cluster) -> str:
    host, _, port = wanted.address.rpartition(":")
    try:
        if port.isdecimal() and "/" not in host:  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
        context = ray.init(address=wanted.address, log_to_driver=False, logging_level=logging.WARNING)
    except OSError as error:  # ConnectionError among them
        raise NotStarted(f"no Ray cluster answers at {wanted.address}: {error}") from error
    log.info("ray: the cluster at %s, because ray.address names it", wanted.address)
    return f"http://{context.dashboard_url}" if context.dashboard_url else ""


def _folder(wanted: Cluster) -> str:
    folder = wanted.temp_dir or tempfile.mkdtemp(prefix="avatar-")
    if len(folder) > LONGEST_FOLDER:
        raise NotStarted(
            f"Ray's folder {folder} has a name of {len(folder)} characters, {LONGEST_FOLDER} are the most;"
            " set ray.temp_dir to a shorter one"
        )
    return folder


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise NotStarted("no port is free on this machine")


# ---- for `serve deploy` ------------------------------------------------------------------------------------


def application(args: dict[str, str]) -> serve.Application:
    """One application of a Serve config: ``args`` hold ``name``, ``profile`` and ``version``.

    The cluster imports this; keys and URLs come from its own environment. A new ``version`` is what makes Serve
    restart replicas when only our code has changed.
    """
    settings = load(args["profile"])
    return applications(settings, gateway=args["name"] == "gateway")[args["name"]]


def config(profile: str) -> dict[str, Any]:
    """The Serve config of a profile, as ``serve deploy`` reads it."""
    settings = load(profile)
    names = [*choices(settings), "gateway"]
    return {
        "proxy_location": "Disabled",
        "applications": [
            {
                "name": name,
                "route_prefix": None,
                "import_path": "serve_app.cluster:application",
                "args": {"name": name, "profile": profile, "version": version("realtime-avatar")},
                "deployments": [{"name": name, **options(settings, name)}],
            }
            for name in names
        ],
    }


def main() -> None:
    """Write the Serve config of the profile that is named first to the standard output."""
    import yaml

    profile = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    print(f"# Made by `python -m serve_app.cluster {profile}`; settings live in serve_app/profiles/{profile}.toml.")
    print(f"# Before `ray start --head`, set: {' '.join(f'{k}={v}' for k, v in actors.serving.ENVIRONMENT.items())}")
    yaml.safe_dump(config(profile), sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
