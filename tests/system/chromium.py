"""Chromium for the tests of whole pages, and the marks of those that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from serve_app.bench.browser import FLAGS, chromium
from serve_app.page import WEB

BROWSED = [
    pytest.mark.system,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]
MARKS = [*BROWSED, pytest.mark.skipif(not (WEB / "dist").exists(), reason="the page is not built here (make web)")]
"""Of the tests of our own page."""
LOOPED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Playwright's own driver ends a moment after the loop that it was started in."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        yield browser
        browser.close()
