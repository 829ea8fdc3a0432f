"""Kokoro in an environment of its own, with weights out of packages: what `make test` skips, and a service that speaks
and hears three languages."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import jiwer
import pytest

from actors.models import MODELS
from actors.models.places import home, stored
from tests.system.service import free_port, running

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
BENCH = [row for row in EXTRAS["bench"] if not row.startswith("playwright")]
NEEDED = ("kokoro", "whisper-base")
TESTS = ("tests/actors/tts/kokoro", "tests/actors/tts/test_conformance.py")
SENTENCES = {
    "en": "The weather is very nice today.",
    "es": "El tren sale de la estación a las nueve de la mañana.",
    "zh": "今天早上很冷，我不想出去。",
}
"""The Chinese one is the same in simplified and in traditional characters, of which Whisper writes either."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, **environment}
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, env=told)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees this environment's packages, and the extra ``kokoro`` besides."""
    place = tmp_path_factory.mktemp("kokoro") / "env"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    told = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").stdout.strip()
    (Path(told) / "beside.pth").write_text(sysconfig.get_paths()["purelib"] + os.linesep)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", "constraints.txt")
    done = run(*pip, *EXTRAS["kokoro"], *BENCH)
    if done.returncode:
        pytest.skip(f"pip cannot install the extra kokoro: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.fixture(scope="module")
def models(python: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of models: the user's if they are there, else one that they are pulled into."""
    if all(stored(file).is_file() for name in NEEDED for file in MODELS[name].files):
        return str(home())
    folder = str(tmp_path_factory.mktemp("models"))
    done = run(python, "-m", "serve_app.cli", "models", "pull", *NEEDED, AVATAR_MODELS=folder)
    if done.returncode:
        pytest.skip(f"the weights cannot be had here: {done.stderr.strip().splitlines()[-1]}")
    return folder


def test_the_voice_does_what_every_voice_must_and_reads_three_languages(python: Path, models: str) -> None:
    pytest_ = (python, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-o", "timeout=600")
    done = run(*pytest_, *TESTS, AVATAR_MODELS=models)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in last, done.stdout[-3000:]


@pytest.mark.long
def test_the_benchmark_of_the_round_trip_runs(python: Path, models: str) -> None:
    done = run(python, "-m", "serve_app.bench", "roundtrip", "--quick", AVATAR_MODELS=models)
    assert "| Spanish, words |" in done.stdout and "| Mandarin, characters |" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def service(python: Path, models: str) -> Iterator[str]:
    arguments = ("--local", "--profile", "cpu-multilingual", "--port", str(free_port()))
    patient = {"AVATAR_MODELS": models, "AVATAR_PACE__FIRST_ANSWER_S": "120", "AVATAR_PACE__NEXT_ANSWER_S": "120"}
    with running(*arguments, within_s=300, settings=patient, python=str(python)) as url:
        yield url.rstrip("/")


def test_the_profile_says_which_languages_it_has(service: str) -> None:
    told = httpx.get(f"{service}/v1/service").json()
    assert (told["engines"]["tts"], told["languages"]) == ("polyglot", ["en", "es", "zh"])


@pytest.mark.parametrize("language", SENTENCES)
def test_what_it_says_in_each_language_it_understands(service: str, language: str) -> None:
    """Nobody says what language the text is in: the voice goes by the text, the recogniser by the sound."""
    asked = {"model": "any", "voice": "alloy", "input": SENTENCES[language]}
    sound = httpx.post(f"{service}/v1/audio/speech", json=asked, timeout=300).raise_for_status().content
    form = {"model": "any", "response_format": "verbose_json"}
    files = {"file": ("said.wav", sound)}
    heard = httpx.post(f"{service}/v1/audio/transcriptions", data=form, files=files, timeout=300).raise_for_status()
    told = heard.json()
    assert told["language"] == language
    assert jiwer.cer(bare(SENTENCES[language]), bare(told["text"])) <= 0.2, told["text"]


def bare(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())
