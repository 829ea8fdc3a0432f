"""Other layouts of the service on a real local Ray: stages that share a process, and one that sleeps until called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from ray import serve

from actors.handles import running
from serve_app import cluster
from serve_app.app import remote_stages
from serve_app.settings import load
from serve_app.warming import for_client
from streaming.commands import Notice, Show
from streaming.media import FramePacket
from streaming.session import Stages
from streaming.stages import FaceState, Said, Span, TextDelta

pytestmark = [
    pytest.mark.ray,
    pytest.mark.system,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:The `metrics_interval_s` field:DeprecationWarning"),
]

HERE = Path(__file__).parent


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages() -> AsyncIterator[Stages]:
    sleepy = {"replicas": 0, "most": 1}
    layout = {"together": ["tts", "face"], "asr": sleepy, "llm": {**sleepy, "meanwhile": "guide"}, "dashboard": False}
    settings = load(HERE / "cpu-ray.toml", llm={"engine": "guide"}, ray=layout)
    async with cluster.deploy(settings, gateway=False):
        yield remote_stages(settings)


async def test_voice_and_face_answer_from_one_process(stages: Stages) -> None:
    assert set(serve.status().applications) == {"asr", "llm", "gpu"}
    pieces = [piece async for piece in stages.voice.speak("Good morning.", "default", "en", 1)]
    pcm = b"".join(piece.pcm24k for piece in pieces)
    span = Span("films", 1, 0, pcm, 5, (), True, 7, "", "h264", 400, 20)
    assert stages.face is not None
    drawn = [item async for item in stages.face.animate(span, stages.avatar, None)]
    assert [type(item) for item in drawn] == [FramePacket] * 5 + [FaceState]


async def test_a_stage_without_a_replica_wakes_when_it_is_called(stages: Stages) -> None:
    assert running("asr") == 0
    answers = [answer async for answer in stages.transcriber.transcribe(bytes(32_000), "en", True)]
    assert answers[-1].final
    assert running("asr") == 1


async def test_while_a_stage_wakes_a_small_engine_answers_and_the_client_is_told(stages: Stages) -> None:
    told: list[Notice] = []

    async def tell(show: Show) -> None:
        assert isinstance(show.message, Notice)
        told.append(show.message)

    responder = for_client(stages, tell).responder

    async def asked() -> str:
        answers = [piece async for piece in responder.reply((Said("user", "Hello, who are you?", 1),), "", ())]
        return "".join(piece.text for piece in answers if isinstance(piece, TextDelta))

    assert running("llm") == 0
    answer = await asked()
    assert answer and [notice.rung for notice in told] == ["warming"]
    assert running("llm") == 0, "the answer waited for no replica"
    async with asyncio.timeout(60):
        while told[-1].rung == "warming":
            await asyncio.sleep(0.2)
            assert await asked() == answer
    assert running("llm") == 1
