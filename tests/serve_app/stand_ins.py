"""Stand-ins for docker, terraform, gcloud and kubectl: they write down how they are called, and fail where told to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from serve_app import deploying
from serve_app.deploying import Done, really


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Stand-ins that write down how they are called, print $SAYS where $SAYS_AT is called, and fail at $FAILS."""
    log, folder = tmp_path / "log", tmp_path / "bin"
    folder.mkdir()
    script = (
        "#!/bin/sh\n"
        f'called="$(basename "$0") $*"; echo "$called" >>{log}\n'
        f'case "$called" in *"services replace -"*) cat >{tmp_path / "service.yaml"};; esac\n'
        'case "$called" in *"${FAILS:-no such thing}"*) echo "it broke"; exit 3;; esac\n'
        'case "$called" in *"${SAYS_AT:-no such thing}"*) echo "$SAYS";; esac\n'
        'case "$called" in *quotas*) echo 8;; *terraform*output*|*"compose"*" ps "*|*view-last*|*describe\\ avatar*)\n'
        '  [ -n "${SAYS_AT:-}" ] || exit 1;; esac\n'
    )
    for name in ("docker", "terraform", "gcloud", "kubectl", "curl", "nvidia-smi"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AVATAR_KEY", "ak_of_nobody")
    home = str(Path(deploying.__file__).resolve().parents[1])
    return lambda: [line.replace(home, "HOME") for line in log.read_text().splitlines()] if log.exists() else []


def going(well: bool = True) -> Callable[[Sequence[str], float], Done]:
    """The real runner, but for the client at the end."""

    def run(command: Sequence[str], limit_s: float) -> Done:
        if command[0] == sys.executable and "bench" in command:
            return Done(0 if well else 1, "" if well else "no answer within 10 s")
        if command[0] == sys.executable:  # free room: not of the machine that tests
            return Done(0, "")
        return really(command, limit_s)

    return run
