"""A page and a program here, the whole service far away: over 80 ms, and over a line that is cut in mid-reply."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from serve_app.bench.browser import FLAGS, chromium
from serve_app.gateway.keys import KeyFile
from serve_app.page import WEB, point
from tests.system.faults.nodes import ROOT, short_folder
from tests.system.hybrid.line import Line, NoLine, line
from tests.system.hybrid.sites import AVATAR, LATE_MOST, heard, program, row, speaks_and_interrupts, spoken, talking

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

FAR_S = 0.08
PORT = 8080
QUESTION = "How do you move your lips?"


@dataclass
class Far:
    """A service at the end of a line, with one key, which pages of one host may use."""

    line: Line
    key: str
    page: str
    """Where the page is: a web server here that knows nothing of the service."""
    folder: Path

    @property
    def url(self) -> str:
        """Of the service."""
        return f"http://{self.line.there}:{PORT}"

    @property
    def socket(self) -> str:
        """For programs."""
        return f"ws://{self.line.there}:{PORT}/v1/realtime"


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    folder = short_folder()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            made = stack.enter_context(line(FAR_S))
        except NoLine as reason:
            pytest.skip(str(reason))
        (folder / "page").mkdir()
        host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "page")))
        origin = f"http://localhost:{host.server_port}"
        key = KeyFile(folder / "keys.toml").add("page", origins=(origin,))
        settings = {
            "AVATAR_DOOR__KEYS": str(folder / "keys.toml"),
            "AVATAR_STORE__URL": f"sqlite:///{folder}/avatar.db",
            "PYTHONPATH": str(ROOT),
            # What is understood does not matter here, and a busy machine has enough to do with the face.
            "AVATAR_ASR__ENGINE": "stand-in",
            "AVATAR_LISTENER__ENGINE": "stand-in-ears",
            "AVATAR_GATEWAY__LATE": "1",
        }
        run = made.inside(*AVATAR, "run", "--local", "--host", made.there, "--port", str(PORT))
        stack.enter_context(program(run, settings, folder / "run.log", "ready: http"))
        threading.Thread(target=host.serve_forever, name="host of the page", daemon=True).start()
        stack.callback(host.server_close)
        stack.callback(host.shutdown)
        yield Far(made, key, origin, folder)


@pytest.fixture
def shown(far: Far) -> Iterator[Page]:
    """The page in a browser, with the key, once it is ready."""
    if chromium() is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    if not (WEB / "dist").exists():
        pytest.skip("the page is not built here (make web)")
    if not (far.folder / "page" / "index.html").exists():
        point(far.socket.removesuffix("/v1/realtime"), far.folder / "page")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        page = browser.new_page()
        page.set_default_timeout(90_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.goto(f"{far.page}/#key={far.key}")
        state(page, "idle")
        yield page
        browser.close()
        assert errors == []


def state(page: Page, wanted: str) -> None:
    page.wait_for_function("wanted => document.body.dataset.state === wanted", arg=wanted)


def test_the_page_speaks_through_a_cut_of_six_seconds(far: Far, shown: Page) -> None:
    shown.fill("#text", QUESTION)
    shown.click("#typed button")
    shown.wait_for_function("avatar.player.now() > 24000")
    far.line.down()
    state(shown, "reconnecting")
    shown.wait_for_timeout(2_000)
    far.line.up()
    state(shown, "speaking")
    state(shown, "idle")
    assert shown.locator("#captions li").count() == 2, "nothing was said twice"
    reply = shown.evaluate("avatar.store.get().lines.at(-1)")
    assert not reply["cut"] and reply["heard"] == len(reply["text"])


def test_its_drawers_read_what_the_far_service_answers(far: Far, shown: Page) -> None:
    shown.click("[data-opens=history]")
    shown.get_by_role("tab", name="Settings").click()
    shown.wait_for_selector("text=portrait")


def test_pages_of_other_hosts_may_not_come_in(far: Far) -> None:
    address = f"{far.url}/v1/realtime/client_secrets"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    ours = httpx.options(address, headers={**asked, "Origin": far.page})
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, far.page)
    theirs = httpx.options(address, headers={**asked, "Origin": "https://thief.example"})
    assert (theirs.status_code, theirs.headers.get("access-control-allow-origin")) == (400, None)
    knock = {"Origin": "https://thief.example", "Authorization": f"Bearer {far.key}"}
    assert httpx.post(address, headers=knock).status_code == 403
    lost = httpx.post(address, headers={"Origin": far.page})
    assert (lost.status_code, lost.headers["access-control-allow-origin"]) == (401, far.page), "it can read why"


async def test_a_program_hears_and_sees_everything_once_when_its_connection_is_reset(far: Far) -> None:
    async with talking(far.socket, far.key) as avatar:
        await avatar.say(QUESTION)
        reply = await heard(avatar, enough=25)
        await asyncio.to_thread(far.line.hang_up, PORT)
        far.line.down()
        asyncio.get_running_loop().call_later(2.0, far.line.up)
        assert (await heard(avatar, reply=reply)).whole, reply


async def test_a_person_speaks_and_interrupts_over_the_line(far: Far) -> None:
    async with talking(far.socket, far.key) as avatar:
        await speaks_and_interrupts(avatar)


@pytest.mark.long
async def test_what_the_line_costs(far: Far) -> None:
    """A row for docs/operations.md each: medians of about six answers; the machine's own load is in both."""
    for late in (FAR_S, 0.0):
        far.line.delay(late)
        talked = await spoken(far.socket, "talk", 40.0, far.key)
        print(row("page here, gateway there", late, talked, await spoken(far.socket, "barge", 30.0, far.key)))
        assert talked.late <= LATE_MOST * talked.pictures
