"""What it is worth to recognise several utterances in one batch, and whether any text depends on it.

Four sessions ask for finals, each its next as soon as it has the last; once an engine that takes one at a time serves
them, once one that takes up to four. The engines take turns in rounds, so that what else the machine does hits both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.asr.whisper import Whisper
from serve_app.bench.questions import LONG, SHORT, ask_with
from serve_app.bench.table import Bar, Result, spread
from streaming.stages import Transcriber, Voice

SESSIONS = 4
ROUNDS = 3
RATIO = 1.0
"""Least throughput in batches, of that one at a time, on a CPU. On a GPU 2.5 is the goal, and not measured."""


@dataclass(slots=True)
class _Spent:
    """What one engine took for all rounds."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    waits_s: list[float] = field(default_factory=list[float])
    texts: list[str] = field(default_factory=list[str])


async def recognition(voice: Voice, *, quick: bool = False) -> Result:
    """A row for each engine; bars for the throughput and for equal texts."""
    texts = SHORT[:6] if quick else (*SHORT, *LONG)
    sounds = [question.pcm16k for question in await ask_with(voice, texts)]
    sounds += [sound[: len(sound) * 6 // 20 * 2] for sound in sounds[: 2 if quick else 13]]  # cut off in mid-sentence
    engines = {"one at a time": Whisper(together=1), f"up to {SESSIONS} together": Whisper(together=SESSIONS)}
    spent = {name: _Spent() for name in engines}
    for _ in range(1 if quick else ROUNDS):
        for name, engine in engines.items():
            await _round(engine, sounds, spent[name])
    one, several = spent.values()
    count = len(one.waits_s)
    rows = tuple(
        (name, f"{count / each.cpu_s:.2f}", f"{count / each.wall_s:.2f}", *spread([1000 * s for s in each.waits_s]))
        for name, each in spent.items()
    )
    same = sum(alone == together for alone, together in zip(one.texts, several.texts, strict=True))
    bars = (
        Bar(f"finals a CPU second at {SESSIONS} sessions, in batches", one.cpu_s / several.cpu_s, RATIO, "times", True),
        Bar("utterances understood alike", same, count, f"of {count}", True),
    )
    notes = (
        f"{len(sounds)} utterances of the built-in voice, {len(sounds) - len(texts)} of them cut off, asked for"
        f" {count // len(sounds)} times; Whisper tiny.en, int8, one thread",
        f"the same by the clock: {one.wall_s / several.wall_s:.2f} times; on a GPU: not measured",
    )
    header = (f"{SESSIONS} sessions", "finals a CPU second", "a second", "wait p50 ms", "p95", "max")
    return Result("recognition", header, rows, bars, notes)


async def _round(engine: Transcriber, sounds: Sequence[bytes], spent: _Spent) -> None:
    """All sounds once, dealt out to the sessions."""
    texts, waits = [""] * len(sounds), [0.0] * len(sounds)

    async def session(first: int) -> None:
        for k in range(first, len(sounds), SESSIONS):
            asked = time.monotonic()
            async for transcript in engine.transcribe(sounds[k], "en", True):
                texts[k] = transcript.text
            waits[k] = time.monotonic() - asked

    wall, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(session(first) for first in range(SESSIONS)))
    spent.wall_s += time.monotonic() - wall
    spent.cpu_s += time.process_time() - cpu
    spent.texts += texts
    spent.waits_s += waits
