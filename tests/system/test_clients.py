"""Clients that nobody here wrote hold a spoken conversation with the service, and interrupt it.

Each runs unmodified, at a pinned version, as a program of its own: clients/ holds one script for each. What they need
is installed once into the environment's folder and kept there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.tts.hibari import Hibari
from serve_app.bench.questions import ask_with
from serve_app.ports import free_port
from tests.system.service import running

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]

SCRIPTS = Path(__file__).parent / "clients"
KEPT = Path(sys.prefix) / "clients"
"""Where the clients are installed: it goes when the environment goes."""
QUESTIONS = {  # the answer to the second one takes eleven seconds
    "sum": "What is twelve times seven?",
    "long": "Who won the chess tournament in London last year?",
    "stop": "Please stop, what time is it now?",
}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running("--local", "--port", str(free_port())) as url:
        yield url


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The questions as PCM16 mono at 24 kHz, in the built-in voice."""
    folder = tmp_path_factory.mktemp("speech")
    spoken = {one.text: one.pcm16k for one in asyncio.run(ask_with(Hibari(), tuple(QUESTIONS.values())))}
    for name, text in QUESTIONS.items():
        sound = np.frombuffer(spoken[text], "<i2")
        at = np.arange(0, len(sound) - 1, 16_000 / 24_000)
        (folder / f"{name}.pcm").write_bytes(np.interp(at, np.arange(len(sound)), sound).astype("<i2").tobytes())
    return folder


# ---- installing --------------------------------------------------------------------------------------------


def install(name: str, wanted: Path, *orders: list[str]) -> Path:
    """The folder where these orders installed what a file asks for; again only once the file has changed."""
    folder = KEPT / name
    done = folder / wanted.name
    if done.exists() and done.read_text() == wanted.read_text():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for order in orders:
        ran = subprocess.run(order, cwd=folder, capture_output=True, text=True)
        if ran.returncode:
            shutil.rmtree(folder)
            pytest.skip(f"{order[0]} could not install the clients (no network?): {ran.stderr.strip()[-300:]}")
    shutil.copy(wanted, done)
    return folder


def node(script: str) -> list[str]:
    """The command that runs a script for Node beside the packages it imports."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no Node.js on this machine (Debian: apt-get install nodejs npm)")
    wanted = SCRIPTS / "package.json"
    names = [f"{name}@{version}" for name, version in json.loads(wanted.read_text())["dependencies"].items()]
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--no-save", "--ignore-scripts"]
    where = install("node", wanted, ["npm", "install", *quiet, "--prefix", ".", *names])
    for path in SCRIPTS.glob("*.mjs"):
        shutil.copy(path, where)
    return ["node", str(where / script)]


def python(script: str, requirements: str) -> list[str]:
    """The command that runs a script in an environment with these requirements and nothing of ours."""
    wanted = SCRIPTS / requirements
    name = wanted.stem
    inner = str(KEPT / name / "bin" / "python")
    get = [inner, "-m", "pip", "install", "--quiet", "--requirement", str(wanted)]
    install(name, wanted, [sys.executable, "-m", "venv", "."], get)
    return [inner, str(SCRIPTS / script)]


# ---- talking -----------------------------------------------------------------------------------------------


def converse(command: list[str], url: str, speech: Path, **environment: str) -> dict[str, Any]:
    """What a client reports of its conversation."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    ran = subprocess.run([*command, url, str(speech)], env=clean, capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def hold(command: list[str], url: str, speech: Path, **environment: str) -> None:
    """Hold the conversation and check it; once more if that fails, for it is held in real time on a busy machine.

    What failed first is shown with the test's output.
    """
    try:
        check(converse(command, url, speech, **environment))
    except AssertionError as first:
        print("the first conversation failed:", first)
        check(converse(command, url, speech, **environment))


def check(told: dict[str, Any]) -> None:
    """A sum was answered, a long answer was cut when it was spoken over, and the question that cut it was answered."""
    assert told["errors"] == [], told
    assert "84" in told["replies"][0] or "eighty-four" in told["replies"][0].lower(), told
    assert told["statuses"][0] == "completed", told
    assert told["interrupted"], told
    assert "cancelled" in told["statuses"][1:-1] or "incomplete" in told["statuses"][1:-1], told
    last = told["replies"][-1].lower()
    assert any(word in last for word in ("o'clock", "past", "time is", " a.m", " p.m", "it is ")), told
    assert any("time" in transcript.lower() for transcript in told["transcripts"]), told
    assert told["audio_bytes"] > 3 * 48_000, told


# ---- TLS ---------------------------------------------------------------------------------------------------


@contextmanager
def behind_tls(url: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The service's address behind a local certificate, and the certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if not shutil.which("openssl"):
        pytest.skip("no openssl on this machine (Debian: apt-get install openssl)")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *names], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    runner = threading.Thread(target=loop.run_forever, daemon=True)
    runner.start()
    try:
        server = asyncio.run_coroutine_threadsafe(forwarding(context, int(url.rsplit(":", 1)[1])), loop).result(10)
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}", certificate
        asyncio.run_coroutine_threadsafe(gone(server), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        runner.join(10)
        loop.close()


async def forwarding(context: ssl.SSLContext, port: int) -> asyncio.Server:
    """A server that takes TLS away and passes the bytes on, both ways, to a port of this machine."""

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass  # a client that leaves without a word has left all the same
        sink.close()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    return await asyncio.start_server(joined, "127.0.0.1", 0, ssl=context)


async def gone(server: asyncio.Server) -> None:
    """Wait until whoever was connected has left."""
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=5)


# ---- the clients -------------------------------------------------------------------------------------------


def test_python_openai_converses(service: str, speech: Path) -> None:
    hold([sys.executable, str(SCRIPTS / "openai_python.py")], service, speech)


def test_npm_agents_realtime_converses(service: str, speech: Path) -> None:
    hold(node("agents.mjs"), service, speech)


def test_a_client_that_knows_only_the_beta_names_converses(service: str, speech: Path) -> None:
    hold(node("beta.mjs"), service, speech)


def test_npm_openai_converses_over_tls(service: str, speech: Path, tmp_path: Path) -> None:
    command = node("openai_node.mjs")
    with behind_tls(service, tmp_path) as (address, certificate):
        hold(command, address, speech, NODE_EXTRA_CA_CERTS=str(certificate))


def test_the_livekit_plugin_converses(service: str, speech: Path) -> None:
    hold(python("livekit_realtime.py", "requirements-livekit.txt"), service, speech)


def test_the_pipecat_service_converses(service: str, speech: Path) -> None:
    hold(python("pipecat_realtime.py", "requirements-pipecat.txt"), service, speech)
