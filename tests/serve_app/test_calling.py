"""A question from a file to a running service: the same film and report as from the stages of this machine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from actors.face.video import read_video
from serve_app import app, calling
from serve_app.calling import Line, ask
from serve_app.client import SUBPROTOCOL
from serve_app.errors import UserError
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.persona import Cast, Persona
from serve_app.progress import Progress
from serve_app.recording import joined
from serve_app.talk import Manner
from streaming.media import FRAME
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import StageError
from tests.serve_app.gateway.live import serving
from tests.serve_app.test_cli import Grey, question, quiet_logs, ran, said
from tests.serve_app.test_talk import Breaking, Deaf, LoudnessListener, speech, stages

__all__ = ["question", "quiet_logs"]  # fixtures
FAST = Manner(fast=True)


def gateway(which: Stages):
    return build_gateway(House(which, Pace(), Driving()), lambda avatar: None)


async def asked(which: Stages, pcm: bytes, manner: Manner = FAST):
    async with serving(gateway(which)) as url:
        return await ask(Line(f"{url}/v1/realtime"), pcm, manner, LoudnessListener(), Progress())


async def test_a_question_is_answered_as_if_the_stages_were_here() -> None:
    takes, told = await asked(stages(), speech(0.5))
    film = joined(takes)
    assert (told["transcript"], told["reply"]) == ("5 tenths", "I heard 5 tenths of speech.")
    assert told["frames"] == len(film.packets) == 15
    assert film.packets[1].pts == FRAME
    assert told["audio_seconds"] == 0.6
    assert not told["paced"]
    assert all(latency >= 0 for latency in told["latency_ms"].values())


async def test_at_the_pace_of_speech_the_latencies_count_from_the_last_voiced_sample() -> None:
    _, told = await asked(stages(), speech(0.2) + bytes(9600), Manner())
    assert told["paced"]
    assert told["latency_ms"]["final_transcript"] >= 290, "300 ms of the file follow it"


async def test_turns_are_found_by_listening() -> None:
    _, told = await asked(stages(), speech(0.3), Manner(vad=True))
    assert [turn["transcript"] for turn in told["turns"]] == ["3 tenths"]


@pytest.mark.parametrize("manner", [FAST, Manner(vad=True)])
async def test_a_persona_is_asked_and_does_not_greet_a_file(manner: Manner) -> None:
    host = Persona("host", "Host", "Good evening.")
    house = House(stages(), Pace(), Driving(), cast=Cast(Persona(greeting="Hello."), {"host": host}))
    async with serving(build_gateway(house, lambda avatar: None)) as url:
        for persona in ("", "host"):
            line = Line(f"{url}/v1/realtime", persona=persona)
            takes, _ = await ask(line, speech(0.2), manner, LoudnessListener(), Progress())
            assert [take.text.strip() for take in takes] == ["I heard 2 tenths of speech."]


async def test_a_question_without_words_is_said_so() -> None:
    with pytest.raises(UserError, match="no words were understood"):
        await asked(stages(transcriber=Deaf()), speech(0.5))


async def test_a_stage_that_fails_there_is_its_own_sentence_here() -> None:
    with pytest.raises(UserError, match="the lamp is broken; change it"):
        await asked(stages(responder=Breaking(StageError("the lamp is broken; change it"))), speech(0.5))


async def test_a_service_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"is `avatar run` running there\?"):
        await ask(Line("ws://127.0.0.1:1"), speech(0.5), FAST, LoudnessListener(), Progress())


@pytest.mark.parametrize(
    ("silent", "line"), [(True, "has said nothing for 0 s"), (False, "ended the conversation before it had answered")]
)
async def test_a_service_that_does_not_answer_is_given_up(
    silent: bool, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "SILENCE_S", 0.0)

    async def deaf(connection: ServerConnection) -> None:
        await connection.send('{"type":"session.created","session":{"id":"a"}}')
        if silent:
            await connection.wait_closed()

    async with serve(deaf, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        if not silent:
            monkeypatch.setattr(calling, "SILENCE_S", 60.0)
        with pytest.raises(UserError, match=line):
            await ask(Line(url), speech(0.5), FAST, LoudnessListener(), Progress())


# ---- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def service() -> Iterator[str]:
    """A service in a thread of its own, for a command that has an event loop of its own."""
    ready, over = threading.Event(), asyncio.Event()
    told: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def live() -> None:
        async with AsyncExitStack() as stack:
            told.append(await stack.enter_async_context(serving(gateway(stages(face=Grey())))))
            loops.append(asyncio.get_running_loop())
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(30)
    yield f"{told[0]}/v1/realtime"
    loops[0].call_soon_threadsafe(over.set)
    thread.join()


def test_talk_asks_a_running_service(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: Path
) -> None:
    monkeypatch.setattr(app, "checked", lambda stage, choice: LoudnessListener)
    out, report = tmp_path / "reply.mp4", tmp_path / "report.json"
    assert ran("talk", question, "--fast", "--url", service, "--out", out, "--report", report) == 0
    told = json.loads(report.read_text())
    assert told["reply"] == "I heard 5 tenths of speech."
    assert [pts for pts, _ in read_video(out)] == [FRAME * k for k in range(told["frames"])]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--url", "ws://x", "--labels", "l.json"],
            "--labels does not go with --url, for phones do not cross the wire",
        ),
        (["--url", "ws://x", "--journal", "j.jsonl"], "--journal does not go with --url"),
        (["--url", "ws://x", "--ray"], "--ray does not go with --url"),
        (["--url", "ws://x", "--fast", "--vad"], "--vad over the wire needs the pace of speech"),
        (["--key", "ak_x"], "--key is for a service elsewhere"),
        (["--key-file", "-"], "--key is for a service elsewhere"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    options: list[str], line: str, question: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("talk", question, "--out", tmp_path / "reply.mp4", *options) == 2
    assert said(capsys).startswith(line)
