"""A spoken question, asked of a running service by `avatar talk --url`, and by a program with the SDK."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.face.video import read_video
from actors.tts.hibari import Hibari
from serve_app.bench.questions import ask_with
from serve_app.client import connect
from serve_app.ports import free_port
from serve_app.units import Picture, Sound, State, Text, Told
from serve_app.wav import wav_of
from tests.system.service import running

pytestmark = [pytest.mark.system]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running("--local", "--port", str(free_port())) as url:
        yield f"{url.replace('http', 'ws', 1)}/v1/realtime"


def test_talk_films_the_answer_of_a_running_service(url: str, tmp_path: Path) -> None:
    (spoken,) = asyncio.run(ask_with(Hibari(), ("What is twelve times seven?",)))
    question, out, report = tmp_path / "question.wav", tmp_path / "reply.mp4", tmp_path / "report.json"
    question.write_bytes(wav_of(spoken.pcm16k, 16_000))
    command = [sys.executable, "-m", "serve_app.cli", "talk", question, "--out", out, "--report", report, "--url", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(report.read_text())
    assert "84" in told["reply"] or "eighty-four" in told["reply"]
    assert len(list(read_video(out))) == told["frames"] > 25
    assert 0 < told["latency_ms"]["first_frame"] < 5000


async def test_a_program_writes_and_gets_text_sound_and_pictures(url: str) -> None:
    told: list[Told] = []
    async with connect(url) as avatar:
        await avatar.say("What is twelve times seven?")
        async for unit in avatar:
            told.append(unit)
            if isinstance(unit, State) and unit.state == "idle":
                break
    assert "84" in "".join(unit.delta for unit in told if isinstance(unit, Text))
    sound = sum(len(unit.pcm) for unit in told if isinstance(unit, Sound)) // 2
    pictures = [unit for unit in told if isinstance(unit, Picture)]
    assert pictures[0].key
    assert abs(len(pictures) * 960 - sound) <= 960
