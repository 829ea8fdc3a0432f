"""Kokoro in an environment of its own, with weights out of packages: what `make test` skips, and a service that speaks
and hears three languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import jiwer
import pytest

from serve_app.ports import free_port
from tests.system.extras import EXTRAS, beside, install, passed, pulled, run
from tests.system.service import running

BENCH = [row for row in EXTRAS["bench"] if not row.startswith("playwright")]
TESTS = ("tests/actors/tts/kokoro", "tests/actors/tts/test_conformance.py")
SENTENCES = {
    "en": "The weather is very nice today.",
    "es": "El tren sale de la estación a las nueve de la mañana.",
    "zh": "今天早上很冷，我不想出去。",
}
"""The Chinese one is the same in simplified and in traditional characters, of which Whisper writes either."""

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the extra ``kokoro``, and what its benchmark compares texts with."""
    python = beside(tmp_path_factory.mktemp("kokoro"))
    install(python, *EXTRAS["kokoro"], *BENCH, or_skip=True)
    return python


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(pulled(tmp_path_factory.mktemp("models"), "kokoro", "whisper-base"))


def test_the_voice_does_what_every_voice_must_and_reads_three_languages(python: Path, models: str) -> None:
    lines = passed(python, "-o", "timeout=600", *TESTS, AVATAR_MODELS=models)
    assert "skipped" not in lines[-1], lines


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
