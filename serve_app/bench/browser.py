"""Lips and sound in a real browser: what is on the canvas against what leaves the loudspeaker.

The page in Chromium, our gateway behind it, a voice and a face that number what they make (numbered.py). probe.js reads
the numbers back: pictures from the canvas's pixels, sound behind the page's own worklet. A picture's skew is the time
from its sound's leaving the machine until it is on the canvas; the display's own delay (a frame or two) is not in it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from playwright.async_api import Browser, Page, async_playwright

from actors.tts.hibari import Hibari
from serve_app import page as built
from serve_app.bench.hindrance import Hindrance, hindered
from serve_app.bench.numbered import CYCLE, Counter, Lecturer, Strip
from serve_app.bench.questions import ask_with
from serve_app.bench.serving import serving
from serve_app.bench.table import Bar, Result, spread
from serve_app.errors import UserError
from serve_app.settings import Settings
from serve_app.wav import wav_of
from streaming.media import MIC_RATE, RATE
from streaming.session import Stages

PROBE = Path(__file__).with_name("probe.js")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
)
NEAR_S = 0.55
"""A sound is looked for so long before and after its picture; less than half of CYCLE."""
QUANTUM_S = 128 / RATE
QUIET = 20
"""Quanta of silence, 107 ms, after which sound counts as over."""


def chromium() -> str | None:
    """Where Chromium is; None if there is none here."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@dataclass(frozen=True, slots=True)
class Talk:
    """What was seen and heard of a talk."""

    skew: tuple[float, ...]
    """Of each picture in ms; positive: it came after its sound."""
    alone: int
    """Pictures whose sound was not heard near them."""
    stale: int
    """New pictures of a reply after it was flushed."""
    gone: tuple[float, ...]
    """From each flush until the last trace of the reply's picture had faded, in ms."""
    silent: tuple[float, ...]
    """From each first order, hold or flush, until no sound leaves the machine, in ms."""
    stalls: int
    stalled_ms: float
    skipped: int
    """Pictures that were never drawn."""


def talk_of(probe: dict[str, Any], shown: dict[str, Any]) -> Talk:
    """What a probe noted, in numbers. ``shown`` is what the page's player counted."""
    heard = np.array(probe["heard"] or [[0, 0, 0]], float)
    skew = [skew_of(seen["sound"], seen["at"], heard) for seen in probe["seen"] if seen["sound"] and seen["at"] > 0]
    stops = stops_of(probe["told"])
    return Talk(
        tuple(found for found in skew if found is not None),
        sum(found is None for found in skew),
        sum(stale_after(flush, probe["seen"]) for _, flush in stops),
        tuple(max(probe["last"].get(str(flush["turn"] % 32), 0) - flush["ms"], 0) for _, flush in stops),
        tuple(silence_after(hold, heard) for hold, _ in stops),
        shown["stalls"],
        shown["stalledMs"],
        shown["skipped"],
    )


def skew_of(number: int, seen_at: float, heard: np.ndarray) -> float | None:
    """Milliseconds from a numbered sample's leaving the machine to its picture; None if it was not heard near it.

    ``heard``: of each quantum when it leaves (s), its first and its last sample.
    """
    near = heard[np.searchsorted(heard[:, 0], seen_at - NEAR_S) : np.searchsorted(heard[:, 0], seen_at + NEAR_S)]
    into = (number - near[:, 1]) % CYCLE
    inside = near[(near[:, 1] > 0) & (into < 128)]
    if not len(inside):
        return None
    left = inside[:, 0] + (number - inside[:, 1]) % CYCLE / RATE
    return float((seen_at - left[np.abs(seen_at - left).argmin()]) * 1000)


