"""The gateway near the people, the stages on a Ray cluster far away: over 80 ms, and over a line that is cut."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.serving import ENVIRONMENT
from serve_app.ports import free_port
from tests.system.faults.nodes import ROOT, STORE_BYTES, short_folder, wait_until
from tests.system.hybrid.line import Line, NoLine, line
from tests.system.hybrid.sites import (
    AVATAR,
    LATE_MOST,
    READY_S,
    STAND_INS,
    answers,
    heard,
    program,
    row,
    speaks_and_interrupts,
    spoken,
    talking,
)

pytestmark = [pytest.mark.ray, pytest.mark.system, pytest.mark.timeout(400)]

FAR_S = 0.08
PATIENT = {
    # Serve asks a replica how busy it is and gives the answer 0.1 s: too little for a line of 80 ms and its swings.
    "RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S": "1",
    "RAY_SERVE_QUEUE_LENGTH_CACHE_TIMEOUT_S": "3600",
}
"""What docs/operations.md tells everybody to set at both sites."""


@dataclass
class Hybrid:
    """Both sites, joined."""

    line: Line
    url: str


@pytest.fixture(scope="module")
def hybrid() -> Iterator[Hybrid]:
    folder = short_folder()
    port = free_port()
    paths = {"PYTHONPATH": str(ROOT), "AVATAR_DOOR__KEYS": os.devnull, "OMP_NUM_THREADS": "1"}
    environment = {**ENVIRONMENT, **PATIENT, **paths}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            made = stack.enter_context(line(FAR_S))
        except NoLine as reason:
            pytest.skip(str(reason))
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", f"--object-store-memory={STORE_BYTES}"]
        there = [f"--node-ip-address={made.there}", "--port=6379", f"--temp-dir={folder}/there", "--num-cpus=2"]
        stages = '--resources={"asr": 1, "llm": 1, "tts": 1, "face": 1}'
        far = made.inside(*ray, "--head", "--include-dashboard=false", *there, stages)
        stack.enter_context(program(far, environment, folder / "there.log", "Ray runtime started", tries=3))
        wait_until(lambda: answers(made.there, 6379), READY_S, "the cluster over the line")
        here = [f"--node-ip-address={made.here}", f"--temp-dir={folder}/here", "--num-cpus=0", "--num-gpus=0"]
        near = [*ray, f"--address={made.there}:6379", *here, '--resources={"gateway": 1}']
        stack.enter_context(program(near, environment, folder / "here.log", "Ray runtime started", tries=3))
        settings = {
            "AVATAR_RAY__ADDRESS": f"{made.there}:6379",
            "AVATAR_RAY__APART": "true",
            "AVATAR_PACE__NEXT_ANSWER_S": "20",
            "AVATAR_PACE__FIRST_ANSWER_S": "20",
            "AVATAR_GATEWAY__LATE": "1",
            "AVATAR_STORE__KEEP": "text",
            "AVATAR_STORE__URL": f"sqlite:///{folder}/avatar.db",
        }
        run = [*AVATAR, "run", "--profile", str(STAND_INS), "--port", str(port)]
        stack.enter_context(program(run, {**environment, **settings}, folder / "run.log", "ready: http"))
        yield Hybrid(made, f"ws://127.0.0.1:{port}/v1/realtime")


async def test_a_person_speaks_and_interrupts_over_80_ms(hybrid: Hybrid) -> None:
    async with talking(hybrid.url) as avatar:
        await speaks_and_interrupts(avatar)


async def test_a_line_that_is_dead_for_three_seconds_costs_a_pause_and_no_picture(hybrid: Hybrid) -> None:
    async with talking(hybrid.url) as avatar:
        await avatar.say("Tell me about the line.")
        reply = await heard(avatar, enough=25)
        hybrid.line.down()
        asyncio.get_running_loop().call_later(3.0, hybrid.line.up)
        reply = await heard(avatar, reply=reply)
        assert reply.whole, reply
        assert reply.longest_s > 1.0, "the line was dead while something was waited for"


@pytest.mark.long
async def test_after_a_line_that_was_dead_for_half_a_minute_the_same_conversation_goes_on(hybrid: Hybrid) -> None:
    """Serve takes a gateway for dead that does not answer for so long, and starts another one here."""
    async with talking(hybrid.url) as avatar:
        await avatar.say("Tell me about the line.")
        reply = await heard(avatar, enough=25)
        session = avatar.session["id"]
        hybrid.line.down()
        asyncio.get_running_loop().call_later(30.0, hybrid.line.up)
        reply = await heard(avatar, reply=reply)
        assert reply.less, "its pictures could not be waited for"
        with suppress(TimeoutError):
            async with asyncio.timeout(30.0):  # by when another gateway may be on its way
                while True:
                    await anext(avatar)
        await avatar.say("And after the line?")
        assert (await heard(avatar)).whole
        assert avatar.session["id"] == session


@pytest.mark.long
async def test_what_the_line_costs(hybrid: Hybrid) -> None:
    """A row for docs/operations.md each: medians of about six answers; the machine's own load is in both."""
    for late in (FAR_S, 0.0):
        hybrid.line.delay(late)
        talked = await spoken(hybrid.url, "talk", 40.0)
        print(row("gateway here, stages there", late, talked, await spoken(hybrid.url, "barge", 30.0)))
        assert talked.late <= LATE_MOST * talked.pictures
