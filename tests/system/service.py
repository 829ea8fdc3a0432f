"""A running service for tests of whole programs: started as a user would, stopped at the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def process_of(url: str) -> int:
    """The process that serves there, as its lock says."""
    port = url.rpartition(":")[2].strip("/")
    return int((Path(tempfile.gettempdir()) / f"realtime-avatar-{os.getuid()}-{port}.lock").read_text())


@contextmanager
def running(
    *arguments: str, within_s: float = 60.0, settings: Mapping[str, str] | None = None, python: str = sys.executable
) -> Iterator[str]:
    """`avatar run` with these arguments; gives the URL once it says that it is ready, and stops it afterwards."""
    command = [python, "-c", "from serve_app.cli import main; raise SystemExit(main())", "run", *arguments]
    nobodys = {
        "AVATAR_DOOR__KEYS": os.devnull,
        **os.environ,
        **(settings or {}),
    }  # not the keys of whoever runs the tests
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=nobodys)
    assert process.stderr is not None
    watchdog = threading.Timer(within_s, process.kill)
    watchdog.start()
    said: list[str] = []
    try:
        url = ""
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"ready: (http://\S+)", line):
                url = found[1]
                break
        assert url, "the service did not become ready:\n" + "".join(said)
        watchdog.cancel()
        drain = threading.Thread(target=lambda: said.extend(process.stderr or []), daemon=True)
        drain.start()
        yield url
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()
