"""The page in a real browser: somebody types to the face, speaks to it, and interrupts it."""

from __future__ import annotations

import asyncio
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from actors.tts.hibari import Hibari
from serve_app.bench.questions import ask_with
from tests.system.service import free_port, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running("--local", "--port", str(free_port())) as url:
        yield url


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ "What is twelve times seven?", spoken."""
    (spoken,) = asyncio.run(ask_with(Hibari(), ("What is twelve times seven?",)))
    path = tmp_path_factory.mktemp("speech") / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(spoken.pcm16k + bytes(32_000))
    return path


@pytest.fixture
def page(service: str, question: Path) -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS.split(), f"--use-file-for-fake-audio-capture={question}%noloop"],
        )
        page = browser.new_context(permissions=["microphone"]).new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.goto(service)
        page.wait_for_function("document.body.dataset.state === 'idle'")
        yield page
        browser.close()
        assert errors == []


def write(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.click("form button")


def state(page: Page, wanted: str) -> None:
    page.wait_for_function("wanted => document.body.dataset.state === wanted", arg=wanted)


def test_a_typed_question_is_answered_in_sync(page: Page) -> None:
    write(page, "How do you move your lips?")
    state(page, "speaking")
    state(page, "idle")
    seen = page.evaluate(
        "() => ({...page.player.shown, stalls: page.player.clock.stalls, problem: document.all.problem.innerText})"
    )
    assert seen["problem"] == ""
    assert seen["drawn"] > 50
    skew = sorted(seen["skew"])
    assert 0 <= skew[0] and skew[len(skew) // 2] <= 20
    assert "timing" in page.inner_text("#captions li[data-who=avatar]")


def test_a_spoken_question_is_understood(page: Page) -> None:
    page.dispatch_event("#talk", "pointerdown")
    page.wait_for_timeout(3500)
    page.dispatch_event("#talk", "pointerup")
    state(page, "speaking")
    said = page.inner_text("#captions").lower()
    assert "times" in said
    assert "84" in said or "eighty-four" in said


def test_hands_free_needs_no_button(page: Page) -> None:
    page.check("#hands")
    state(page, "listening")
    state(page, "speaking")
    assert "84" in page.inner_text("#captions")


def test_pressing_the_button_interrupts_at_once_and_says_so(page: Page) -> None:
    write(page, "Tell me everything about this project, please.")
    state(page, "speaking")
    page.wait_for_function("page.player.shown.drawn > 10")
    page.dispatch_event("#talk", "pointerdown")
    state(page, "listening")
    assert page.evaluate("page.player.turn") == -1
    assert page.evaluate("document.body.dataset.face") == "idle"
    page.wait_for_selector("#captions li.cut")
    page.dispatch_event("#talk", "pointerup")


def test_an_empty_message_is_not_sent(page: Page) -> None:
    write(page, "   ")
    page.wait_for_timeout(300)
    assert page.inner_text("#captions") == ""
