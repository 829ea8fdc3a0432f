"""What each deployment gets of a cluster: its Serve options, and the Serve config of a whole profile as a file.

Each deployment is an application of its own, because a changed argument restarts every deployment of its application.
This file knows no Ray: cluster.py deploys with the same options, checking.py reads such files again.
"""

from __future__ import annotations

import logging
import math
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from actors.caps import variables
from actors.engines import STAND_IN, engines
from actors.lines import FORMAT
from actors.serving import ENVIRONMENT
from actors.tracing import ENDPOINT
from serve_app.app import NO_FACE, choices
from serve_app.files import whole
from serve_app.groups import Share
from serve_app.room import elastic
from serve_app.scaling import RULES
from serve_app.settings import DEFAULT, Settings, load

log = logging.getLogger(__name__)

APPLICATION = "serve_app.cluster:application"
POLICY = "serve_app.scaling:Policy"

CACHING = ("tts", "face", "gpu")
BY_SESSION = "ray.serve.experimental.consistent_hash_router:ConsistentHashRouter"
FALLBACK = {"num_fallback_replicas": 2}
"""A session whose replica is full is served by the next one: it misses a cache, and nobody waits."""

MPS = {"CUDA_MPS_PIPE_DIRECTORY": "/tmp/nvidia-mps", "CUDA_MPS_LOG_DIRECTORY": "/tmp/nvidia-mps-log"}
"""Where clients of NVIDIA MPS find its daemon, which must be started with the same two variables."""


def options(settings: Settings, name: str, apart: bool = False) -> dict[str, Any]:
    """The Serve options of a deployment, whether it is deployed by us or by ``serve deploy``.

    ``apart``, or the setting ``ray.apart``: only on nodes that carry a resource with its name.
    """
    apart = apart or settings.ray.apart
    share = settings.ray.share(name)
    common = {
        **_count(settings, name, share),
        "max_ongoing_requests": share.ongoing,
        "max_queued_requests": share.queued,
        "graceful_shutdown_wait_loop_s": 0.2,
        "graceful_shutdown_timeout_s": 10.0,  # longer than any call of a stage
        "health_check_period_s": 1.0,  # Serve learns of a death only by the next check
        "health_check_timeout_s": 10.0,
        "max_constructor_retry_count": 2,
        "ray_actor_options": _actor(settings, share),
        **_routed(name, share),
    }
    if name != "gateway":
        return _placed(name, common) if apart else common
    drain = {"graceful_shutdown_timeout_s": settings.gateway.drain_s + 5.0, "health_check_period_s": 2.0}
    given = {**common, **drain, "max_surge_percent": 100}  # the new one listens before the old one stops
    return _placed(name, given) if apart else given


def _count(settings: Settings, name: str, share: Share) -> dict[str, Any]:
    """A number, or bounds and our policy; always the policy for a gateway that has to tell it who wants to talk."""
    if not (share.most or (name == "gateway" and elastic(settings))):
        return {"num_replicas": share.replicas}
    return {
        "num_replicas": "auto",
        "autoscaling_config": {
            "min_replicas": share.replicas,
            "initial_replicas": share.replicas,
            "max_replicas": share.largest,
            "metrics_interval_s": 1.0,  # called deprecated, but Ray 2.60 looks at nothing else
            "look_back_period_s": 2.0,
            "upscale_delay_s": 0.0,  # the policy waits by itself
            "downscale_delay_s": 0.0,
            "aggregation_function": "max",
            "policy": {"policy_function": POLICY, "policy_kwargs": {"kind": name, **_each(settings, name, share)}},
        },
    }


def _each(settings: Settings, name: str, share: Share) -> dict[str, Any]:
    """Load that a replica carries: conversations, or calls where nobody knows; of the gateway its sockets."""
    if name == "gateway":
        return {"each": min(RULES[name].each, settings.gateway.sessions or math.inf)}
    return {"each": share.sessions, "conversations": True} if share.sessions else {"each": share.ongoing}


def _routed(name: str, share: Share) -> dict[str, Any]:
    """Calls of a session meet one replica, whose caches (voices, avatars, an encoder) know it; never must they."""
    if name not in CACHING or share.largest < 2:
        return {}
    return {"request_router_config": {"request_router_class": BY_SESSION, "request_router_kwargs": FALLBACK}}


