"""The newcomer's paths of one machine, as docs/operations.md has them: looked at, started, spoken with, stopped.

`make setup` and `make run` would install what is installed already; of the second its last command is run.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from urllib.request import urlopen

import pytest

from serve_app.client import connect
from serve_app.page import folder
from serve_app.ports import free_port
from serve_app.units import Picture, Sound, State, Text
from tests.cluster.paths import PATHS, ROOT
from tests.system.service import running

pytestmark = [pytest.mark.system]

PATIENT = {"AVATAR_PACE__FIRST_ANSWER_S": "60", "AVATAR_PACE__NEXT_ANSWER_S": "60"}
"""A machine that tests other things beside this may be slow, and is not what is tested."""


def asked(*words: str) -> subprocess.CompletedProcess[str]:
    """What a command of ours says, without the keys of whoever runs the tests."""
    environment = {**os.environ, "AVATAR_DOOR__KEYS": os.devnull}
    command = [sys.executable, "-m", "serve_app.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def started(words: list[str], port: int) -> list[str]:
    """What stands behind `avatar run`, with a port that is free."""
    assert words[0] == "run"
    return [*words[1:], "--port", str(port)]


def spoken(words: list[str], url: str) -> None:
    """A turn by the SDK is answered; and so is whoever the line of the path sends, as fast as this machine can."""
    socket = f"{url.replace('http', 'ws', 1)}/v1/realtime"
    text, sound, pictures = asyncio.run(turn(socket))
    assert "84" in text
    assert sound and pictures
    assert words[0] == "bench"
    done = asked(*words, "--url", socket)
    assert done.returncode in (0, 1), done.stderr  # 1: an answer came too late for a person, on a machine that is busy
    assert "1 sessions were let in, 0 told to come later" in done.stdout


async def turn(socket: str) -> tuple[str, int, int]:
    """What was answered to a question that was written: the text, and how many pieces of sound and pictures."""
    text, sound, pictures = "", 0, 0
    async with connect(socket) as avatar:
        await avatar.say("What is twelve times seven?")
        async for unit in avatar:
            text += unit.delta if isinstance(unit, Text) else ""
            sound += isinstance(unit, Sound)
            pictures += isinstance(unit, Picture)
            if isinstance(unit, State) and unit.state == "idle":
                break
    return text, sound, pictures


@pytest.mark.timeout(900)
def test_a_laptop_with_one_process() -> None:
    setup, *_ = PATHS["laptop"].lines
    doctor, run, bench = PATHS["laptop"].of_ours()
    [page] = [words[1:] for words in PATHS["laptop"].words() if words[0] == ".venv/bin/python"]
    assert setup == "make setup"
    health = asked(*doctor)
    assert health.returncode == 0, health.stdout
    built = subprocess.run([sys.executable, *page], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    with running(*started(run, free_port()), settings=PATIENT) as url:
        with urlopen(url, timeout=30) as shown:
            assert shown.read() == (folder() / "index.html").read_bytes()
        assert built.stderr or folder().name == "dist", "it was built, and another one is shown"
        spoken(bench, url)


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_ray_on_one_machine() -> None:
    make, *_ = PATHS["ray"].lines
    [bench] = PATHS["ray"].of_ours()
    assert make == "make run"
    recipe = re.search(r"^run:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe
    last = recipe[1].strip().splitlines()[-1].split()
    assert last[0] == "$(BIN)/avatar"
    settings = {**PATIENT, "AVATAR_RAY__DASHBOARD_PORT": str(free_port())}
    with running(*started(last[1:], free_port()), within_s=400, settings=settings) as url:
        spoken(bench, url)
