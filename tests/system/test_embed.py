"""A page of another host shows the face: the packed client, the host's own backend, a secret for its pages only."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from serve_app.errors import UserError
from serve_app.gateway.keys import KeyFile
from serve_app.page import WEB, npm, pack_client
from serve_app.page import running as npm_of
from serve_app.ports import free_port
from tests.system.chromium import BROWSED, browser
from tests.system.service import running

__all__ = ["browser"]

pytestmark = [
    *BROWSED,
    pytest.mark.skipif(
        not (WEB / "node_modules").exists(), reason="what the page is built with is not here (make web)"
    ),
]

BACKEND = WEB / "example" / "backend.py"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed client."""
    try:
        return pack_client(WEB, npm_of(npm, quiet=True), tmp_path_factory.mktemp("npm"))
    except UserError as error:
        pytest.skip(f"the client cannot be packed here: {error}")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file of keys, and the key of the other host."""
    file = KeyFile(tmp_path_factory.mktemp("door") / "keys.toml")
    return file.path, file.add("shop")


@pytest.fixture(scope="module")
def service(door: tuple[Path, str]) -> Iterator[str]:
    with running("--local", "--port", str(free_port()), settings={"AVATAR_DOOR__KEYS": str(door[0])}) as url:
        yield url


@contextmanager
def hosted(client: Path, service: str, key: str) -> Iterator[str]:
    """The other host, in a process of its own that knows the standard library only."""
    command = [sys.executable, "-I", "-S", str(BACKEND), "--client", str(client), "--service", service, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "AVATAR_KEY": key}) as host:
        assert host.stdout is not None
        try:
            yield host.stdout.readline().strip()
        finally:
            host.terminate()


def test_the_package_holds_one_module_its_worklets_and_its_types(client: Path) -> None:
    with tarfile.open(client) as package:
        names = {re.sub(r"-[\w-]{8}\.js$", ".js", name.removeprefix("package/")) for name in package.getnames()}
        about = json.load(package.extractfile("package/package.json"))  # type: ignore[arg-type]
    assert (about["name"], about["version"], about["private"]) == ("@realtime-avatar/client", "0.1.0", True)
    wanted = {"index.js", "assets/speaker.worklet.js", "assets/microphone.worklet.js", "types/index.d.ts", "README.md"}
    assert wanted <= names
    assert not any(name.startswith(("src/", "page/")) for name in names)


def test_the_face_speaks_on_a_page_of_another_host(
    browser: Browser, client: Path, service: str, door: tuple[Path, str]
) -> None:
    with hosted(client, service, door[1]) as url:
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.goto(url)
        page.wait_for_selector("#face[data-state=idle]")
        assert page.inner_text("#face .mark") == "AI-generated"
        page.fill("input", "How do you move your lips?")
        page.click("form button")
        page.wait_for_selector("#face[data-face=speaking]")
        page.wait_for_timeout(600)
        drawn = """() => {
            const canvas = document.querySelector('#face').shadowRoot.querySelector('canvas');
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return data.filter((_, place) => place % 4 === 1 && data[place] > 20).length / (data.length / 4);
        }"""
        assert page.evaluate(drawn) > 0.5, (
            "the picture can be read back: the idle loop may be drawn by pages of any host"
        )
        page.wait_for_selector("#face[data-face=idle]")
        assert page.inner_text("#face .state") == ""
        assert errors == []


def test_a_secret_is_for_the_hosts_own_pages(client: Path, service: str, door: tuple[Path, str]) -> None:
    with hosted(client, service, door[1]) as url:
        assert httpx.post(f"{url}/secret", headers={"Origin": "https://thief.example"}).status_code == 403
        secret = httpx.post(f"{url}/secret", headers={"Origin": url}).json()["value"]
        knock = {"Origin": "https://thief.example", "Authorization": f"Bearer {secret}"}
        refused = httpx.get(f"{service}/v1/service", headers=knock)
        assert (refused.status_code, refused.json()["detail"]) == (
            403,
            f"this client secret is for pages of {url} only",
        )
        assert httpx.get(f"{url}/backend.py").status_code == 404


def test_what_the_service_says_of_a_wrong_key_is_read_on_the_page(browser: Browser, client: Path, service: str) -> None:
    with hosted(client, service, "ak_wrong") as url:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("#face .state >> text=this key is not known here")
        page.close()