def _actor(settings: Settings, share: Share) -> dict[str, Any]:
    mps = MPS if settings.ray.mps else {}
    seen = variables(share.caps.model_dump()) | mps if share.gpus else {"CUDA_VISIBLE_DEVICES": ""}
    told = {FORMAT: settings.log.format} if "log" in settings.model_fields_set else {}
    if settings.tracing.endpoint:
        told[ENDPOINT] = settings.tracing.endpoint
    environment = {"runtime_env": {"env_vars": {**seen, **told}}} if seen or told else {}
    return {"num_cpus": share.cpus, "num_gpus": share.gpus, **environment}


# ---- for `serve deploy` ------------------------------------------------------------------------------------


def config(profile: str, apart: bool = False, **overrides: Any) -> dict[str, Any]:
    """The Serve config of a profile, as ``serve deploy`` reads it. Raises SettingsError.

    ``apart``: each deployment only on nodes that carry a resource with its name, because their images differ.
    ``overrides`` are settings that the cluster's environment will hold.
    """
    settings = load(profile, **overrides)
    served = {*choices(settings), "gpu", "gateway"}
    return {
        "proxy_location": "Disabled",
        "applications": [
            {
                "name": name,
                "route_prefix": None,
                "import_path": APPLICATION,
                "args": {"name": name, "profile": profile, "version": version("realtime-avatar")},
                "deployments": [{"name": name, **_written(options(settings, name, apart))}],
            }
            for name in settings.ray.deployed()
            if name in served
        ],
    }


def _written(options: dict[str, Any]) -> dict[str, Any]:
    """Less what Serve takes only from code; its schema would drop it and say nothing."""
    return {key: value for key, value in options.items() if key != "max_constructor_retry_count"}


def _placed(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Held to nodes of its own, one replica each; two gateways, for the new one listens before the old one stops."""
    actor = options["ray_actor_options"]
    alone = {"max_replicas_per_node": 1} if actor["num_gpus"] else {}
    return {**options, **alone, "ray_actor_options": {**actor, "resources": {name: 0.5 if name == "gateway" else 1.0}}}


def text(profile: str, apart: bool = False) -> str:
    """The same as a file, with what must be known before it is deployed. Raises SettingsError."""
    import yaml

    order = f"avatar config --profile {profile}{' --apart' * apart}"
    lines = [
        f"# Made by `{order}`; settings live in serve_app/profiles/{profile}.toml.",
        f"# Before `ray start --head`, set: {' '.join(f'{name}={value}' for name, value in ENVIRONMENT.items())}",
    ]
    if load(profile).ray.mps:
        daemon = " ".join(f"{name}={value}" for name, value in MPS.items())
        lines.append(f"# And on every machine with a GPU, start: {daemon} nvidia-cuda-mps-control -d")
    return "\n".join(lines) + "\n" + yaml.safe_dump(config(profile, apart), sort_keys=False)


def missing(settings: Settings) -> list[str]:
    """A sentence for each stage whose engine is not in the engine table: said before any cluster is started."""
    told: list[str] = []
    for stage, choice in choices(settings).items():
        table = engines(stage)
        if choice.engine not in (*table, NO_FACE, STAND_IN):
            told.append(
                f"{stage} has no engine {choice.engine!r} yet: the profile {settings.profile} cannot be started;"
                f" choose one of: {', '.join(sorted(table))}, for instance AVATAR_{stage.upper()}__ENGINE={min(table)}"
            )
    return told


def main(profile: str | None, out: Path | None, apart: bool = False) -> int:
    """Write the Serve config of a profile to ``out``, or to the standard output; 1 if an engine of it is missing.

    Raises SettingsError, and UserError if the file cannot be written.
    """
    settings = load(profile)
    written = text(settings.profile or DEFAULT, apart)
    if out is None:
        sys.stdout.write(written)
    else:
        with whole(out) as part:
            part.write_text(written, encoding="utf-8")
    told = missing(settings)
    for sentence in told:
        print(f"avatar: {sentence}", file=sys.stderr)
    return 1 if told else 0
