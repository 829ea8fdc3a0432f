"""`python -m cluster.layout compose`, or `rayservice`: the processes of the shipped files, without a container engine.

Commands, environment, mounts, health checks and order are read from the files; every container or pod gets namespaces
of its own, so that ports, host names and paths are those of the files too. Somebody speaks through nginx while one
gateway is upgraded. Ends with 1 where something was lost. Wants root, for namespaces; nothing is seen outside of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from cluster.layout.box import STAND_INS
from cluster.layout.needs import FIRST, OUTER, missing, postgres
from serve_app.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = "l4"
"""Of cluster/kubernetes."""


def inside(chosen: argparse.Namespace) -> int:
    """In the namespaces: the trial."""
    from cluster.layout import plan, trial

    folder = Path(chosen.inside)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # where `ip netns` keeps names
    logs = Path(chosen.logs) if chosen.logs else folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    programs = postgres()
    assert programs
    made = plan.of_compose if chosen.layout == "compose" else partial(plan.of_rayservice, OVERLAY)
    return trial.trial(partial(made, ROOT, programs), folder, logs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster.layout", description=__doc__)
    parser.add_argument("layout", choices=("compose", "rayservice"))
    parser.add_argument("--logs", metavar="FOLDER", help="keep what every process said")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.inside:
            return inside(chosen)
        if why := missing(chosen.layout):
            print(why, file=sys.stderr)
            return 2
        for what, does in STAND_INS:
            print(f"in place of {what}: {does}")
        with tempfile.TemporaryDirectory(prefix="layout-") as folder:
            logs = ["--logs", str(Path(chosen.logs).resolve())] if chosen.logs else []
            command = [sys.executable, "-m", "cluster.layout", chosen.layout, "--inside", folder, *logs]
            return subprocess.run([*OUTER, *FIRST, *command], cwd=ROOT).returncode
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
