"""Terraform: its layout, its syntax, and the names of its arguments.

Google's provider cannot be had from a package, so `terraform validate` is not run. Its arguments are nearly those of
Google's API in other letters (`machine_type`, machineType), whose descriptions come with google-api-python-client. A
name that is neither there nor in OWN below is told. Values, and which arguments exclude each other, are unchecked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from cluster.checks.parts import Faults, Missing, program, ran

FOLDER = Path("cluster/terraform/gcp")

KINDS: Mapping[str, tuple[str, str]] = {
    "google_artifact_registry_repository": ("artifactregistry.v1", "Repository"),
    "google_billing_budget": ("billingbudgets.v1", "GoogleCloudBillingBudgetsV1Budget"),
    "google_compute_address": ("compute.v1", "Address"),
    "google_compute_firewall": ("compute.v1", "Firewall"),
    "google_compute_global_address": ("compute.v1", "Address"),
    "google_compute_instance": ("compute.v1", "Instance"),
    "google_compute_network": ("compute.v1", "Network"),
    "google_compute_router": ("compute.v1", "Router"),
    "google_compute_router_nat": ("compute.v1", "RouterNat"),
    "google_compute_subnetwork": ("compute.v1", "Subnetwork"),
    "google_container_cluster": ("container.v1", "Cluster"),
    "google_container_node_pool": ("container.v1", "NodePool"),
    "google_project_iam_member": ("cloudresourcemanager.v1", "Binding"),
    "google_project_service": ("serviceusage.v1", "GoogleApiServiceusageV1Service"),
    "google_secret_manager_secret": ("secretmanager.v1", "Secret"),
    "google_secret_manager_secret_iam_member": ("secretmanager.v1", "Binding"),
    "google_service_account": ("iam.v1", "ServiceAccount"),
    "google_storage_bucket": ("storage.v1", "Bucket"),
    "google_storage_bucket_iam_member": ("storage.v1", "Policy"),
}
"""Resource -> description of the API, and the object in it."""

EVERYWHERE = {"count", "for_each", "depends_on", "lifecycle", "provider", "project", "region", "zone", "location"}
OWN: Mapping[str, frozenset[str]] = {
    "google_artifact_registry_repository": frozenset(
        {
            "repository_id", "cleanup_policies", "cleanup_policies.id", "cleanup_policies.action",
            "cleanup_policies.most_recent_versions", "cleanup_policies.most_recent_versions.keep_count",
        }
    ),
    "google_billing_budget": frozenset({"billing_account"}),
    "google_compute_firewall": frozenset({"allow", "allow.protocol", "allow.ports"}),
    "google_compute_instance": frozenset(
        {
            "allow_stopping_for_update", "boot_disk", "boot_disk.initialize_params",
            "boot_disk.initialize_params.image", "boot_disk.initialize_params.size", "boot_disk.initialize_params.type",
            "network_interface", "network_interface.access_config", "network_interface.access_config.nat_ip",
            "service_account", "service_account.email", "service_account.scopes",
        }
    ),
    "google_compute_router_nat": frozenset({"router"}),
    "google_compute_subnetwork": frozenset({"secondary_ip_range"}),
    "google_container_cluster": frozenset(
        {
            "remove_default_node_pool", "deletion_protection", "datapath_provider", "workload_identity_config",
            "ip_allocation_policy.cluster_secondary_range_name", "ip_allocation_policy.services_secondary_range_name",
        }
    ),
    "google_container_node_pool": frozenset(
        {
            "cluster", "node_config", "node_config.guest_accelerator", "node_config.guest_accelerator.type",
            "node_config.guest_accelerator.count", "node_config.taint",
        }
    ),
    "google_project_iam_member": frozenset({"member"}),
    "google_project_service": frozenset({"service", "disable_on_destroy"}),
    "google_secret_manager_secret": frozenset({"secret_id", "replication.auto"}),
    "google_secret_manager_secret_iam_member": frozenset({"secret_id", "member"}),
    "google_service_account": frozenset({"account_id"}),
    "google_storage_bucket": frozenset({"uniform_bucket_level_access", "public_access_prevention"}),
    "google_storage_bucket_iam_member": frozenset({"bucket", "role", "member"}),
}  # fmt: skip
"""Names that only the provider has; below a dot those of a block."""
RENAMED = {
    "boot_disk": "disks", "network_interface": "network_interfaces", "access_config": "access_configs",
    "service_account": "service_accounts", "secondary_ip_range": "secondary_ip_ranges", "node_config": "config",
    "guest_accelerator": "accelerators", "gpu_driver_installation_config": "gpu_driver_installation_config",
    "taint": "taints", "allow": "allowed",
}  # fmt: skip
"""Blocks that the API calls otherwise."""


def check(root: Path) -> Faults:
    """Every file of the folder."""
    import hcl2

    resources: list[tuple[str, str, str, Mapping[str, Any]]] = []
    for path in sorted((root / FOLDER).glob("*.tf")):
        told = str(path.relative_to(root))
        try:
            content = hcl2.loads(path.read_text("utf-8"))
        except Exception as error:  # the parser's own, of several kinds
            yield f"{told}: {' '.join(str(error).split())[:300]}"
            continue
        for block in content.get("resource", []):
            for kind, named in block.items():
                if kind.startswith("__"):
                    continue
                resources += [(told, _bare(kind), _bare(name), body) for name, body in named.items() if _named(name)]
    for told, kind, name, body in resources:
        if kind not in KINDS:
            yield f"{told}: {kind} {name}: nobody here knows its arguments; add it to cluster/checks/terraform.py"
            continue
        document, schema = KINDS[kind]
        for where, argument in _unknown(described(document), schema, body, OWN.get(kind, frozenset()), ""):
            yield f"{told}: {kind} {name}: there is no argument {where}{argument}"
    yield from _references(root, {(kind, name) for _, kind, name, _ in resources})


def layout(root: Path) -> Faults:
    """`terraform fmt`."""
    terraform = program("terraform", f"the layout of {FOLDER} was not checked; its arguments were")
    yield from ran([terraform, "fmt", "-check", "-no-color", "."], root / FOLDER, str(FOLDER))


def _bare(name: str) -> str:
    return name.strip('"')


def _named(name: str) -> bool:
    return not name.startswith("__")


@cache
def described(name: str) -> Mapping[str, Any]:
    """The objects of one of Google's APIs: compute.v1, run.v1. Raises Missing."""
    try:
        folder = files("googleapiclient") / "discovery_cache" / "documents"
    except ModuleNotFoundError:
        raise Missing("google-api-python-client is not installed: no argument was checked") from None
    return json.loads((folder / f"{name}.json").read_text("utf-8"))["schemas"]


