"""Google Cloud's own YAML: Cloud Run's service by its API's description, Ray's launcher by Ray's schema and Compute's.

What our own part of the launcher's file says is read in launched.py.

Both descriptions come in packages (google-api-python-client, ray); neither Google nor a machine is asked.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from actors.serving import ENVIRONMENT
from cluster.checks import launched
from cluster.checks.parts import Faults, documents
from cluster.checks.terraform import described

CLOUD_RUN = Path("cluster/gcp/cloudrun.yaml")
LAUNCHER = Path("cluster/gcp/ray.yaml")
LONGEST_S = 3600
"""Of a request on Cloud Run, and so of a WebSocket."""


def cloud_run(root: Path) -> Faults:
    """The service, key by key, and the limits that end conversations early."""
    try:
        [service] = documents((root / CLOUD_RUN).read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        yield f"{CLOUD_RUN}: {' '.join(str(error).split())}"
        return
    yield from fits(described("run.v1"), "Service", service, str(CLOUD_RUN))
    template = service.get("spec", {}).get("template", {})
    timeout = template.get("spec", {}).get("timeoutSeconds", 300)
    if timeout != LONGEST_S:
        yield f"{CLOUD_RUN}: conversations would be cut after {timeout} s; write timeoutSeconds: {LONGEST_S}"
    notes = template.get("metadata", {}).get("annotations", {})
    for note, wanted in (("cpu-throttling", "false"), ("sessionAffinity", "true")):
        if notes.get(f"run.googleapis.com/{note}") != wanted:
            yield f'{CLOUD_RUN}: write run.googleapis.com/{note}: "{wanted}"'


def launcher(root: Path) -> Faults:
    """The launcher's file by Ray, each machine by Compute, Ray's environment on each, and what each is set up with."""
    from ray.autoscaler._private.util import validate_config

    try:
        [content] = documents((root / LAUNCHER).read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        yield f"{LAUNCHER}: {' '.join(str(error).split())}"
        return
    try:
        validate_config({**copy.deepcopy(content), "cluster_synced_files": []})
    except Exception as error:  # jsonschema's, or ValueErrors of Ray's own
        yield f"{LAUNCHER}: {str(error).strip().splitlines()[0]}"
        return
    for name, kind in content["available_node_types"].items():
        yield from fits(described("compute.v1"), "Instance", kind["node_config"], f"{LAUNCHER}: {name}")
    for part in ("head_start_ray_commands", "worker_start_ray_commands"):
        starting = next((line for line in content[part] if "ray start" in line), "")
        for variable, value in ENVIRONMENT.items():
            if f"{variable}={value} " not in starting:
                yield f"{LAUNCHER}: {part}: {variable} is not {value}, as actors/serving.py says"
    yield from launched.faults(root, content, str(LAUNCHER))


def fits(schemas: Mapping[str, Any], schema: str, content: Any, told: str) -> Faults:
    """Each key and kind of value, by a description of one of Google's APIs."""
    if not isinstance(content, Mapping):
        yield f"{told}: this is {type(content).__name__}; the API wants an object ({schema})"
        return
    properties = schemas[schema].get("properties", {})
    for key, value in content.items():
        if key not in properties:
            yield f"{told}: there is no {key} in {schema}"
        else:
            yield from _value(schemas, properties[key], value, f"{told}: {key}")


def _value(schemas: Mapping[str, Any], wanted: Mapping[str, Any], value: Any, told: str) -> Faults:
    kind = wanted.get("type")
    if "$ref" in wanted:
        yield from fits(schemas, wanted["$ref"], value, told)
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{told}: this is {type(value).__name__}; the API wants a list"
            return
        for k, one in enumerate(value):
            yield from _value(schemas, wanted["items"], one, f"{told}[{k}]")
    elif kind == "object":
        for key, one in value.items() if isinstance(value, Mapping) else ():
            yield from _value(schemas, wanted.get("additionalProperties", {}), one, f"{told}.{key}")
    elif kind == "string" and wanted.get("format") not in ("int64", "uint64") and not isinstance(value, str):
        yield f"{told}: this is {value!r}; the API wants a text: put it into quotes"
    elif kind == "boolean" and not isinstance(value, bool):
        yield f"{told}: this is {value!r}; the API wants true or false"
    elif kind == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        yield f"{told}: this is {value!r}; the API wants a whole number"
    if "enum" in wanted and isinstance(value, str) and value not in wanted["enum"]:
        yield f"{told}: {value} is none of {', '.join(wanted['enum'][:12])}"
