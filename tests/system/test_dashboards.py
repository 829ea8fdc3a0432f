"""Dashboards and alerts against real programs: Prometheus, its rule tests, and a service on Ray that people talk to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dashboards import check

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install prometheus prometheus-alertmanager)")
    return found


def test_every_alert_fires_on_its_story_and_stays_silent_on_the_other() -> None:
    done = subprocess.run(
        [tool("promtool"), "test", "rules", FOLDER / "rules_test.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_with_another_limit_fails_its_stories(tmp_path: Path) -> None:
    for file in FOLDER.glob("rules*.yml"):
        shutil.copy(file, tmp_path)
    rules = tmp_path / "rules.yml"
    rules.write_text(rules.read_text().replace("> 0.92", "> 0.99"))
    done = subprocess.run(
        [tool("promtool"), "test", "rules", tmp_path / "rules_test.yml"], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "AvatarGpuMemoryFull" in done.stdout + done.stderr


def test_the_shipped_configurations_are_right() -> None:
    for name, command, file in (
        ("promtool", ("check", "config"), "prometheus.yml"),
        ("amtool", ("check-config",), "alertmanager.yml"),
    ):
        done = subprocess.run([tool(name), *command, FOLDER / file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.ray
def test_every_panel_shows_finite_numbers_while_people_talk_to_the_service_on_ray() -> None:
    tool("prometheus")
    done = subprocess.run([sys.executable, "-m", "dashboards.trial"], cwd=FOLDER.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- the check itself --------------------------------------------------------------------------------------


@contextmanager
def answering(result: list[dict[str, Any]]) -> Iterator[str]:
    """A Prometheus that answers everything with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("values", "told"), [((), "no series"), (("1", "NaN"), "1, nan"), (("+Inf",), "inf")])
def test_nothing_nan_and_infinity_fail_the_check(
    values: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering([{"metric": {}, "value": [0, value]} for value in values]) as url:
        assert check.main(["--url", url]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(line.endswith(told) for line in lines)


def test_finite_numbers_pass_and_nobody_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with answering([{"metric": {}, "value": [0, "0"]}]) as url:
        assert check.main(["--url", url]) == 0
    assert check.main(["--url", url]) == 2
    assert "no Prometheus answers" in capsys.readouterr().err
