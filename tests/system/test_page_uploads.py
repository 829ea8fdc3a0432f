"""The page's faces and voices in a real browser: a portrait becomes a face, a recording a voice, or one is told why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from actors.face import landmarks
from actors.tts import SKILLS, Skill
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.server import server_config, shared_socket
from serve_app.groups import Gateway
from streaming.pace import Pace
from streaming.session import Driving, Stages
from tests.serve_app.test_voices import speech, wav
from tests.stubs import AVATAR, Ears, Echo, Hum, Scribe
from tests.system.drawers import MARKS, ask, browser, drawer, home, opened, page, service
from tests.system.test_portraits import encoded, portrait, worker

__all__ = ["browser", "home", "page", "service", "worker"]

pytestmark = MARKS


def test_faces_are_shown_and_where_no_picture_can_be_taken_in_the_page_says_what_to_do(page: Page) -> None:
    drawer(page, "avatars")
    page.wait_for_selector(".gallery img")
    page.wait_for_function("document.querySelector('.preview video').currentTime > 0.2")
    assert page.is_disabled(".preview .primary")
    assert "avatar portrait setup" in page.inner_text(".upload")


def test_a_portrait_becomes_a_face_that_speaks(page: Page, home: Path, worker: tuple[str, ...]) -> None:
    assert worker
    (home / "realtime-avatar").mkdir(exist_ok=True)
    (home / "realtime-avatar" / "portrait-import").symlink_to(landmarks.home())
    drawer(page, "avatars")
    blank = {"name": "wall.png", "mimeType": "image/png", "buffer": encoded(portrait()[:60, :60])}
    page.set_input_files(".upload [type=file]", blank)  # type: ignore[arg-type]
    page.click(".upload .primary")
    assert not page.evaluate("document.querySelector('.upload').checkValidity()"), "without consent nothing is sent"
    page.check(".upload [name=consent]")
    page.click(".upload .primary")
    page.wait_for_selector(".upload .fault >> text=No face was found")
    face = {"name": "anna.png", "mimeType": "image/png", "buffer": encoded(portrait())}
    page.set_input_files(".upload [type=file]", face)  # type: ignore[arg-type]
    page.fill(".upload [name=name]", "Anna")
    page.click(".upload .primary")
    page.wait_for_selector(".preview h3 >> text=Anna", timeout=60_000)
    page.click(".preview .primary")
    page.wait_for_function("avatar.store.get().session?.avatar.id.startsWith('own-')")
    ask(page, "What is twelve times seven?")
    assert page.evaluate("avatar.player.shown.drawn") > 10
    page.click(".preview .danger")
    page.click(".preview .sure .danger")
    page.wait_for_function("document.querySelectorAll('.gallery li').length === 1")
    page.wait_for_function("avatar.store.get().session?.avatar.id === 'default'")


def test_an_engine_with_one_voice_says_so_and_lets_it_be_heard(page: Page) -> None:
    drawer(page, "voices")
    page.wait_for_selector(".told >> text=cannot copy another")
    assert not page.locator(".upload").count()
    page.click("text=Listen")
    page.wait_for_function("document.querySelector('.voice audio')?.duration > 1")
    page.click(".voice >> text=Use")
    page.wait_for_function("avatar.store.get().session.audio.output.voice === 'default'")


@contextmanager
def serving(application: FastAPI) -> Iterator[str]:
    """A gateway in a thread of this process."""
    server = uvicorn.Server(server_config(application))
    listener = shared_socket(Gateway(port=0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_with_an_engine_that_clones_a_recording_becomes_a_voice(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setitem(SKILLS, "parrot", Skill(clones=True, voices={"polly": "es"}))
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), None, AVATAR), Pace(), Driving())
    with serving(build_gateway(house, lambda _: None, None, "parrot")) as url, opened(browser, url) as page:
        drawer(page, "voices")
        page.wait_for_selector("[data-voice=polly]")
        for spoken, fault in ((speech()[: 5 * 16_000], "6 to 30 s"), (speech(), "")):
            sound = {"name": "anna.wav", "mimeType": "audio/wav", "buffer": wav(spoken)}
            page.set_input_files(".upload [type=file]", sound)  # type: ignore[arg-type]
            page.fill(".upload [name=name]", "Anna")
            page.check(".upload [name=consent]")
            page.click(".upload .primary")
            if fault:
                page.wait_for_selector(f".upload .fault >> text={fault}")
        page.wait_for_selector(".voice >> text=Anna")
        page.click(".voice:has-text('Anna') >> text=Use")
        page.wait_for_function("avatar.store.get().session.audio.output.voice.startsWith('voice-')")
        page.click(".voice:has-text('Anna') >> text=Listen")
        page.wait_for_selector(".voice:has-text('Anna') audio")
        page.click(".voice:has-text('Anna') .danger")
        page.click(".sure .danger")
        page.wait_for_function("document.querySelectorAll('.voice').length === 1")
        page.wait_for_function("avatar.store.get().session.audio.output.voice === 'default'")
