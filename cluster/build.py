"""`python -m cluster.build [--check]`: the files of cluster/ that follow from others.

The Serve configs from the profiles, for containers with an image each and as patches of the RayService; the rules and
dashboards of dashboards/ as objects of Kubernetes. ``--check`` writes nothing and ends with 1 where a file is old.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from serve_app import placement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("cluster")
OVERLAYS = FOLDER / "kubernetes" / "overlays"
MONITORING = FOLDER / "kubernetes" / "monitoring"

POSTGRES = {"url": "postgresql://avatar@postgres/avatar"}
"""As cluster/kubernetes/postgres tells the gateways. No config has it, but it lets there be several."""
GATEWAYS = {"replicas": 2, "most": 4}
ELASTIC = {"replicas": 0, "most": 2}
DRAIN = {"drain_s": 20}
"""What the environment of cluster/kubernetes/base tells every gateway; Serve has to wait longer before it kills one."""

CONFIGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "dev": ("cpu", {"gateway": DRAIN}),
    "l4": ("l4", {"store": POSTGRES, "gateway": DRAIN, "ray": {"gateway": GATEWAYS}}),
    "scale-to-zero": (
        "l4",
        {
            "store": POSTGRES,
            "gateway": DRAIN,
            "ray": {"num_gpus": 2, "gateway": GATEWAYS, "asr": ELASTIC, "tts": ELASTIC, "face": ELASTIC},
        },
    ),
}
"""Overlay -> profile, and the settings in which its Serve config differs from the profile's."""


APART = ("l4", "two-l4-one-process")
"""Profiles whose deployments get nodes of their own: of compose, and of Ray's launcher."""


class _Text(yaml.SafeDumper):
    """Writes texts of several lines as they are, so that a person can read them."""


_Text.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def written(content: Any, made_of: str) -> str:
    """A YAML document that says what it was made of."""
    documents = content if isinstance(content, list) else [content]
    body = "---\n".join(yaml.dump(one, Dumper=_Text, sort_keys=False, width=10_000) for one in documents)
    return f"# Made by `python -m cluster.build` of {made_of}.\n{body}"


def served(overlay: str) -> str:
    """The patch of the RayService with an overlay's Serve config. Raises SettingsError."""
    profile, overrides = CONFIGS[overlay]
    config = yaml.safe_dump(placement.config(profile, apart=True, **overrides), sort_keys=False)
    patch = {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": "avatar", "namespace": "avatar"},
        "spec": {"serveConfigV2": config},
    }
    return written(patch, f"the profile {profile}")


def rules() -> str:
    """dashboards/rules.yml as the Prometheus Operator wants it."""
    groups = yaml.safe_load((ROOT / "dashboards" / "rules.yml").read_text("utf-8"))["groups"]
    rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "avatar"}}
    return written({**rule, "spec": {"groups": groups}}, "dashboards/rules.yml")


def dashboards() -> str:
    """dashboards/grafana/*.json as ConfigMaps that Grafana's sidecar finds."""
    return written(
        [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"dashboard-{file.stem}", "labels": {"grafana_dashboard": "1"}},
                "data": {file.name: file.read_text("utf-8")},
            }
            for file in sorted((ROOT / "dashboards" / "grafana").glob("*.json"))
        ],
        "dashboards/grafana",
    )


def made() -> dict[Path, str]:
    """Every file, relative to the repository's root, with its content."""
    return {
        **{FOLDER / "serve" / f"{name}-apart.yaml": placement.text(name, apart=True) for name in APART},
        **{OVERLAYS / name / "serve.yaml": served(name) for name in CONFIGS},
        MONITORING / "rules.yaml": rules(),
        MONITORING / "dashboards.yaml": dashboards(),
    }


def old(root: Path = ROOT) -> list[str]:
    """Files that are not what would be written."""
    return [
        str(name)
        for name, text in made().items()
        if not (root / name).exists() or (root / name).read_text("utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a file is old")
    if parser.parse_args(arguments).check:
        late = old()
        for name in late:
            print(f"{name}: not as its source says; run python -m cluster.build", file=sys.stderr)
        return 1 if late else 0
    for name, text in made().items():
        (ROOT / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
