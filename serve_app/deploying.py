"""`avatar deploy compose|vm|gke|cloudrun`: look, show the plan, do it, talk to it, and take it back if that fails.

A way is data: what must be so beforehand, then steps, each with what takes it back. Programs of others do the work
(docker, terraform, gcloud, kubectl); nothing here knows their formats beyond single values that they print. None of
these ways was gone to its end where this was made: the tests hold the command lines against stand-ins for the programs.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serve_app.errors import UserError

LONGEST_S = 3600.0
"""Of one step: a cluster with GPU nodes takes a quarter of an hour."""

Run = Callable[[Sequence[str], float], "Done"]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What a program ended with."""

    code: int
    out: str
    """Its last lines, both streams."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must be so before anything is changed."""

    what: str
    command: tuple[str, ...]
    mend: str


KEY = Check(
    "a key to speak with, in AVATAR_KEY",
    ("sh", "-c", 'test -n "$AVATAR_KEY"'),
    "export AVATAR_KEY=ak_..., which `avatar key add` printed",
)
"""Without one nobody could talk to what comes up, and it would be taken back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what takes it back.

    ``{name}`` in a command stands for what an earlier step kept under that name.
    """

    what: str
    command: tuple[str, ...]
    keep: str = ""
    """Keep what it prints under this name. Such a step only looks, and may fail: then nothing is kept."""
    back: tuple[str, ...] = ()
    """Takes it back to what was there before; done only if everything that it names was kept."""
    away: tuple[str, ...] = ()
    """Takes it away where nothing was there before."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of deploying."""

    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    url: str
    """Where the service answers then; its host may be ``{name}``."""
    hint: str = ""
    """What a person should know before saying --apply: what it costs, what it leaves."""


@dataclass(slots=True)
class Deployment:
    """A way that is being gone."""

    way: Way
    run: Run
    say: Say
    kept: dict[str, str] = field(default_factory=dict)
    _done: list[Step] = field(default_factory=list)

    def looked(self) -> bool:
        """Whether everything is as it must be; what is not is said with the line that mends it."""
        missing = 0
        for check in self.way.checks:
            done = self.run(check.command, 60.0)
            self.say(
                f"{'ok      ' if done.code == 0 else 'missing '} {check.what}"
                + ("" if done.code == 0 else f" -> {check.mend}")
            )
            missing += done.code != 0
        return not missing

    def show(self) -> None:
        """The plan, command by command."""
        for k, step in enumerate(self.way.steps, 1):
            self.say(f"{k}. {step.what}\n     {shown(step.command)}")
            if step.back or step.away:
                self.say(f"     if it fails: {shown(step.back or step.away)}")
        self.say(f"{len(self.way.steps) + 1}. talk to it\n     {shown(smoke(self.way.url))}")
        if self.way.hint:
            self.say(self.way.hint)

    def go(self) -> bool:
        """Do it. Where a step or the talk at the end fails, take back all that was done, last first."""
        begun = time.monotonic()
        count = len(self.way.steps) + 1
        for k, step in enumerate(self.way.steps, 1):
            self.say(f"[{time.monotonic() - begun:5.0f} s] {k}/{count} {step.what}")
            command = self._filled(step.command)
            if command is None:  # it needs what an earlier look did not find
                continue
            if not step.keep:
                self._done.append(step)  # before it is run: half of it may be there when it fails
            done = self.run(command, LONGEST_S)
            if step.keep:
                self.kept[step.keep] = done.out.strip() if done.code == 0 else ""
            elif done.code:
                return self._back(f"{step.what} failed: {done.out.strip() or f'exit {done.code}'}")
        self.say(f"[{time.monotonic() - begun:5.0f} s] {count}/{count} talk to it")
        url = self._filled((self.way.url,))
        done = self.run(smoke(url[0] if url else self.way.url), 300.0)
        if done.code:
            return self._back(f"nobody could talk to it: {done.out.strip()}")
        self.say(f"it answers at {url[0] if url else self.way.url}")
        return True

    def _back(self, why: str) -> bool:
        self.say(f"failed    {why}")
        for step in reversed(self._done):
            command = (self._filled(step.back) if step.back else None) or self._filled(step.away)
            if not command:
                continue
            done = self.run(command, LONGEST_S)
            told = "taken back" if done.code == 0 else "NOT taken back"
            self.say(f"{told}  {step.what}: {shown(command)}" + (f": {done.out.strip()}" if done.code else ""))
        return False

    def _filled(self, command: Sequence[str]) -> tuple[str, ...] | None:
        """The command with what was kept; None if something that it names was not."""
        told = list(command)
        for name in {name for step in self.way.steps if (name := step.keep)}:
            if any(f"{{{name}}}" in part for part in told):
                if not self.kept.get(name):
                    return None
                told = [part.replace(f"{{{name}}}", self.kept[name]) for part in told]
        return tuple(told) or None


def smoke(url: str) -> tuple[str, ...]:
    """A client that speaks and listens for half a minute; it fails if one answer does."""
    socket = url.replace("http", "ws", 1) + "/v1/realtime"
    ours = (sys.executable, "-m", "serve_app.cli", "bench")
    return (*ours, "--url", socket, "--sessions", "1", "--seconds", "30", "--yes")


def shown(command: Sequence[str]) -> str:
    """As a person would type it."""
    if tuple(command[:3]) == (sys.executable, "-m", "serve_app.cli"):
        command = ("avatar", *command[3:])
    return shlex.join(command)


def really(command: Sequence[str], limit_s: float) -> Done:
    """Run a program; its last lines are kept."""
    if shutil.which(command[0]) is None:
        return Done(127, f"{command[0]} is not installed")
    lines: list[str] = []
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(limit_s, process.kill)
        watchdog.start()
        lines.extend(process.stdout)
        watchdog.cancel()
    if time.monotonic() - begun >= limit_s:
        return Done(124, f"it took over {limit_s:g} s")
    return Done(process.returncode, "".join(lines[-12:]))


def main(name: str, choices: Mapping[str, str], *, apply: bool, run: Run = really) -> int:
    """Look, show, and with ``apply`` do it; 0 if all is well. Raises UserError outside of a checkout."""
    from serve_app.ways import way

    home = Path(__file__).resolve().parents[1]
    if not (home / "cluster" / "compose.yaml").exists():
        raise UserError("what is deployed lies in cluster/ of the source tree; run this in a checkout")
    deployment = Deployment(way(name, choices, home), run, lambda text: print(text, flush=True))
    well = deployment.looked()
    deployment.show()
    if not apply:
        print("nothing was changed; do it with --apply")
        return 0 if well else 1
    if not well:
        print("nothing was changed: mend the lines above first")
        return 1
    return 0 if deployment.go() else 1
