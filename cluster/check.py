"""`python -m cluster.check`: every file that deploys us, read by whatever catches its mistakes. Part of `make check`.

Nothing is started and nothing fetched. A check whose program is not here is told as not done; what no check looks at is
told at the end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.checks import containers, files, google, kubernetes, terraform
from cluster.checks.parts import Faults, Missing

CHECKS: Mapping[str, Callable[[Path], Faults]] = {
    "made files": files.made,
    "Serve configs": files.serve,
    "images": containers.images,
    "compose": containers.compose,
    "Kubernetes": kubernetes.check,
    "Caddy": files.caddy,
    "nginx": files.nginx,
    "systemd": files.systemd,
    "Prometheus": files.prometheus,
    "scripts": files.scripts,
    "Terraform": terraform.check,
    "Terraform's layout": terraform.layout,
    "Cloud Run": google.cloud_run,
    "Ray's launcher": google.launcher,
}

UNCHECKED = (
    "that images build and start, for no container engine is asked",
    "what an API server, KubeRay and a cloud's quotas say only when they are asked",
    "values of Terraform's arguments, for Google's provider is in no package",
    "dashboards/rules.yml inside the PrometheusRule beyond its being the same rules",
)


def main(arguments: list[str] | None = None) -> int:
    """Each check with its faults; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m cluster.check", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="CHECK", help=f"of {', '.join(CHECKS)}")
    chosen = parser.parse_args(arguments).only
    root = Path(__file__).resolve().parents[1]
    count = 0
    for name, check in CHECKS.items():
        if chosen and name not in chosen:
            continue
        try:
            faults = list(check(root))
        except Missing as missing:
            print(f"not done  {name}: {missing}")
            continue
        print(f"{'fault' if faults else 'ok':<9} {name}")
        for fault in faults:
            print(f"          {fault}", file=sys.stderr)
        count += len(faults)
    print("unchecked " + "; ".join(UNCHECKED))
    return 1 if count else 0


if __name__ == "__main__":
    raise SystemExit(main())
