"""What the other parts cost, in CPU time of this process: hearing, speaking, and taking a conversation up again.

The costs that `avatar plan` begins with (serve_app/plan.py) are those of its first two rows.
"""

from __future__ import annotations

import json
import time

import numpy as np

from serve_app.bench.questions import LONG, SHORT, ask_with
from serve_app.bench.table import Result
from streaming.commands import Speak
from streaming.conversation import Conversation
from streaming.events import ClipEnded, Event, Played, ReplyEnded, ReplyText, SpeechReady, Typed
from streaming.media import MIC_RATE, RATE, samples
from streaming.recalling import Recalling, note
from streaming.session import Stages

REPLIES = 100
"""Of the conversation that is taken up again."""


async def costs(stages: Stages, *, quick: bool = False) -> Result:
    """One row for each."""
    texts = (*SHORT, *LONG)[: 4 if quick else None]
    each, second = await _hearing(stages, texts)
    spoken = await _speaking(stages, texts)
    kept, again, seconds = await _taking_up(stages, 5 if quick else REPLIES)
    rows = (
        ("recognition", f"{each * 1000:.0f} ms a call", f"{second * 1000:.0f} ms a second of sound"),
        ("voice", "-", f"{spoken * 1000:.0f} ms a second of sound"),
        ("taking up a talk", f"{again * 1000:.1f} ms a reply of {seconds:.1f} s", f"{kept / 1000:.1f} kB noted of it"),
    )
    notes = (f"{len(texts)} questions of the built-in voice, each heard once; {REPLIES} replies without tools",)
    return Result("costs", ("CPU time", "each", "and"), rows, notes=notes)


async def _hearing(stages: Stages, texts: tuple[str, ...]) -> tuple[float, float]:
    """Seconds a call and a second of sound: the straight line through all calls."""
    spent: list[tuple[float, float]] = []
    for question in await ask_with(stages.voice, texts):
        begun = time.process_time()
        async for _ in stages.transcriber.transcribe(question.pcm16k, "en", True):
            pass
        spent.append((samples(question.pcm16k) / MIC_RATE, time.process_time() - begun))
    sound, work = np.array(spent).T
    second, each = np.polyfit(sound, work, 1)
    return float(each), float(second)


async def _speaking(stages: Stages, texts: tuple[str, ...]) -> float:
    spent, made = 0.0, 0
    for k, text in enumerate(texts):
        begun = time.process_time()
        pieces = [piece async for piece in stages.voice.speak(text, "default", "en", k)]
        spent += time.process_time() - begun
        made += sum(samples(piece.pcm24k) for piece in pieces)
    return spent * RATE / made


async def _taking_up(stages: Stages, replies: int) -> tuple[float, float, float]:
    """Bytes noted of a reply, seconds to do it again, and its length; each reply is heard to its end."""
    talk = Conversation("bench", codec=None)
    recalling = Recalling("bench", talk.settings())
    lines: list[str] = []
    pieces = [piece async for piece in stages.voice.speak(LONG[0], "default", "en", 1)]
    length = sum(samples(piece.pcm24k) for piece in pieces)

    def happen(event: Event) -> list[Speak]:
        commands = talk.on(event)
        if noted := note(event, commands):
            lines.append(json.dumps(noted))
        return [command for command in commands if isinstance(command, Speak)]

    for turn in range(1, replies + 1):
        orders = [*happen(Typed("What is that?")), *happen(ReplyText(turn, LONG[0])), *happen(ReplyEnded(turn))]
        for order in orders:  # the first clip is as long as the whole reply: how it is cut does not matter here
            for piece in pieces if order is orders[0] else ():
                happen(SpeechReady(turn, order.clip, piece.pcm24k, piece.phones, piece.words))
            orders += happen(ClipEnded(turn, order.clip))
        for pts in range(0, length + RATE, RATE // 4):
            happen(Played(turn, pts))
    begun = time.process_time()
    for line in lines:
        recalling.take(json.loads(line))
    spent = time.process_time() - begun
    assert recalling.turn == replies
    return sum(map(len, lines)) / replies, spent / replies, length / RATE
