"""The page at a service that asks for a key: without one it says so, with one it speaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from serve_app.gateway.keys import KeyFile
from serve_app.ports import free_port
from tests.system.chromium import MARKS, browser
from tests.system.service import running

__all__ = ["browser"]

pytestmark = MARKS


def test_the_page_needs_a_key_and_shows_it_once(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KeyFile(tmp_path / "keys.toml")
    key = file.add("page")
    monkeypatch.setenv("AVATAR_DOOR__KEYS", str(file.path))
    with running("--local", "--host", "0.0.0.0", "--port", str(free_port())) as url:
        url = url.replace("0.0.0.0", "localhost")
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function("document.all.problem.innerText.includes('#key=')")
        page = browser.new_page()
        page.goto(f"{url}/#key={key}")
        page.wait_for_function("document.body.dataset.state === 'idle'")
        assert key not in page.url
        page.fill("#text", "What is twelve times seven?")
        page.click("#typed button")
        page.wait_for_function("document.body.dataset.state === 'speaking'")
