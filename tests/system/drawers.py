"""A service whose page has its drawers open: what the tests of drawers begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from serve_app.ports import free_port
from tests.system import chromium
from tests.system.chromium import browser
from tests.system.service import running
from tests.system.test_page import state, write

MARKS = [*chromium.MARKS, pytest.mark.timeout(280)]
__all__ = ["browser"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's data folder."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[str]:
    settings = {"XDG_DATA_HOME": str(home), "AVATAR_STORE__KEEP": "full"}
    with running("--local", "--port", str(free_port()), settings=settings) as url:
        yield url


@contextmanager
def opened(browser: Browser, url: str, **how: Any) -> Iterator[Page]:
    context = browser.new_context(**{"locale": "en-GB", **how})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.message))
    page.goto(url)
    state(page, "idle")
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def page(browser: Browser, service: str) -> Iterator[Page]:
    with opened(browser, service) as page:
        yield page


def ask(page: Page, text: str) -> None:
    write(page, text)
    state(page, "speaking")
    state(page, "idle")


def drawer(page: Page, tab: str) -> None:
    if not page.locator(".drawer").count():
        page.click("[data-opens=history]")
    page.click(f"#tab-{tab}")


def session_of(page: Page) -> str:
    page.wait_for_function("avatar.store.get().session")
    return page.evaluate("avatar.store.get().session.id")
