"""Half an hour of talk in a real browser on a virtual clock: does the page's memory grow?

One reply is recorded from the gateway and given to the page's own client over and over, as new replies. The heap is
measured after a garbage collection. What a conversation keeps by design (200 lines of captions, 100 turns of timings)
is full after a third of the time; from there on nothing may grow.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import websockets
from playwright.async_api import Browser, CDPSession
from websockets.typing import Subprotocol

from serve_app.bench.browser import browsing, state
from serve_app.bench.numbered import Counter, Lecturer, Strip
from serve_app.bench.serving import serving
from serve_app.bench.table import Bar, Result
from serve_app.gateway.wire import SUBPROTOCOL
from serve_app.settings import Settings
from streaming.media import FRAME, Kind, unpack
from streaming.session import Stages

SOAK = Path(__file__).with_name("soak.js")
WORDS = 18
"""Of the reply: 6 s with the pause after it, so that 200 lines of captions are full after 10 minutes."""
PARTS, PART_MIN = 6, 5.0
MB = 2**20


@dataclass(frozen=True, slots=True)
class Memory:
    """What the page holds at one moment."""

    minutes: float
    heap: int
    """Bytes of JavaScript's heap after a collection."""
    nodes: int
    """Of the document, detached ones too."""
    frames: int
    """VideoFrames that were decoded and not closed."""


async def soaked(
    stages: Stages, settings: Settings, browser: Browser, parts: int, part_min: float, words: int = WORDS
) -> list[Memory]:
    """Talk for so many parts of so many virtual minutes; the memory before the first and after each."""
    quick = replace(stages, responder=Lecturer(words), voice=Counter(), face=Strip())
    async with serving(quick, settings) as port:
        recorded = await _recorded(f"ws://127.0.0.1:{port}/v1/realtime")
        context = await browser.new_context(bypass_csp=True)
        page = await context.new_page()
        page.set_default_timeout(120_000)
        await page.add_init_script(path=SOAK)
        await page.goto(f"http://127.0.0.1:{port}")
        await state(page, "idle")
        inspector = await context.new_cdp_session(page)
        found = [await _measured(inspector, {"time": 0.0, "open": 0})]
        await page.evaluate("recorded => { window.recorded = recorded; }", recorded)
        for _ in range(parts):
            told = await page.evaluate("minutes => soak.talk(recorded, minutes)", part_min)
            found.append(await _measured(inspector, told))
        await context.close()
    return found


async def _measured(inspector: CDPSession, told: dict[str, Any]) -> Memory:
    for _ in range(2):  # what a first collection's finalizers let go of
        await inspector.send("HeapProfiler.collectGarbage")
    heap = await inspector.send("Runtime.getHeapUsage")
    counted = await inspector.send("Memory.getDOMCounters")
    return Memory(told["time"] / 60, int(heap["usedSize"]), int(counted["nodes"]), int(told["open"]))


async def _recorded(url: str) -> list[dict[str, str]]:
    """Everything that our own client is told of one reply, as text or base64."""
    messages: list[dict[str, str]] = []
    async with websockets.connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None) as socket:
        json.loads(await socket.recv())
        await socket.send(json.dumps({"type": "avatar.say", "text": "Tell me more.", "id": "said"}))
        async for message in socket:
            if isinstance(message, str):
                messages.append({"text": message})
                if json.loads(message)["type"] == "response.done":
                    return messages
                continue
            messages.append({"data": base64.b64encode(message).decode()})
            unit = unpack(message)
            if unit.kind is Kind.VIDEO:
                await socket.send(json.dumps({"type": "avatar.playhead", "turn": 1, "pts": unit.pts + FRAME}))
    raise RuntimeError("the reply did not end")


async def soak(stages: Stages, settings: Settings, *, quick: bool = False) -> Result:
    """The table: what the page holds every five minutes, and what it grew by once all that it keeps is full."""
    async with browsing() as browser:
        found = await soaked(stages, settings, browser, 3 if quick else PARTS, 0.5 if quick else PART_MIN)
    full = next(k for k, memory in enumerate(found) if quick or memory.minutes > 2 * PART_MIN)
    rows = tuple((f"{one.minutes:.0f}", f"{one.heap / MB:.2f}", str(one.nodes), str(one.frames)) for one in found)
    grown = (found[-1].heap - found[full].heap) / MB
    bars = (
        Bar(f"heap, from minute {found[full].minutes:.0f} to {found[-1].minutes:.0f}", grown, 0.5, "MB"),
        Bar("pictures that were decoded and not closed, most", max(one.frames for one in found), 0, "pictures"),
    )
    return Result("soak", ("virtual minutes", "heap MB", "nodes", "open pictures"), rows, bars)
