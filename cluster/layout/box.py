"""What a container or a pod is, as the files describe it: a command, its environment, and what is mounted.

Read by compose.py and rayservice.py, carried out by boxes.py. What stands for something that is not here is told in
STAND_INS; whatever else a file names is an error, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serve_app.errors import UserError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IMAGES = Path("cluster/images")
OURS = re.compile(r"(?:^|/)(gateway|asr|tts|face|cpu|all):[\w.+-]+$")
FOREIGN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "docker.io/library/redis": ((), ("--protected-mode", "no")),
    "docker.io/prom/prometheus": (("prometheus",), ()),
}
"""Image of others -> what it puts before and behind the command; the program of that name on this machine runs."""
GIVEN = {"REDIS_PASSWORD": "layout", "PGPASSWORD": "layout", "OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
"""What the operator would fill in."""
STAND_INS = (
    ("an image of ours", "this machine's files, this Python at /app, this checkout; its ENV and HEALTHCHECK count"),
    ("an image of others", "Debian's program of the same name"),
    ("its own network, host name, processes, paths", "the kernel's namespaces; no port and no path is changed"),
    ("the user, read_only, limits of CPU and memory", "root, as whoever made the namespaces"),
    ("a GPU", "the number that Ray is told, and the engines of the profile cpu in place of xtts, ditto and turbo"),
    ("secrets", "made up"),
    ("a PostgreSQL", "this machine's, by the variables of the image"),
    ("KubeRay", "the command and the variables that it gives to a pod; a kubelet's probes as connections"),
    ("a certificate", "one of an hour, which the client trusts"),
)
"""What a container engine, a cluster or an operator would give, and what does here."""


class Unknown(UserError):
    """A file names something that nothing here stands for; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that is found at a path inside."""

    at: str
    volume: str = ""
    """Name of what all share who name it."""
    folder: str = ""
    """A file or folder of the checkout."""
    size: str = ""
    """Of a memory that is this box's own (``256m``); what is none of the three is one without a limit."""


@dataclass(frozen=True, slots=True)
class Box:
    """One container or pod."""

    name: str
    """Also its host name."""
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """All of it: nothing is inherited."""
    mounts: tuple[Mount, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Path inside -> what is in it, of files that are made for this run."""
    healthy: tuple[str, ...] = ()
    """A command that ends with 0 in it once it is; without one it is as soon as it runs."""
    after: tuple[str, ...] = ()
    """What must be healthy before it starts."""
    job: bool = False
    """True if it does something and ends."""
    outside: bool = True
    """Whether it has a way out of its network."""
    aliases: tuple[str, ...] = ()
    """More names under which others find it."""
    leave: tuple[str, ...] = ()
    """A command that runs in it before it is stopped (``preStop``)."""
    grace_s: float = 10.0
    """How long it is waited for after SIGTERM."""


def image(name: str, command: list[str], root: Path) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """What an image makes of a command, its environment, and its health check. Raises Unknown."""
    bare = name.split("@")[0].rpartition(":")[0]
    if bare in FOREIGN:
        before, behind = FOREIGN[bare]
        return (*before, *command, *behind), {"PATH": PATH}, ()
    found = OURS.search(name)
    if found is None:
        raise Unknown(f"the image {name} is none of ours and cluster/layout/box.py names nothing in its place")
    return tuple(command), *_dockerfile((root / IMAGES / f"{found[1]}.Dockerfile").read_text("utf-8"))


def _dockerfile(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    last = text.replace("\\\n", " ").rpartition("\nFROM ")[2]
    environment = {"PATH": PATH, "HOME": "/data"}
    for line in re.findall(r"^ENV (.*)$", last, re.MULTILINE):
        for key, value in re.findall(r"(\w+)=(\S+)", line):
            environment[key] = value.replace("$PATH", environment["PATH"])
    check = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", last, re.MULTILINE)
    return environment, tuple(_words(check[1])) if check else ()


def _words(listed: str) -> list[str]:
    import json

    return [str(word) for word in json.loads(listed)]


def filled(text: str, given: Mapping[str, str], where: str) -> str:
    """Compose's ``${NAME}`` and ``${NAME:-default}``. Raises Unknown for a name that has neither value nor default."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, default = found[1], found[2]
        if given.get(name):
            return given[name]
        if default is None and name not in given:
            raise Unknown(f"{where}: nobody says what ${{{name}}} is; give it a default, or name it in GIVEN")
        return default or ""

    done = re.sub(r"\$\$|\$\{(\w+)(?::?-([^}]*))?\}", value, text)
    if "$" in done.replace("$$", "") and "${" in done:
        raise Unknown(f"{where}: the placeholder in {text!r} is of a kind that is not known here")
    return done
