"""`python -m dashboards.trial`: the service on Ray with a GPU that is not there, Prometheus, people, and the check.

Everything runs on this machine's loopback, with ports and folders of its own, and ends by itself after two minutes or
so; the command ends with 1 where a panel gives no finite number. Needs Prometheus (Debian: apt-get install prometheus).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import yaml
from websockets.asyncio.client import connect as dial
from websockets.exceptions import InvalidStatus

from actors.tts.hibari import Hibari
from dashboards import check
from serve_app.bench.questions import ask_with
from serve_app.client import Avatar, AvatarError, connect
from serve_app.ports import free_port
from serve_app.units import Cut, Sound, State

HERE = Path(__file__).parent
QUESTIONS = ("What is twelve times seven?", "Who are you?", "How do you move your lips?")
START_S = 150.0
OVER = "1m"
PATIENCE_S = 20.0
"""How long somebody waits for an answer to its end."""
SPARE_S = 5.0
"""The check is done before people go."""


@contextmanager
def program(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its words in a file, interrupted in the end."""
    with log.open("wb") as words:
        running = subprocess.Popen(command, stdout=words, stderr=words, env={**os.environ, **(environment or {})})
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def until(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until ``url`` answers. Raises RuntimeError with the log's end if the program ends first, or never does."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and running.poll() is None:
        with suppress(URLError, OSError), urlopen(url, timeout=2):
            return
        time.sleep(0.5)
    raise RuntimeError(f"nothing answers at {url}:\n{log.read_text(errors='replace')[-2000:]}")


def configured(folder: Path, discovery: Path, gateway: int) -> Path:
    """The shipped configuration with this trial's addresses, scraped every second."""
    told = yaml.safe_load((HERE / "prometheus.yml").read_text("utf-8"))
    told["global"] = {"scrape_interval": "1s", "evaluation_interval": "5s"}
    told["rule_files"] = [str(HERE / "rules.yml")]
    del told["alerting"]
    ray, plain = told["scrape_configs"]
    ray["file_sd_configs"][0]["files"] = [str(discovery)]
    plain["static_configs"][0]["targets"] = [f"127.0.0.1:{gateway}"]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(told), "utf-8")
    return file


# ---- people ------------------------------------------------------------------------------------------------


async def person(url: str, seconds: float, *, rude: bool) -> None:
    """Speak questions until then; a rude one interrupts every answer once it has heard a second of it."""
    questions = itertools.cycle(await ask_with(Hibari(), QUESTIONS))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(AvatarError):  # turned away: the machine is busy
            async with connect(url) as avatar:
                while time.monotonic() < end:
                    await avatar.press()
                    await avatar.hear(next(questions).pcm16k)
                    await avatar.release()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PATIENCE_S):
                            await answered(avatar, rude=rude)
        await asyncio.sleep(1)


async def answered(avatar: Avatar, *, rude: bool) -> None:
    """Hear the answer out, or stop it."""
    begun = False
    async for unit in avatar:
        match unit:
            case State(state="speaking"):
                begun = True
            case State(state="idle") | Cut() if begun:
                return
            case Sound(pts=pts) if rude and pts > 24_000:
                rude = False
                await avatar.press()
                await avatar.release()
            case _:
                pass


async def stranger(url: str) -> None:
    """Somebody who is not let in."""
    with suppress(InvalidStatus):
        async with dial(f"{url}?persona=nobody"):
            pass


async def people(url: str, seconds: float) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(person(url, seconds, rude=False))
        group.create_task(person(url, seconds, rude=True))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await stranger(url)
            # Comes, writes one thing, and leaves; on a busy machine it may be turned away, or tire of waiting.
            with suppress(AvatarError, TimeoutError):
                async with asyncio.timeout(PATIENCE_S), connect(url) as avatar:
                    await avatar.say(QUESTIONS[1])
                    await answered(avatar, rude=False)
            await asyncio.sleep(1)


# ---- the trial ---------------------------------------------------------------------------------------------


async def checked_under(talk: Coroutine[Any, Any, None], seconds: float, address: str) -> int:
    """Ask while people still talk: what nobody does any more has no rate."""
    talking = asyncio.create_task(talk)
    await asyncio.sleep(seconds - SPARE_S)
    found = await asyncio.to_thread(check.main, ["--url", f"http://{address}", "--over", OVER])
    await talking
    return found


def trial(seconds: float) -> int:
    """Start everything, let people talk for so long, ask Prometheus. Gives the check's exit status."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        raise RuntimeError("there is no Prometheus on this machine (Debian: apt-get install prometheus)")
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    ports = {name: free_port() for name in ("gateway", "dashboard", "prometheus")}
    settings = {
        "AVATAR_DOOR__KEYS": os.devnull,
        "AVATAR_GATEWAY__LATE": "1",  # a busy machine lets people in all the same: whoever is turned away shows nothing
        "AVATAR_GATEWAY__PORT": str(ports["gateway"]),
        "AVATAR_RAY__DASHBOARD_PORT": str(ports["dashboard"]),
        "AVATAR_RAY__TEMP_DIR": str(folder / "r"),
        "AVATAR_STORE__URL": f"sqlite:///{folder}/store.sqlite3",
        "PYTHONPATH": f"{HERE / 'stand_in'}{os.pathsep}{HERE.parent}",
    }
    try:
        with program(
            [sys.executable, "-m", "serve_app.cli", "run", "--profile", "cpu"], folder / "service.log", settings
        ) as service:
            until(f"http://127.0.0.1:{ports['gateway']}/healthz", service, folder / "service.log")
            file = configured(folder, folder / "r/prom_metrics_service_discovery.json", ports["gateway"])
            address = f"127.0.0.1:{ports['prometheus']}"
            command = [prometheus, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
            with program([*command, f"--web.listen-address={address}"], folder / "prometheus.log") as watching:
                until(f"http://{address}/-/ready", watching, folder / "prometheus.log")
                print(
                    f"the service is at http://127.0.0.1:{ports['gateway']}, Prometheus at http://{address}", flush=True
                )
                talk = people(f"ws://127.0.0.1:{ports['gateway']}/v1/realtime", seconds)
                return asyncio.run(checked_under(talk, seconds, address))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards.trial", description=__doc__)
    parser.add_argument("--seconds", type=float, default=90.0, help="how long people talk (default: %(default)g)")
    try:
        return trial(parser.parse_args(arguments).seconds)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
