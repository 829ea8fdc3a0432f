"""The page's drawers in a real browser: conversations to take along and go on with, settings, for everybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from actors.face.video import read_audio, read_video
from tests.system.drawers import MARKS, ask, browser, drawer, home, opened, page, service, session_of
from tests.system.test_page import AXE, state

__all__ = ["browser", "home", "page", "service"]

pytestmark = MARKS

TABS = ("history", "avatars", "voices", "settings", "latency")


def saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(f".actions >> text={button}")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


# ---- conversations -------------------------------------------------------------------------------------------


def test_a_conversation_is_read_taken_along_gone_on_with_and_erased(page: Page, service: str, tmp_path: Path) -> None:
    ask(page, "What is twelve times seven?")
    first = session_of(page)
    drawer(page, "history")
    page.click(f"[data-conversation={first}]")
    page.wait_for_selector(".transcript li:nth-child(2)")
    assert page.inner_text(".panel .primary") == "Back to it"
    assert "That makes 84." in saved(page, "Text", tmp_path).read_text()
    said = json.loads(saved(page, "JSON", tmp_path).read_text())["said"]
    assert [one["text"] for one in said] == ["What is twelve times seven?", "That makes 84."]
    film = saved(page, "Film", tmp_path)
    assert len(list(read_video(film))) > 20 and len(read_audio(film)) > 12_000
    with page.expect_download() as download:
        page.click(".transcript .small")
    assert download.value.suggested_filename == f"{first}-1.mp4"

    page.evaluate("avatar.begin()")
    page.wait_for_function(f"avatar.store.get().session && avatar.store.get().session.id !== '{first}'")
    page.wait_for_selector(".panel .primary >> text=Continue")
    page.click(".panel .primary")
    assert not page.locator(".drawer").count()
    assert page.locator("#captions li").all_inner_texts() == [
        "You\nWhat is twelve times seven?",
        "Avatar\nThat makes 84.",
    ]
    state(page, "idle")
    ask(page, "What is two plus two?")
    assert page.locator("#captions li").count() == 4
    second = session_of(page)
    assert second != first
    kept = httpx.get(f"{service}/conversations/{second}").json()["said"]
    assert [one["text"] for one in kept][:3] == [
        "What is twelve times seven?",
        "That makes 84.",
        "What is two plus two?",
    ]

    drawer(page, "history")
    page.click(f"[data-conversation={first}]")
    page.click(".actions .danger")
    page.click(".sure >> text=Keep it")
    page.click(".actions .danger")
    page.click(".sure .danger")
    page.wait_for_selector(f"[data-conversation={second}]")
    assert not page.locator(f"[data-conversation={first}]").count()
    assert httpx.get(f"{service}/conversations/{first}").status_code == 404


def test_without_stored_sound_and_pictures_the_page_says_why_there_is_no_film(page: Page) -> None:
    ask(page, "What is twelve times seven?")

    def as_text(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        route.fulfill(response=answer, json={**told, "settings": {**told["settings"], "media": False}})

    page.route("**/conversations/sess_*", as_text)
    drawer(page, "history")
    page.click(f"[data-conversation={session_of(page)}]")
    page.wait_for_selector(".transcript li")
    assert "only the text was kept" in page.inner_text(".panel")
    assert not page.locator("text=Film (MP4)").count() and not page.locator(".transcript .small").count()


def test_a_service_that_is_away_is_told_in_a_sentence(page: Page) -> None:
    page.route("**/conversations?*", lambda route: route.abort())
    drawer(page, "history")
    page.wait_for_selector(".fault >> text=does not answer")
    page.unroute("**/conversations?*")
    page.route("**/conversations?*", lambda route: route.fulfill(status=401, json={"detail": "this service asks"}))
    page.click("#tab-voices")
    page.click("#tab-history")
    page.wait_for_selector(".fault >> text=This service asks.")


# ---- settings ------------------------------------------------------------------------------------------------


def test_another_persona_begins_another_conversation_and_is_remembered(page: Page) -> None:
    ask(page, "What is twelve times seven?")
    first = session_of(page)
    drawer(page, "settings")
    page.select_option(".field:has-text('Persona') select", "museum")
    page.wait_for_selector("#captions >> text=Welcome to the museum")
    assert session_of(page) != first
    assert page.evaluate("avatar.store.get().session.avatar.persona") == "museum"
    assert "twelve" not in page.inner_text("#captions")
    page.evaluate("sessionStorage.clear()")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_function("avatar.store.get().session?.avatar.persona === 'museum'")


def test_what_is_set_is_told_to_the_service_and_the_page_shows_how_it_is_set_up(page: Page) -> None:
    drawer(page, "settings")
    page.select_option(".field:has-text('Your turn ends') select", "quick")
    page.fill("textarea", "Answer in rhymes.")
    page.click("text=Apply")
    page.wait_for_function("avatar.store.get().session.instructions === 'Answer in rhymes.'")
    assert page.evaluate("avatar.store.get().session.audio.input.turn_detection.silence_duration_ms") == 300
    page.select_option(".field:has-text('Your turn ends') select", "usual")
    page.wait_for_function("avatar.store.get().session.audio.input.turn_detection.silence_duration_ms === 500")
    assert "built-in guide" in page.inner_text(".instruct")
    assert page.is_disabled(".field:has-text('The voice speaks') select")
    facts = page.inner_text(".service").replace("\n", " ")
    for fact in ("Profile cpu", "Recognition whisper", "Voice hibari", "sound and pictures are kept for 30 days"):
        assert fact in facts
    page.uncheck(".tick input")
    assert page.is_hidden("#captions")
    page.select_option(".field:has-text('Language of the page') select", "es")
    assert page.inner_text("#tab-settings") == "Ajustes"
    page.check(".tick input")
    assert page.is_visible("#captions")


def test_a_wish_that_cannot_be_met_any_more_is_given_up_and_told(browser: Browser, service: str) -> None:
    context = browser.new_context(locale="en-GB")
    context.add_init_script("""localStorage.setItem("realtime-avatar.wishes", '{"persona": "cook"}')""")
    page = context.new_page()
    page.goto(service)
    page.wait_for_function("document.all.problem.innerText.includes('cook')")
    page.wait_for_function("avatar.store.get().session?.avatar.persona === 'default'")
    ask(page, "What is twelve times seven?")
    context.close()


# ---- for everybody -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_no_serious_fault_bars_anybody_from_a_drawer(browser: Browser, service: str, look: str) -> None:
    size = {"width": 390, "height": 844} if look == "phone" else {"width": 1280, "height": 800}
    scheme = "dark" if look == "dark" else "light"
    language = "es" if look == "phone" else "en-GB"  # its words are the longest
    with opened(browser, service, viewport=size, color_scheme=scheme, locale=language) as page:
        ask(page, "What is twelve times seven?")
        drawer(page, "history")
        page.wait_for_selector(".row")
        page.add_script_tag(path=AXE)
        faults = {tab: _faults(page, tab) for tab in TABS}
        drawer(page, "history")
        page.click(".row")
        page.wait_for_selector(".transcript li")
        faults["conversation"] = _faults(page, "")
        assert {tab: found for tab, found in faults.items() if found} == {}
        assert page.evaluate("document.all.page.scrollWidth") <= size["width"]
        assert page.evaluate("document.querySelector('.top h1').getBoundingClientRect().left") > 0


def _faults(page: Page, tab: str) -> list[tuple[str, str]]:
    if tab:
        drawer(page, tab)
        page.wait_for_selector(".panel h2, .latency")
        page.wait_for_timeout(500)
    assert page.evaluate("(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.all['drawer-content'])")
    found = page.evaluate("axe.run()")["violations"]
    return [(fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in ("serious", "critical")]


def test_the_keyboard_alone_opens_walks_and_closes_it(page: Page) -> None:
    page.focus("[data-opens=history]")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    for tab in (*TABS[1:], TABS[0]):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == f"tab-{tab}"
        assert page.get_attribute(f"#tab-{tab}", "aria-selected") == "true"
    page.keyboard.press("Escape")
    assert not page.locator(".drawer").count()
    assert page.evaluate("document.activeElement.dataset.opens") == "history"