def stops_of(told: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Of each reply that was stopped: when it was to fall silent, and when to go. A hold that went on is none."""
    silent: dict[int, dict[str, Any]] = {}
    over: dict[int, dict[str, Any]] = {}
    for one in told:
        if one["type"] == "avatar.resume":
            silent.pop(one["turn"], None)
        else:
            silent.setdefault(one["turn"], one)
        if one["type"] == "avatar.flush":
            over.setdefault(one["turn"], one)
    return [(silent[turn], flush) for turn, flush in over.items()]


def stale_after(flush: dict[str, Any], seen: list[dict[str, Any]]) -> int:
    """Pictures of the flushed reply that came onto the canvas later and are not the one that was there."""
    own = [one for one in seen if one["turn"] == flush["turn"] % 32]
    before = [one["sound"] for one in own if one["ms"] <= flush["ms"]][-1:]
    return sum(one["ms"] > flush["ms"] and one["sound"] not in before for one in own)


def silence_after(stop: dict[str, Any], heard: np.ndarray) -> float:
    """Milliseconds from the order until no sound leaves the machine any more."""
    later = heard[heard[:, 0] >= stop["at"] - QUANTUM_S]
    loud = (later[:, 1] > 0) | (later[:, 2] > 0)
    quiet = np.convolve(~loud, np.ones(QUIET), "valid") >= QUIET
    if not quiet.any():
        return float("inf")
    return float(max(later[quiet.argmax(), 0] - stop["at"], 0) * 1000)


# ---- the talk ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Chromium with somebody at its microphone who says one sentence. Raises UserError if there is none here."""
    path = chromium()
    if path is None:
        raise UserError("no Chromium on this machine; Debian: apt-get install chromium")
    (spoken,) = await ask_with(Hibari(), ("Wait a moment please, what is twelve times seven?",))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        file.write_bytes(wav_of(spoken.pcm16k + bytes(2 * MIC_RATE), MIC_RATE))
        async with async_playwright() as play:
            flags = [*FLAGS.split(), f"--use-file-for-fake-audio-capture={file}%noloop"]
            browser = await play.chromium.launch(executable_path=path, args=flags)
            yield browser
            await browser.close()


@asynccontextmanager
async def watched(browser: Browser, url: str) -> AsyncIterator[Page]:
    """The page there, with the probe in it."""
    context = await browser.new_context(permissions=["microphone"], bypass_csp=True)
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await page.add_init_script(path=PROBE)
    await page.goto(url)
    await state(page, "idle")
    await page.evaluate("probe.start()")
    yield page
    await context.close()


async def state(page: Page, wanted: str) -> None:
    """Wait until the page shows this state."""
    await page.wait_for_function("wanted => document.body.dataset.state === wanted", arg=wanted)


async def ask(page: Page) -> None:
    """Type a question; returns when the reply is heard."""
    await page.fill("#text", "Tell me more.")
    await page.click("#typed button")
    await state(page, "speaking")


async def found(page: Page) -> Talk:
    """What the page's probe noted so far."""
    await page.wait_for_timeout(400)  # the last notes of the tap
    shown = "({ ...avatar.player.shown, skipped: avatar.player.pictures.skipped })"
    return talk_of(await page.evaluate("({ ...probe, context: null, socket: null })"), await page.evaluate(shown))


@dataclass(frozen=True, slots=True)
class Bench:
    """What all talks share: the engines that listen, and the browser."""

    stages: Stages
    settings: Settings
    browser: Browser

    @asynccontextmanager
    async def room(
        self, words: int, slow: float = 0.0, left_out: Container[int] = ()
    ) -> AsyncIterator[tuple[Page, Hindrance]]:
        """The page at a service whose replies have so many words (0.3 s each), behind a network."""
        stages = replace(self.stages, responder=Lecturer(words), voice=Counter(), face=Strip(slow, left_out))
        async with (
            serving(stages, self.settings) as port,
            hindered(port) as network,
            watched(self.browser, network.url) as page,
        ):
            yield page, network

    async def talk(
        self, replies: int, words: int, slow: float = 0.0, held_s: float = 0.0, left_out: Container[int] = ()
    ) -> Talk:
        """So many questions, each answered to its end; ``held_s``: in mid-reply nothing comes for so long."""
        async with self.room(words, slow, left_out) as (page, network):
            for _ in range(replies):
                await ask(page)
                if held_s:
                    await page.wait_for_timeout(2000)
                    await network.hold(held_s)
                await state(page, "idle")
            return await found(page)

    async def interruptions(self, count: int) -> list[Talk]:
        """So many replies that somebody speaks into, each on a page of its own: Chromium plays the speech once."""
        stages = replace(self.stages, responder=Lecturer(100), voice=Counter(), face=Strip())
        talks: list[Talk] = []
        async with serving(stages, self.settings) as port:
            for _ in range(count):
                async with watched(self.browser, f"http://127.0.0.1:{port}") as page:
                    await ask(page)
                    await page.wait_for_timeout(1500)
                    await page.click("#talk")
                    await page.wait_for_function("probe.told.some(({ type }) => type === 'avatar.flush')")
                    await page.wait_for_timeout(500)
                    talks.append(await found(page))
        return talks


# ---- the table -----------------------------------------------------------------------------------------------


async def browser(stages: Stages, settings: Settings, *, quick: bool = False) -> Result:
    """Skew over a talk of three minutes, with a slow face and with a stalled network; and interruptions."""
    if not (built.WEB / "dist" / "index.html").is_file():
        raise UserError("the page is not built here; make web")
    async with browsing() as chrome:
        bench = Bench(stages, settings, chrome)
        talks = {
            "a talk of 30 s" if quick else "a talk of 3 minutes": await bench.talk(2 if quick else 12, 50),
            "face at 1.3 times real time": await bench.talk(1 if quick else 3, 50, slow=1.3),
            "network held back for 2 s in each reply": await bench.talk(1 if quick else 3, 50, held_s=2.0),
        }
        stopped = await bench.interruptions(2 if quick else 10)
    rows = [(f"{name}: skew", str(len(talk.skew)), *spread(talk.skew, 1)) for name, talk in talks.items()]
    silent, gone = [ms for talk in stopped for ms in talk.silent], [ms for talk in stopped for ms in talk.gone]
    rows += [
        ("interrupted: hold until no sound leaves", str(len(silent)), *spread(silent)),
        ("interrupted: flush until its last picture has faded", str(len(gone)), *spread(gone)),
    ]
    bars = [bar for name, talk in talks.items() for bar in _in_sync(name, talk)]
    bars += [
        Bar(
            "interrupted, pictures of the reply that came after its flush",
            sum(talk.stale for talk in stopped),
            0,
            "pictures",
        ),
        Bar("interrupted, hold until no sound leaves, largest", max(silent), 100, "ms"),
    ]
    notes = [
        f"{name}: {t.stalls} stalls, {t.skipped} pictures never drawn, {t.alone} without their sound"
        for name, t in talks.items()
    ]
    return Result("browser", ("ms", "of", "p50", "p95", "max"), tuple(rows), tuple(bars), tuple(notes))


def _in_sync(name: str, talk: Talk) -> list[Bar]:
    away = np.abs(talk.skew)
    return [Bar(f"{name}, skew, p{share}", float(np.percentile(away, share)), most, "ms") for share, most in
            ((50, 20), (95, 40))]  # fmt: skip
