"""Three minutes of people who come and go leave nothing behind; and stand-ins serve a load, with Ray and without."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from serve_app.bench.endurance import QUICK_S, endurance
from serve_app.bench.simulator import STAND_INS
from serve_app.cli import main
from serve_app.ports import free_port
from tests.system.service import running

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="how a process stands is read out of /proc, which is Linux's"),
]


@pytest.mark.long
@pytest.mark.timeout(QUICK_S * 2 + 60)
async def test_nothing_is_kept_of_people_who_have_gone() -> None:
    told = await endurance(quick=True)
    assert [str(bar) for bar in told.bars if not bar.holds] == [], told.text()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", [("--local",), pytest.param((), marks=pytest.mark.ray)])
def test_stand_ins_serve_people_in_one_process_and_on_ray(
    where: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(*where, "--profile", str(STAND_INS), "--port", str(free_port()), within_s=160) as url:
        address = f"{url.replace('http', 'ws', 1)}/v1/realtime"
        report = tmp_path / "report.json"
        code = main(["bench", "--url", address, "--sessions", "2", "--seconds", "6", "--json", str(report)])
        assert code == 0, capsys.readouterr().out
    told = json.loads(report.read_text())
    assert told["failures"] == {} and told["admitted"] == 2 and told["answered"] >= 2
    assert told["waits_ms"]["end of speech to first frame"]["p50"] > 700  # 500 ms end a turn, 200 ms are thought about
    assert {"service"} <= {one["name"] for one in told["processes"]} and sum(
        one["mb"] for one in told["processes"]
    ) > 50
