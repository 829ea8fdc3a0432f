"""Calls over a real Ray with two voices and two faces: one trace for a turn, one replica for a session, no need of it.

Each replica writes its spans into the same file; the span's resource says which process it was. About 60 s on two
quiet cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from serve_app import cluster
from serve_app.app import build_stages, remote_stages
from serve_app.settings import Settings, load
from serve_app.traces import turns_of
from streaming.calls import Envelope, enter
from streaming.commands import Ended, Frames, Show
from streaming.conversation import Conversation
from streaming.events import Joined, Left, Typed
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving, Session, Stages, ticking
from streaming.stages import StageLost

pytestmark = [pytest.mark.ray, pytest.mark.system, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

HERE = Path(__file__).parent
PATIENT = Driving(first_s=60.0, next_s=30.0)


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces") / "spans"


@pytest.fixture(scope="module")
def settings(spans: Path) -> Settings:
    twice = {"replicas": 2, "gpus": 0.0}
    ray = {"tts": twice, "face": twice, "dashboard": False}
    return load(HERE / "cpu-ray.toml", llm={"engine": "guide"}, tracing={"endpoint": spans.as_uri()}, ray=ray)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def remote(settings: Settings) -> AsyncIterator[Stages]:
    async with cluster.deploy(settings, gateway=False):
        yield remote_stages(settings)


@dataclass(frozen=True)
class Told:
    """A span as its process wrote it."""

    name: str
    trace: str
    id: str
    parent: str | None
    process: int
    session: str


def told(spans: Path) -> list[Told]:
    lines = [json.loads(line) for line in spans.read_text().splitlines()]
    return [
        Told(
            line["name"],
            line["context"]["trace_id"],
            line["context"]["span_id"],
            line["parent_id"],
            int(line["resource"]["attributes"]["service.instance.id"].split()[-1]),
            line["attributes"].get("session.id", ""),
        )
        for line in lines
    ]


async def turn(stages: Stages, name: str, endpoint: str) -> list[Any]:
    """One typed question; every sound and picture of the answer."""
    shown: list[Any] = []
    turns = turns_of(endpoint, name)

    async def tell(order: ClientOrder) -> None:
        match order:
            case Show(Frames(_, packets)):
                shown.extend((packet.pts, packet.check) for packet in packets)
            case Show(Ended()):
                await session.happen(Left())
            case _:
                pass

    conversation = Conversation(name, Pace.file(), seed=3, live=False)
    session = Session(conversation, stages, tell, driving=PATIENT, journal=turns, tracing=turns)
    await session.happen(Joined())
    await session.happen(Typed("Hello, who are you?"))
    async with asyncio.timeout(100):
        await session.run(ticking())
    return shown


async def test_a_turn_is_one_trace_through_all_its_processes(remote: Stages, settings: Settings, spans: Path) -> None:
    shown = await turn(remote, "traced", settings.tracing.endpoint)
    assert shown
    await asyncio.sleep(1.0)  # a replica's last span is written after its answer
    ours = [span for span in told(spans) if span.session == "traced"]
    assert len({span.trace for span in ours}) == 1
    [root] = [span for span in ours if span.parent is None]
    by_id = {span.id: span for span in ours}
    assert root.name == "turn"
    for span in ours:
        if span.name in ("llm", "tts", "face"):
            assert span.parent == root.id and span.process == os.getpid()
        elif span is not root:
            above = by_id[str(span.parent)]
            assert span.name == f"{above.name} replica" and span.process != os.getpid()
    assert {span.name for span in ours} == {
        "turn",
        *(f"{s}{r}" for s in ("llm", "tts", "face") for r in ("", " replica")),
    }


async def said(remote: Stages, session: str, seed: int) -> bytes:
    enter(Envelope(session, 1, "tts", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    pieces = [piece async for piece in remote.voice.speak(f"Sentence {seed}.", "default", "en", seed)]
    return b"".join(piece.pcm24k for piece in pieces)


async def test_calls_of_a_session_meet_one_replica_and_sessions_spread(remote: Stages, spans: Path) -> None:
    for seed in range(4):
        for name in range(8):
            await said(remote, f"kept-{name}", seed)
    await asyncio.sleep(0.5)
    met: dict[str, set[int]] = {}
    for span in told(spans):
        if span.session.startswith("kept-"):
            met.setdefault(span.session, set()).add(span.process)
    assert len(met) == 8 and all(len(processes) == 1 for processes in met.values())
    assert len(set().union(*met.values())) == 2


async def test_a_session_whose_replica_dies_goes_on_with_the_same_voice_and_face(
    remote: Stages, settings: Settings, spans: Path
) -> None:
    local = await asyncio.to_thread(build_stages, settings)
    here = [b"".join([p.pcm24k async for p in local.voice.speak(f"Sentence {k}.", "default", "en", k)]) for k in (1, 2)]
    assert await said(remote, "moved", 1) == here[0]
    await asyncio.sleep(0.5)
    [process] = {span.process for span in told(spans) if span.session == "moved"}
    os.kill(process, signal.SIGKILL)
    try:
        again = await said(remote, "moved", 2)
    except StageLost:  # the first call may meet the dead one; the driver repeats it
        again = await said(remote, "moved", 2)
    assert again == here[1]
    [face] = {span.process for span in told(spans) if span.session == "traced" and span.name == "face replica"}
    before = await turn(remote, "traced", "")
    os.kill(face, signal.SIGKILL)
    assert await turn(remote, "traced", "") == before == await turn(local, "traced", "")
