"""A server on 127.0.0.1 that holds files and misbehaves on request, and a toy manifest whose files it holds."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from actors.models import places
from actors.models.kinds import Archive, Hub, Model, ModelFile, Packed, Source

WEIGHTS = bytes(range(256)) * 4_000
"""1 MB: several blocks."""


@dataclass
class Shelf:
    """What the server holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    cuts: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Path -> after how many bytes each of the next answers breaks off."""
    refuses: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Path -> statuses of the next answers."""
    no_ranges: bool = False
    no_lengths: bool = False
    holds: dict[str, int] = field(default_factory=dict[str, int])
    """Path -> after how many bytes the next answer stands still until ``release`` is set."""
    release: Event = field(default_factory=Event)
    moved: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict[str, tuple[str, Mapping[str, str]]])
    """Path -> where it is, and headers to say so with."""
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(path, Range) of each request."""
    url: str = ""
    lock: Lock = field(default_factory=Lock)

    def ranges(self, path: str) -> list[str]:
        """What parts of a file were asked for."""
        return [wanted for asked, wanted in self.asked if asked == path]

    def pypi(self, package: str, file: str, content: bytes) -> Archive:
        """Put a wheel on it, on a page of an index."""
        self.files[f"/files/{file}"] = content
        page = {"files": [{"filename": file, "url": f"../../files/{file}"}]}
        self.files[f"/simple/{package}/"] = json.dumps(page).encode()
        return Archive("pypi", package, "1.0", file, len(content), sha256(content))

    def npm(self, package: str, file: str, content: bytes) -> Archive:
        """Put an npm package on it."""
        self.files[f"/npm/{package}/-/{file}"] = content
        return Archive("npm", package, "1.0", file, len(content), sha256(content))

    def hub(self, name: str, content: bytes) -> Hub:
        """Put a file of a hub's repository on it."""
        self.files[f"/hub/people/toy/resolve/abc/{name}"] = content
        return Hub("people/toy", "abc", name)


def hosts(shelf: Shelf) -> dict[str, str]:
    """The environment in which registries and hub are this server."""
    return {
        "PIP_INDEX_URL": f"{shelf.url}/simple",
        "npm_config_registry": f"{shelf.url}/npm",
        "HF_ENDPOINT": f"{shelf.url}/hub",
    }


@contextmanager
def serving() -> Iterator[Shelf]:
    """The server, for as long as the block lasts."""
    shelf = Shelf()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            answer(shelf, self)

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up on purpose

    server = Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    shelf.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield shelf
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(shelf: Shelf, to: BaseHTTPRequestHandler) -> None:
    """One request."""
    wanted = to.headers.get("Range", "")
    with shelf.lock:
        shelf.asked.append((to.path, wanted))
        status = shelf.refuses.get(to.path, []).pop(0) if shelf.refuses.get(to.path) else 0
        hold = shelf.holds.pop(to.path, None)
        cut = shelf.cuts.get(to.path, []).pop(0) if shelf.cuts.get(to.path) else None
    if to.path in shelf.moved:
        where, headers = shelf.moved[to.path]
        return head(to, 302, {"Location": where, "Content-Length": "0", **headers})
    content = shelf.files.get(to.path)
    if status or content is None:
        return head(to, status or 404, {"Content-Length": "0"})
    begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and not shelf.no_ranges else 0
    if begin and begin >= len(content):
        return head(to, 416, {"Content-Length": "0"})
    span = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
    length = {} if shelf.no_lengths else {"Content-Length": str(len(content) - begin)}
    head(to, 206 if begin else 200, {**length, **span})
    if hold is not None:
        to.wfile.write(content[begin : begin + hold])
        shelf.release.wait(60)
        return
    to.wfile.write(content[begin:] if cut is None else content[begin : begin + cut])


def head(to: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str]) -> None:
    to.send_response(status)
    for name, value in headers.items():
        to.send_header(name, value)
    to.end_headers()


# ---- fixtures ----------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models, which is not there yet."""
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("AVATAR_MODEL_MIRROR", raising=False)
    places.forget()
    return tmp_path / "models"


@pytest.fixture
def shelf(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """The server as registries and hub, whom nobody has to wait for; models go to ``home``."""
    monkeypatch.setattr("actors.models.fetching.AGAIN_S", 0.0)
    with serving() as shelf:
        for name, value in hosts(shelf).items():
            monkeypatch.setenv(name, value)
        yield shelf


# ---- toy models --------------------------------------------------------------------------------------------


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file(name: str, content: bytes, *sources: Source, model: str = "toy", known: bool = True) -> ModelFile:
    """A file of a toy model."""
    return ModelFile(model, name, len(content), sha256(content) if known else "", "MIT", sources)


def model(*files: ModelFile, terms: str = "", stand_in: str = "") -> Model:
    return Model(files[0].model, "a toy", files, terms, stand_in)


def packed(archive: Archive, *members: str) -> Packed:
    return Packed(tuple((archive, member) for member in members))


def wheel(**members: bytes) -> bytes:
    """A wheel with members ``name__ext`` -> ``pkg/name.ext``."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"pkg/{name.replace('__', '.')}", content)
    return out.getvalue()


def tgz(**members: bytes) -> bytes:
    """An npm package, its members named as in ``wheel`` but below ``package/``."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            row = tarfile.TarInfo(f"package/{name.replace('__', '.')}")
            row.size = len(content)
            archive.addfile(row, io.BytesIO(content))
    return out.getvalue()
