"""The page in a real browser: somebody types to the face, speaks to it, interrupts it, and meets what can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from actors.tts.hibari import Hibari
from serve_app.bench.browser import FLAGS, chromium
from serve_app.bench.questions import ask_with
from serve_app.page import WEB
from serve_app.ports import free_port
from serve_app.wav import wav_of
from tests.system.chromium import MARKS
from tests.system.service import running

pytestmark = MARKS

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running("--local", "--port", str(free_port())) as url:
        yield url


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ "What is twelve times seven?", spoken."""
    (spoken,) = asyncio.run(ask_with(Hibari(), ("What is twelve times seven?",)))
    path = tmp_path_factory.mktemp("speech") / "question.wav"
    path.write_bytes(wav_of(spoken.pcm16k + bytes(32_000), 16_000))
    return path


@pytest.fixture(scope="module")
def browser(question: Path) -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=chromium(),
            args=[*FLAGS.split(), f"--use-file-for-fake-audio-capture={question}%noloop"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, service: str) -> Iterator[Page]:
    context = browser.new_context(permissions=["microphone"], locale="en-GB")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.message))
    page.goto(service)
    state(page, "idle")
    yield page
    context.close()
    assert errors == []


def write(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.click("#typed button")


def state(page: Page, wanted: str) -> None:
    page.wait_for_function("wanted => document.body.dataset.state === wanted", arg=wanted)


def problem(page: Page, wanted: str) -> None:
    page.wait_for_function("wanted => document.all.problem.innerText.includes(wanted)", arg=wanted)


def hold(page: Page) -> None:
    """The button goes down and stays there."""
    page.hover("#talk")
    page.mouse.down()


# ---- a conversation ------------------------------------------------------------------------------------------


def test_a_typed_question_is_answered_in_sync(page: Page) -> None:
    write(page, "How do you move your lips?")
    state(page, "speaking")
    page.wait_for_selector("#captions mark")  # the word that is being spoken
    state(page, "idle")
    seen = page.evaluate("() => ({...avatar.player.shown, skipped: avatar.player.pictures.skipped})")
    assert page.is_hidden("#problem")
    assert seen["drawn"] > 50
    skew = sorted(seen["skew"])
    assert 0 <= skew[0] and skew[len(skew) // 2] <= 20
    assert "timing" in page.inner_text("#captions li[data-who=avatar]")
    assert page.locator("#captions mark").count() == 0


def test_a_spoken_question_is_understood(page: Page) -> None:
    hold(page)
    page.wait_for_timeout(3500)
    page.mouse.up()
    state(page, "speaking")
    said = page.inner_text("#captions").lower()
    assert "times" in said
    assert "84" in said or "eighty-four" in said
    page.wait_for_function("avatar.store.get().turns[0].at.face")
    (turn,) = page.evaluate("avatar.store.get().turns")
    assert 0 <= turn["at"]["text"] <= turn["at"]["audio"] <= turn["at"]["face"]


def test_a_tap_makes_it_hands_free_and_the_next_tap_ends_it(page: Page) -> None:
    page.click("#talk")
    state(page, "listening")
    state(page, "speaking")
    assert "84" in page.inner_text("#captions")
    page.click("#talk")
    page.wait_for_selector("#talk[data-hands-free=false]")
    assert page.get_attribute("#talk", "aria-pressed") == "false"


def test_pressing_the_button_interrupts_at_once_and_says_so(page: Page) -> None:
    write(page, "Tell me everything about this project, please.")
    state(page, "speaking")
    page.wait_for_function("avatar.player.shown.drawn > 10")
    drawn = "() => { const drawn = avatar.player.shown.drawn; return drawn; }"
    hold(page)
    state(page, "listening")
    assert page.evaluate("avatar.player.turn") == -1
    assert page.evaluate("document.body.dataset.face") == "idle"
    before = page.evaluate(drawn)
    page.wait_for_selector("#captions li.cut")
    assert page.evaluate(drawn) == before, "no stale picture"
    page.mouse.up()


def test_escape_stops_a_reply_where_it_was_heard(page: Page) -> None:
    write(page, "Tell me everything about this project, please.")
    page.wait_for_function("avatar.player.shown.drawn > 25")
    page.keyboard.press("Escape")
    assert page.evaluate("avatar.player.turn") == -1
    state(page, "idle")
    page.wait_for_selector("#captions li.cut .coming")
    assert page.is_hidden("#problem")


def test_space_held_is_the_button_but_not_while_somebody_writes(page: Page) -> None:
    page.locator("#text").press_sequentially("a b")
    assert page.input_value("#text") == "a b"
    page.locator("#captions").focus()
    page.keyboard.down("Space")
    state(page, "listening")
    page.keyboard.up("Space")
    page.wait_for_selector("#talk[data-talk=off]")


def test_an_empty_message_is_not_sent(page: Page) -> None:
    write(page, "   ")
    page.wait_for_timeout(300)
    assert page.locator("#captions li[data-who]").count() == 0


# ---- what it looks like --------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_it_fits_and_no_serious_fault_bars_anybody(browser: Browser, service: str, look: str) -> None:
    size = {"width": 390, "height": 844} if look == "phone" else {"width": 1280, "height": 800}
    context = browser.new_context(viewport=size, color_scheme="dark" if look == "dark" else "light")  # pyright: ignore
    page = context.new_page()
    page.goto(service)
    state(page, "idle")
    write(page, "What is twelve times seven?")
    state(page, "speaking")
    page.click(".top .round")
    page.wait_for_selector(".bars-of-turns li")
    page.wait_for_timeout(300)
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")["violations"]
    serious = [
        (fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for part in ("#face", "#text", "#talk", ".mark"):
        box = page.locator(part).bounding_box()
        assert box and box["x"] >= 0 and box["y"] >= 0, part
        assert box["x"] + box["width"] <= size["width"] and box["y"] + box["height"] <= size["height"], part
    context.close()


@pytest.mark.parametrize(("code", "ready"), [("en", "Ready"), ("zh", "就绪"), ("es", "Listo")])
def test_it_speaks_three_languages_and_remembers_which(page: Page, code: str, ready: str) -> None:
    page.select_option(".language", code)
    assert page.inner_text(".badge") == ready
    page.reload()
    state(page, "idle")
    assert (page.inner_text(".badge"), page.get_attribute("html", "lang")) == (ready, code)


# ---- what can go wrong ---------------------------------------------------------------------------------------


def test_a_microphone_that_is_refused_or_missing_is_told_and_writing_goes_on(page: Page) -> None:
    for fault, told in (("NotAllowedError", "not allowed"), ("NotFoundError", "No microphone")):
        script = (
            f"() => {{ navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{fault}') }} }}"
        )
        page.evaluate(script)
        page.click("#talk")
        problem(page, told)
        page.wait_for_selector("#talk[data-hands-free=false]")
    write(page, "What is twelve times seven?")
    state(page, "speaking")


def test_a_browser_without_webcodecs_gets_single_pictures(browser: Browser, service: str) -> None:
    context = browser.new_context()
    context.add_init_script("delete window.VideoDecoder")
    page = context.new_page()
    page.goto(service)
    problem(page, "single pictures")
    write(page, "What is twelve times seven?")
    page.wait_for_function("avatar.player.shown.drawn > 10")
    assert page.evaluate("avatar.store.get().session.avatar.video.codec") == "jpeg"
    context.close()


def test_a_service_that_restarts_is_met_again(browser: Browser) -> None:
    port = str(free_port())
    context = browser.new_context()
    page = context.new_page()
    with running("--local", "--port", port) as url:
        page.goto(url)
        state(page, "idle")
    state(page, "reconnecting")
    with running("--local", "--port", port):
        page.wait_for_function("document.body.dataset.state === 'idle'", timeout=15_000)
        write(page, "What is twelve times seven?")
        state(page, "speaking")
    context.close()


def test_without_a_network_it_waits_and_comes_back_by_itself(page: Page) -> None:
    page.context.set_offline(True)
    state(page, "reconnecting")
    page.wait_for_timeout(2000)
    page.context.set_offline(False)
    state(page, "idle")
    assert page.evaluate("avatar.link.received.missed") == 0


def test_a_reply_goes_on_where_the_connection_broke(page: Page) -> None:
    write(page, "Tell me everything about this project, please.")
    page.wait_for_function("avatar.player.shown.drawn > 25")
    page.evaluate("avatar.link.renew()")
    state(page, "reconnecting")
    state(page, "speaking")
    state(page, "idle")
    reply = page.evaluate("avatar.store.get().lines.at(-1)")
    assert (reply["cut"], reply["heard"]) == (False, len(reply["text"]))
    assert page.locator("#captions li").count() == 2
    assert page.is_hidden("#problem")


def test_a_reload_goes_on_with_the_same_conversation(page: Page) -> None:
    session = "avatar.link.session.id"
    before = page.evaluate(session)
    write(page, "Tell me everything about this project, please.")
    page.wait_for_function("avatar.player.shown.drawn > 25")
    page.reload()
    page.wait_for_function("avatar.store.get().link === 'open'")
    assert page.evaluate(session) == before
    page.click("#captions")  # a gesture: sound may begin again
    page.evaluate("avatar.wake()")
    page.wait_for_function("avatar.player.shown.drawn > 10")
    state(page, "idle")
    assert "streamed while it is made" in page.inner_text("#captions")
    assert page.locator("#captions li").count() == 2


def test_a_hidden_tab_goes_on_and_is_in_sync_when_it_is_seen_again(page: Page) -> None:
    page.evaluate(
        """() => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
        window.drawFrame = requestAnimationFrame;
        window.kept = [];
        window.requestAnimationFrame = (draw) => kept.push(draw);
    }"""
    )
    write(page, "Tell me everything about this project, please.")
    page.wait_for_function("avatar.player.now() > 2 * 24000")  # far more than the pictures that may wait undrawn
    page.evaluate(
        "() => { delete document.hidden; window.requestAnimationFrame = drawFrame; kept.forEach(drawFrame); }"
    )
    before = page.evaluate("avatar.player.shown.skew.length")
    state(page, "idle")
    skew = sorted(page.evaluate("before => avatar.player.shown.skew.slice(before + 1)", before))
    assert len(skew) > 10 and skew[len(skew) // 2] <= 20


def test_sound_that_waits_for_a_gesture_asks_for_one(browser: Browser, service: str) -> None:
    context = browser.new_context(locale="en-GB")
    context.add_init_script(
        """const Real = AudioContext;
        window.AudioContext = class extends Real {
            constructor(options) { super(options); this.suspend(); }
            resume() { return window.allowed ? super.resume() : new Promise(() => {}); }
        };"""
    )
    page = context.new_page()
    page.goto(service)
    state(page, "idle")
    write(page, "What is twelve times seven?")
    page.wait_for_selector(".blocked")
    page.evaluate("window.allowed = true")
    page.click(".blocked button")
    page.wait_for_selector(".blocked", state="detached")
    page.wait_for_function("avatar.player.shown.drawn > 20")
    assert page.evaluate("avatar.player.shown.skew[0]") < 20
    context.close()


def test_the_plain_page_answers_too(browser: Browser, service: str) -> None:
    page = browser.new_page()
    page.goto(f"{service}/plain/")
    state(page, "idle")
    page.fill("#text", "What is twelve times seven?")
    page.click("form button")
    state(page, "speaking")
    page.wait_for_function("page.player.shown.drawn > 10")
    page.close()
