"""The ways of `avatar deploy`: what each looks at, does and takes back. deploying.py goes them; Google's: clouds.py."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from serve_app import clouds
from serve_app.deploying import KEY, Check, Step, Way
from serve_app.errors import UserError
from serve_app.images import IMAGES

ROOM = {"cpu": 4, "l4": 20}
"""Gigabytes that must be free to pull the images of a profile."""


def way(name: str, choices: Mapping[str, str], home: Path) -> Way:
    """A way by its name. ``choices``: profile, project, region, zone, host, version, images. Raises UserError."""
    made = {"compose": _compose, "vm": clouds.vm, "gke": clouds.gke, "cloudrun": clouds.cloud_run}
    wanted = {"compose": (), "vm": ("project", "host"), "gke": ("project", "host"), "cloudrun": ("project",)}
    lacking = [choice for choice in wanted[name] if not choices.get(choice)]
    if lacking:
        raise UserError(f"avatar deploy {name} needs {' and '.join(f'--{choice}' for choice in lacking)}")
    return made[name](choices, home)


def _free(gigabytes: int) -> Check:
    test = f"import shutil, sys; sys.exit(shutil.disk_usage('/').free < {gigabytes}e9)"
    return Check(f"{gigabytes} GB free", (sys.executable, "-c", test), f"free room until {gigabytes} GB are")


def _compose(choices: Mapping[str, str], home: Path) -> Way:
    profile, version = choices.get("profile") or "cpu", choices["version"]
    images = choices.get("images") or "realtime-avatar"
    if profile not in ROOM:
        raise UserError(f"compose has no profile {profile!r}; choose one of {', '.join(ROOM)}")
    file = str(home / "cluster" / "compose.yaml")
    compose = ("env", f"AVATAR_IMAGES={images}", f"AVATAR_VERSION={version}")
    compose += ("docker", "compose", "-f", file, "--profile", profile)
    before = (*compose[:2], "AVATAR_VERSION={before}", *compose[3:])
    main = "cpu" if profile == "cpu" else "gateway"
    names = ["cpu"] if profile == "cpu" else [name for name in IMAGES if name not in ("cpu", "all", "builder")]
    checks = [
        KEY,
        Check("docker compose", ("docker", "compose", "version"), "install Docker with its compose plugin"),
        _free(ROOM[profile]),
    ]
    if profile == "l4":
        checks.append(Check("NVIDIA driver", ("nvidia-smi",), "install the driver, 580 or newer for TensorRT 11"))
    for name in names:
        image = f"{images}/{name}:{version}"
        mend = f"AVATAR_IMAGES={images} cluster/images/build.sh {name}"
        checks.append(Check(f"image {image}", ("docker", "image", "inspect", image), mend))
    key = f"docker compose -f cluster/compose.yaml --profile {profile} run --rm -T --no-deps {main} avatar key add me"
    keys = (*compose, "run", "--rm", "--no-deps", main, "sh", "-c", "grep -q . /data/realtime-avatar/keys.toml")
    checks.append(Check("a key to come in with", keys, key))
    look = f"{shlex.join(compose)} ps --format '{{{{.Image}}}}' {main} | head -1 | sed -n 's/.*://p'"
    return Way(
        tuple(checks),
        (
            Step("look what runs", clouds.sh(look), keep="before"),
            Step(
                "start it, and wait until it is healthy",
                (*compose, "up", "--detach", "--wait", "--wait-timeout", "600"),
                back=(*before, "up", "--detach", "--wait", "--wait-timeout", "600"),
                away=(*compose, "down"),
            ),
        ),
        "http://127.0.0.1:8080",
    )