def _unknown(
    schemas: Mapping[str, Any], schema: str | None, body: Mapping[str, Any], own: frozenset[str], where: str
) -> Iterator[tuple[str, str]]:
    """(block, argument) of every name that neither the API nor the provider has."""
    properties = schemas.get(schema or "", {}).get("properties", {}) if schema else {}
    for argument, value in body.items():
        if not _named(argument) or (not where and argument in EVERYWHERE):
            continue
        if argument == "dynamic":
            for block in value:
                for name, inner in block.items():
                    if _named(name):
                        contents = inner.get("content", [])
                        yield from _unknown(schemas, schema, {_bare(name): contents}, own, where)
            continue
        if argument not in own and f"{where}{argument}" not in own and _property(properties, argument) is None:
            yield where, argument
            continue
        below = _schema_of(_property(properties, argument))
        blocks = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
        for block in blocks:
            if below is None:  # a map of names that are the person's, or a block that only the provider has
                known = {name for name in own if name.startswith(f"{where}{argument}.")}
                if known or f"{where}{argument}" in own:
                    yield from _unknown(schemas, None, block, own, f"{where}{argument}.")
            else:
                yield from _unknown(schemas, below, block, own, f"{where}{argument}.")


def _property(properties: Mapping[str, Any], argument: str) -> Mapping[str, Any] | None:
    for name in (argument, RENAMED.get(argument, argument), f"{argument}s"):
        head, *rest = name.split("_")
        camel = head + "".join(part.capitalize() for part in rest)
        for wanted in (camel, camel.replace("Ip", "IP"), camel.replace("Tcp", "TCP")):
            if wanted in properties:
                return properties[wanted]
    return None


def _schema_of(found: Mapping[str, Any] | None) -> str | None:
    """The object that a property holds, one or a list of it."""
    return (found or {}).get("$ref") or (found or {}).get("items", {}).get("$ref")


def _references(root: Path, there: set[tuple[str, str]]) -> Faults:
    """`google_x.name` must be a resource of ours, `var.x` and `local.x` must be declared."""
    texts = {path: path.read_text("utf-8") for path in sorted((root / FOLDER).glob("*.tf"))}
    together = "\n".join(texts.values())
    variables = set(re.findall(r'^variable "(\w+)"', together, re.MULTILINE))
    for path, text in texts.items():
        told = path.relative_to(root)
        code = re.sub(r"#.*", "", text)
        for kind, name in sorted(set(re.findall(r"(?<![\w.\"])(google_\w+)\.(\w+)", code))):
            if (kind, name) not in there and f'data "{kind}" "{name}"' not in together and f"data.{kind}" not in code:
                yield f"{told}: {kind}.{name} is nowhere"
        for name in sorted(set(re.findall(r"\bvar\.(\w+)", code)) - variables):
            yield f"{told}: var.{name} is not declared"
