"""One address, one file: fetched over HTTP(S), taken up again where it broke off, never more than was announced.

What arrives goes into a part file that the caller names; whoever calls again with the same one goes on where it ends.
Whether the bytes are right is the caller's question. This file knows no manifest and no registry.
"""

from __future__ import annotations

import errno
import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streaming.stages import StageError

log = logging.getLogger(__name__)

BLOCK = 1 << 18
"""Bytes at once."""
TIMEOUT_S = 30.0
"""Longest silence of a server."""
TRIES = 5
"""Broken connections in a row without a byte between them, after which a source is given up."""
AGAIN_S = 1.0
"""Pause before the first new try; it doubles."""

AGENT = "realtime-avatar"


class NoAnswer(Exception):
    """A source does not have the file, or does not hand it out; the message is a few words: why."""


class DiskFull(StageError):
    """There was no room left. What has arrived is kept, and the next pull goes on from there."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the hub says of a file beside its bytes; empty from anybody else."""

    sha256: str = ""
    commit: str = ""


class _Cut(Exception):
    """The connection broke; what came until then is in the part file."""


Arrived = Callable[[int], None]
"""Called with the number of bytes that came; below zero where a server began anew."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows, but never from https to http, and remembers what servers on the way said of the file."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise NoAnswer("it sends us from https to an address without")
        self.told |= _of(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _of(headers: Any) -> dict[str, str]:
    names = {"sha256": "X-Linked-Etag", "commit": "X-Repo-Commit"}
    said = {key: str(headers.get(name) or "").strip('W/"') for key, name in names.items()}
    if not re.fullmatch("[0-9a-f]{64}", said["sha256"]):  # small files have a git hash there
        said["sha256"] = ""
    return {key: value for key, value in said.items() if value}


def open_url(url: str, headers: dict[str, str]) -> tuple[Any, Told]:
    """An open answer, of status 200 or 206 or 416. Raises NoAnswer or _Cut."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise NoAnswer(f"{urlsplit(url).scheme or 'no'} addresses are not followed")
    request = urllib.request.Request(url, headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **headers})
    redirects = _Redirects()
    opener = urllib.request.build_opener(redirects)
    try:
        answer = opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error, Told()
        error.close()
        if error.code == http.HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500:
            raise _Cut(f"it answered {error.code}") from None
        raise NoAnswer(f"it answered {error.code}") from None
    except (http.client.HTTPException, TimeoutError, ConnectionResetError) as error:
        raise _Cut(_words(error)) from None
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, Exception) else error
        if isinstance(reason, TimeoutError | ConnectionResetError):
            raise _Cut(_words(reason)) from None
        raise NoAnswer(_words(reason)) from None
    except OSError as error:
        raise NoAnswer(_words(error)) from None
    return answer, Told(**{**_of(answer.headers), **redirects.told})


def text(url: str, accept: str, most: int = 16_000_000) -> str:
    """A page, decoded. Raises NoAnswer."""
    try:
        answer, _ = open_url(url, {"Accept": accept})
        with answer:
            content = answer.read(most)
    except (_Cut, http.client.HTTPException, OSError) as error:
        raise NoAnswer(_words(error)) from None
    return content.decode("utf-8", "replace")


def fetch(
    url: str,
    part: Path,
    size: int,
    arrived: Arrived = lambda count: None,
    pause: Callable[[float], object] = time.sleep,
) -> Told:
    """Bring ``part`` to exactly ``size`` bytes. Raises NoAnswer, and DiskFull if there is no room.

    A server that does not know Range begins anew, and so does the part.
    """
    failed, reason = 0, ""
    while failed < TRIES:
        before = _length(part)
        try:
            return _once(url, part, size, arrived)
        except _Cut as cut:
            failed = 0 if _length(part) > before else failed
            failed, reason = failed + 1, str(cut)
            log.info("models: %s broke off at %d of %d bytes: %s", urlsplit(url).hostname, _length(part), size, reason)
            pause(AGAIN_S * 2 ** (failed - 1))
    raise NoAnswer(f"it broke off {TRIES} times: {reason}")


def _once(url: str, part: Path, size: int, arrived: Arrived) -> Told:
    have = _length(part)
    if have > size:  # of another version
        part.unlink()
        arrived(-have)
        have = 0
    answer, told = open_url(url, {"Range": f"bytes={have}-"} if have else {})
    with answer:
        if answer.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if have == size:
                return told
            raise NoAnswer(f"it has at most {have:,} bytes instead of {size:,}: another file")
        if have and not _continues(answer, have):
            arrived(-have)
            have = 0
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and have + int(length) != size:
            raise NoAnswer(f"it has {have + int(length):,} bytes instead of {size:,}: another file")
        _pour(answer, part, have, size, arrived)
    if _length(part) < size:
        raise _Cut("the connection ended early")
    return told


def _continues(answer: Any, have: int) -> bool:
    """Whether the answer begins where our part ends; a server may ignore Range."""
    begins = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range") or "")
    return answer.status == http.HTTPStatus.PARTIAL_CONTENT and begins is not None and int(begins[1]) == have


def _pour(answer: Any, part: Path, have: int, size: int, arrived: Arrived) -> None:
    try:
        file = part.open("r+b" if have else "wb")
    except OSError as error:
        raise refusal(error, part) from None
    with file:
        file.seek(have)
        while True:
            try:
                block = answer.read(BLOCK)
            except (http.client.HTTPException, OSError) as error:
                raise _Cut(_words(error)) from None
            if not block:
                break
            if have + len(block) > size:
                file.truncate(0)
                arrived(-have)
                raise NoAnswer(f"it sends more than {size:,} bytes: another file")
            write(file, block, part)
            have += len(block)
            arrived(len(block))
        file.truncate()
        os.fsync(file.fileno())


def write(file: Any, block: bytes, path: Path) -> None:
    """Write and hand over to the system at once, so that a full disk is told here. Raises DiskFull."""
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        raise refusal(error, path) from None


def refusal(error: OSError, path: Path) -> StageError:
    """What to tell a person whose system does not let us write ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"the disk of {path.parent} is full; make room and pull again: it goes on where it stopped")
    why = (error.strerror or "no reason given").lower()
    return StageError(f"{path} cannot be written: {why}; name another folder with AVATAR_MODELS")


def _length(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended early"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
