"""Each part of a Serve config by itself: which keys it may hold, and which values make sense.

Every check yields sentences, ``path: what is wrong; what to write``. This file knows no Ray and no profile.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeGuard

KEYS: Mapping[str, tuple[str, ...]] = {
    "config": tuple(
        "proxy_location http_options grpc_options controller_options logging_config tracing_config applications"
        " target_capacity".split()
    ),
    "application": tuple(
        "name route_prefix import_path runtime_env host port deployments autoscaling_policy args logging_config"
        " external_scaler_enabled".split()
    ),
    "deployment": tuple(
        "name num_replicas max_ongoing_requests max_queued_requests backpressure_config user_config autoscaling_config"
        " graceful_shutdown_wait_loop_s graceful_shutdown_timeout_s health_check_period_s health_check_timeout_s"
        " ray_actor_options placement_group_bundles placement_group_strategy"
        " placement_group_bundle_label_selector max_replicas_per_node logging_config request_router_config"
        " gang_scheduling_config deployment_actors rolling_update_percentage max_surge_percent".split()
    ),
    "ray_actor_options": tuple(
        "runtime_env num_cpus num_gpus memory resources accelerator_type label_selector fallback_strategy".split()
    ),
    "autoscaling_config": tuple(
        "min_replicas initial_replicas max_replicas target_ongoing_requests metrics_interval_s look_back_period_s"
        " smoothing_factor upscale_smoothing_factor downscale_smoothing_factor upscaling_factor downscaling_factor"
        " downscale_delay_s downscale_to_zero_delay_s upscale_delay_s aggregation_function policy".split()
    ),
    "policy": ("policy_function", "policy_kwargs"),
    "http_options": tuple(
        "host port root_path request_timeout_s keep_alive_timeout_s ssl_keyfile ssl_certfile ssl_keyfile_password"
        " ssl_ca_certs".split()
    ),
    "grpc_options": ("port", "grpc_servicer_functions", "request_timeout_s", "enable_reflection"),
    "logging_config": ("encoding", "log_level", "logs_dir", "enable_access_log", "additional_log_standard_attrs"),
    "args": ("name", "profile", "version"),
    "runtime_env": tuple(
        "env_vars working_dir py_modules py_executable excludes pip uv conda container image_uri config nsight"
        " worker_process_setup_hook".split()
    ),
}
"""What each part may hold, as Ray's schema has it (``args`` and ``runtime_env`` it does not look at)."""

Map = Mapping[str, Any]
Faults = Iterator[str]


def unknown_keys(part: str, content: Any, where: str) -> Faults:
    if content is None:
        return
    if not isinstance(content, Mapping):
        yield f"{where or part}: this is no mapping; write `key: value` lines"
        return
    for key in content:
        if key not in KEYS[part]:
            near = get_close_matches(str(key), KEYS[part], n=1)
            what = f"write {near[0]}" if near else f"remove it, or choose one of {', '.join(KEYS[part])}"
            yield f"{_at(where, key)}: there is no such key; {what}"


def of_the_front(config: Map) -> Faults:
    for part in ("http_options", "grpc_options"):
        content = config.get(part)
        yield from unknown_keys(part, content, part)
        if isinstance(content, Mapping) and content.get("request_timeout_s") is not None:
            yield f"{part}.request_timeout_s: it would cut conversations that last longer; remove it"
    yield from unknown_keys("logging_config", config.get("logging_config"), "logging_config")


def of_application(where: str, content: Map) -> Faults:
    yield from unknown_keys("application", content, where)
    yield from unknown_keys("logging_config", content.get("logging_config"), f"{where}.logging_config")
    yield from unknown_keys("runtime_env", content.get("runtime_env"), f"{where}.runtime_env")
    yield from unknown_keys("args", content.get("args"), f"{where}.args")
    wrong = unresolved(content.get("import_path"))
    if wrong:
        yield f"{where}.import_path: {wrong}; write serve_app.cluster:application"
    for k, deployment in enumerate(listed(content.get("deployments"))):
        if isinstance(deployment, Mapping):
            yield from _deployment(f"{where}.deployments[{k}]", deployment)
        else:
            yield f"{where}.deployments[{k}]: this is no mapping; write `- name: ...`"


def _deployment(where: str, content: Map) -> Faults:
    yield from unknown_keys("deployment", content, where)
    actor = content.get("ray_actor_options")
    yield from unknown_keys("ray_actor_options", actor, f"{where}.ray_actor_options")
    yield from unknown_keys("logging_config", content.get("logging_config"), f"{where}.logging_config")
    queued = content.get("max_queued_requests")
    if not is_whole(queued) or queued < 1:
        yield f"{where}.max_queued_requests: calls would wait without end; write a number of calls, 32 for instance"
    yield from _replicas(where, content)
    actor = actor if isinstance(actor, Mapping) else {}
    yield from _sight(f"{where}.ray_actor_options", actor)
    if content.get("max_surge_percent") and content.get("name") != "gateway":
        yield f"{where}.max_surge_percent: a GPU has no room for a second replica; only the gateway has it: remove it"


