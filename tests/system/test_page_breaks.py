"""The page when the line is gone: dead without a word, offline, asleep. It comes back by itself and loses no order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from serve_app.bench.browser import FLAGS, chromium
from serve_app.bench.hindrance import Hindrance, hindered
from serve_app.ports import free_port
from tests.system.chromium import LOOPED, MARKS
from tests.system.service import running

pytestmark = [*MARKS, LOOPED]

Story = Callable[[Page, Hindrance], Awaitable[None]]
ASKED = "Tell me everything about this project, please."


def visit(story: Story) -> None:
    """A story of a page, at a service of its own behind a network that can be hindered."""
    port = free_port()
    with running("--local", "--port", str(port)):
        asyncio.run(_visit(port, story))


async def _visit(port: int, story: Story) -> None:
    async with hindered(port) as network, _browsing(network.url) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.message))
        await state(page, "idle")
        await story(page, network)
        assert errors == []


@asynccontextmanager
async def _browsing(url: str) -> AsyncIterator[Page]:
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        page = await browser.new_page()
        page.set_default_timeout(30_000)
        await page.goto(url)
        yield page
        await browser.close()


async def state(page: Page, wanted: str) -> None:
    await page.wait_for_function("wanted => document.body.dataset.state === wanted", arg=wanted)


async def ask(page: Page, text: str = ASKED) -> None:
    """Ask, and hear the first second of the answer."""
    await page.fill("#text", text)
    await page.click("#typed button")
    await page.wait_for_function("avatar.player.now() > 24000")


async def whole(page: Page) -> bool:
    """Whether the newest reply was heard to its end, after one question."""
    await state(page, "idle")
    reply = await page.evaluate("avatar.store.get().lines.at(-1)")
    assert await page.locator("#captions li").count() == 2
    return not reply["cut"] and reply["heard"] == len(reply["text"])


def test_a_line_that_dies_without_a_word_is_noticed_and_the_reply_goes_on() -> None:
    async def story(page: Page, network: Hindrance) -> None:
        await ask(page)
        network.deafen()
        await state(page, "reconnecting")
        await state(page, "speaking")
        assert await whole(page)

    visit(story)


def test_an_interruption_that_was_lost_with_the_line_is_made_again() -> None:
    async def story(page: Page, network: Hindrance) -> None:
        await ask(page)
        network.deafen()
        await page.keyboard.press("Escape")
        await state(page, "reconnecting")
        await page.wait_for_selector("#captions li.cut")
        await state(page, "idle")
        assert await page.evaluate("avatar.orders.length") == 0
        reply = await page.evaluate("avatar.store.get().lines.at(-1)")
        assert 0 < reply["heard"] < len(reply["text"])

    visit(story)


def test_a_message_that_was_lost_with_the_line_is_answered_once() -> None:
    async def story(page: Page, network: Hindrance) -> None:
        await ask(page)
        network.deafen()
        await page.fill("#text", "What is twelve times seven?")
        await page.click("#typed button")
        await page.wait_for_function("document.all.captions.innerText.includes('84')")
        await state(page, "idle")
        said = await page.locator("#captions li[data-who=you]").all_inner_texts()
        assert sum("twelve" in line for line in said) == 1
        assert await page.evaluate("avatar.orders.length") == 0

    visit(story)


def test_ten_seconds_without_a_network_in_mid_reply() -> None:
    async def story(page: Page, network: Hindrance) -> None:
        await ask(page)
        network.deafen()
        await page.context.set_offline(True)
        await state(page, "reconnecting")
        await page.wait_for_timeout(10_000)
        await page.context.set_offline(False)
        await state(page, "speaking")
        assert await whole(page)

    visit(story)


def test_a_laptop_that_slept_a_minute_in_mid_reply() -> None:
    async def story(page: Page, network: Hindrance) -> None:
        await ask(page)
        assert page.context.browser is not None
        inspector = await page.context.browser.new_browser_cdp_session()
        found = await inspector.send("SystemInfo.getProcessInfo")
        processes = [int(process["id"]) for process in found["processInfo"]]
        network.deafen()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        await asyncio.sleep(60)
        for process in processes:
            os.kill(process, signal.SIGCONT)
        await page.wait_for_function("avatar.player.now() > 3 * 24000")
        assert await whole(page)

    visit(story)
