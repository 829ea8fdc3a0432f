"""The backend of a page that shows the face of a service elsewhere: it keeps the key and mints client secrets.

    AVATAR_KEY=ak_… python serve_app/web/example/backend.py --client dist/realtime-avatar-client-0.1.0.tgz

Standard library only, for reading; a real host does the same in whatever serves its pages. It knows nothing of faces.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import os
import tarfile
import urllib.error
import urllib.request
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVICE = "http://localhost:8080/"
"""As index.html has it."""
FRESH_S = 30
"""Seconds within which a secret must be used; each connection gets a new one."""


def packed(package: Path) -> dict[str, bytes]:
    """The files of an npm package by their paths in it."""
    with tarfile.open(package) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name.removeprefix("package/"): file.read() for name, file in files.items() if file}


def minted(service: str, key: str, origin: str) -> tuple[int, bytes]:
    """Status and body of the service's answer: a secret that only pages of ``origin`` may use."""
    wanted = {"expires_after": {"seconds": FRESH_S}, "origin": origin}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{service}v1/realtime/client_secrets", json.dumps(wanted).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()
    except OSError:
        return 502, json.dumps({"detail": "the face is away; try again in a moment"}).encode()


class Host(BaseHTTPRequestHandler):
    """One request of a browser."""

    def __init__(self, *given: object, client: dict[str, bytes], service: str, key: str, origin: str) -> None:
        self.client, self.service, self.key, self.origin = client, service, key, origin
        super().__init__(*given)  # type: ignore[arg-type]  # it answers in its constructor

    def do_GET(self) -> None:
        """The page, and the package beside it."""
        path = self.path.partition("?")[0]
        if path == "/":
            page = Path(__file__).with_name("index.html").read_text("utf-8").replace(SERVICE, self.service)
            self._answer(200, "text/html; charset=utf-8", page.encode())
        elif (name := path.removeprefix("/client/")) in self.client:
            self._answer(200, mimetypes.guess_type(name)[0] or "application/octet-stream", self.client[name])
        else:
            self._answer(404, "text/plain", b"there is no such page")

    def do_POST(self) -> None:
        """A secret, for pages of ours. A real host asks here who its visitor is, and how often."""
        if self.path != "/secret" or self.headers.get("Origin") != self.origin:
            self._answer(403, "application/json", b'{"detail": "secrets are for pages of this host only"}')
            return
        status, body = minted(self.service, self.key, self.origin)
        self._answer(status, "application/json", body)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked here is of no interest."""


def host(client: Path, service: str, key: str, port: int) -> ThreadingHTTPServer:
    """The host, listening on the loopback address; port 0 takes a free one."""
    server = ThreadingHTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)
    origin = f"http://localhost:{server.server_port}"
    service = service.rstrip("/") + "/"
    server.RequestHandlerClass = partial(Host, client=packed(client), service=service, key=key, origin=origin)  # type: ignore[assignment]
    return server


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A page of another host that shows the face of a service.")
    parser.add_argument("--client", type=Path, required=True, help="what `python -m serve_app.page --pack-client` made")
    parser.add_argument("--service", default=SERVICE, help="the service's address")
    parser.add_argument("--port", type=int, default=8090)
    given = parser.parse_args()
    key = os.environ.get("AVATAR_KEY", "")
    if not key:
        parser.error("AVATAR_KEY holds no key; make one: avatar key add NAME")
    with host(given.client, given.service, key, given.port) as server:
        print(f"http://localhost:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
