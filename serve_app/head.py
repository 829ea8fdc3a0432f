"""A Ray cluster for as long as a block lasts: started on this machine, or attached to, and left again.

It knows nothing of what is deployed there.
"""

from __future__ import annotations

import actors.serving  # noqa: F401  # before ray

# isort: split
import asyncio
import logging
import math
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray import serve

from serve_app.app import Tell
from serve_app.errors import UserError
from serve_app.groups import Cluster
from serve_app.ports import free_port

log = logging.getLogger(__name__)

ANSWER_S = 5.0

OBJECT_STORE = 100 * 2**20
"""Bytes. Everything travels by gRPC; Ray wants a store nevertheless, by default a third of the memory."""

LONGEST_FOLDER = 45
"""Characters of Ray's folder: it appends about 60 of its own, and a socket's name has at most 107."""

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a program that SIGTERM stopped."""


class NotStarted(UserError):
    """The cluster or a deployment did not become ready; the message says which and what to look at."""


TARGETS = "prom_metrics_service_discovery.json"


@dataclass(frozen=True, slots=True)
class Serving:
    """What runs."""

    dashboard: str
    """URL of the Ray dashboard; empty if there is none."""
    targets: str = ""
    """File in which Ray says where its metrics are, for Prometheus; empty for a cluster that was there before."""


@contextmanager
def cluster(wanted: Cluster, tell: Tell) -> Iterator[Serving]:
    """Ray and Serve's controller. Blocks for seconds; nothing else happens in this process meanwhile.

    Raises NotStarted.
    """
    if ray.is_initialized():
        raise NotStarted("this process is part of a Ray cluster already; leave it first")
    tell("ray", "starting")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    folder = _folder(wanted) if not wanted.address else ""
    try:
        dashboard = _attach(wanted) if wanted.address else _start(wanted, folder)
        serve.start(proxy_location="Disabled")
        tell("ray", "ready")
        yield Serving(dashboard, f"{folder}/{TARGETS}" if folder and dashboard else "")
    finally:
        ray.shutdown()  # the dashboard's own children notice by themselves, a second or two later
        if folder and not wanted.temp_dir:
            shutil.rmtree(folder, ignore_errors=True)


def _start(wanted: Cluster, folder: str) -> str:
    port = free_port(wanted.dashboard_port) if wanted.dashboard else None
    shares = [wanted.share(name) for name in wanted.deployed()]
    context = ray.init(
        address="local",
        num_cpus=math.ceil(sum(share.cpus * share.largest for share in shares)),
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


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM cancels our task, so that what was started is stopped, and then ends the program.

    Ray's own answer to it would leave processes behind. Outside the main thread nothing changes.
    """
    task = asyncio.current_task()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if told:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