def _replicas(where: str, content: Map) -> Faults:
    fixed, scaled = content.get("num_replicas"), content.get("autoscaling_config")
    if not isinstance(scaled, Mapping):
        if scaled is not None:
            yield f"{where}.autoscaling_config: this is no mapping; write min_replicas and max_replicas below it"
        elif not is_whole(fixed) or fixed < 1:
            yield f"{where}.num_replicas: this is {fixed!r}; write a number from 1, or an autoscaling_config as well"
        return
    at = f"{where}.autoscaling_config"
    yield from unknown_keys("autoscaling_config", scaled, at)
    if fixed not in (None, "auto"):
        yield f"{where}.num_replicas: an autoscaling_config decides it; write auto"
    counts = {key: scaled.get(key) for key in ("min_replicas", "initial_replicas", "max_replicas")}
    for key, value in counts.items():
        if not (is_whole(value) and value >= 0) and (value is not None or key == "max_replicas"):
            yield f"{at}.{key}: this is {value!r}; write a number of replicas"
            return
    least, most = counts["min_replicas"] or 0, counts["max_replicas"] or 0
    first = least if counts["initial_replicas"] is None else counts["initial_replicas"]
    if least > most:
        yield f"{at}.min_replicas: {least} is more than max_replicas, {most}; write {most} or less"
    elif not least <= first <= most:
        yield f"{at}.initial_replicas: {first} is not between {least} and {most}; write {least}"
    policy = scaled.get("policy")
    if policy is not None:
        yield from unknown_keys("policy", policy, f"{at}.policy")
        wrong = unresolved(policy.get("policy_function")) if isinstance(policy, Mapping) else None
        if wrong:
            yield f"{at}.policy.policy_function: {wrong}; write serve_app.scaling:Policy"


def _sight(where: str, actor: Map) -> Faults:
    """Of GPUs: Ray hides them from nobody."""
    share, runtime = actor.get("num_gpus", 0), actor.get("runtime_env")
    yield from unknown_keys("runtime_env", runtime, f"{where}.runtime_env")
    if not is_number(share) or share < 0:
        yield f"{where}.num_gpus: this is {share!r}; write a share of a GPU, 0.25 for instance"
        return
    seen = runtime.get("env_vars") if isinstance(runtime, Mapping) else None
    hidden = isinstance(seen, Mapping) and seen.get("CUDA_VISIBLE_DEVICES") == ""
    if not share and not hidden:
        yield f"{where}.runtime_env.env_vars: it books no GPU and could take one; write CUDA_VISIBLE_DEVICES: ''"
    if share and hidden:
        yield f"{where}.runtime_env.env_vars.CUDA_VISIBLE_DEVICES: it books a GPU and would see none; remove it"


def unresolved(path: Any) -> str | None:
    """Why ``module:name`` does not resolve; None if it does. The module is read, not run."""
    module, _, name = path.partition(":") if isinstance(path, str) else ("", "", "")
    return _unresolved(module, name) if module and name else f"this is {path!r}, not MODULE:NAME"


@cache
def _unresolved(module: str, name: str) -> str | None:
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin:
        return f"there is no module {module}"
    if not found.origin.endswith(".py"):
        return None  # compiled: nobody can look into it
    names: set[str] = set()
    for node in ast.parse(Path(found.origin).read_text("utf-8")).body:
        match node:
            case ast.FunctionDef(name=own) | ast.AsyncFunctionDef(name=own) | ast.ClassDef(name=own):
                names.add(own)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=own)):
                names.add(own)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case _:
                pass
    return None if name in names else f"{module} has no {name}"


# ---- reading -----------------------------------------------------------------------------------------------


def applications_of(config: Map) -> list[tuple[str, Map]]:
    found = enumerate(listed(config.get("applications")))
    return [(f"applications[{k}]", one if isinstance(one, Mapping) else {}) for k, one in found]


def deployments_of(application: Map) -> list[Map]:
    return [one for one in listed(application.get("deployments")) if isinstance(one, Mapping)]


def most_replicas(deployment: Map) -> int:
    scaled = deployment.get("autoscaling_config")
    count = scaled.get("max_replicas") if isinstance(scaled, Mapping) else deployment.get("num_replicas")
    return count if is_whole(count) else 0


def listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
