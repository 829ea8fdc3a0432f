"""Call the stages of a recorded conversation again and compare what they make: text, sound, and pictures.

Pictures are compared before encoding, by the CRC-32 that the face gives with each packet: an encoder that starts
anew may give other bytes for the same picture. This file knows no engine: it is given the stages.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace

from streaming.commands import Animate, Command, Speak, Transcribe
from streaming.drawing import UNHURRIED_MS
from streaming.events import FramesReady, SpeechReady, UserSaid
from streaming.journal import Entry, decode
from streaming.session import Driving, Stages
from streaming.stages import FaceState, Spoken


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A call that answers otherwise now."""

    call: str
    reason: str


@dataclass(slots=True)
class _Recorded:
    """What a conversation's stages were asked and answered."""

    finals: list[Transcribe] = field(default_factory=list[Transcribe])
    clips: list[Speak] = field(default_factory=list[Speak])
    spans: list[Animate] = field(default_factory=list[Animate])
    said: dict[int, str] = field(default_factory=dict[int, str])
    sound: dict[tuple[int, int], bytes] = field(default_factory=lambda: defaultdict(bytes))
    checks: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])


def _gathered(entries: Iterable[Entry]) -> _Recorded:
    recorded = _Recorded()
    for entry in entries:
        match entry.event:
            case UserSaid(text, _, until):
                recorded.said[until] = text
            case SpeechReady(turn, clip, pcm):
                recorded.sound[turn, clip] += pcm
            case FramesReady(turn, _, packets):
                recorded.checks |= {(turn, packet.pts): packet.check for packet in packets}
            case _:
                pass
        for text in entry.commands:
            _asked(decode(json.loads(text)), recorded)
    return recorded


def _asked(command: Command, recorded: _Recorded) -> None:
    match command:
        case Transcribe(final=True):
            recorded.finals.append(command)
        case Speak(skip=0):
            recorded.clips.append(command)
        case Animate():
            recorded.spans.append(command)
        case _:
            pass


async def redo(entries: Iterable[Entry], stages: Stages, driving: Driving) -> tuple[int, list[Mismatch]]:
    """Call recognition, voice and face again as recorded; how many calls, and those that differ.

    The language model is not asked again: a remote one never answers the same twice. A clip that was cut off is
    compared as far as it was heard.
    """
    recorded = _gathered(entries)
    wrong: list[Mismatch] = []
    for order in recorded.finals:
        wrong += await _again_heard(order, recorded, stages, driving.hints)
    for order in recorded.clips:
        wrong += await _again_spoken(order, recorded, stages, driving)
    for order in recorded.spans:
        wrong += await _again_drawn(order, recorded, stages)
    return len(recorded.finals) + len(recorded.clips) + len(recorded.spans), wrong


async def _again_heard(order: Transcribe, recorded: _Recorded, stages: Stages, hints: str) -> list[Mismatch]:
    if order.until not in recorded.said:
        return []
    text = ""
    async for transcript in stages.transcriber.transcribe(order.audio, order.language, True, hints=hints):
        text = transcript.text
    then = recorded.said[order.until]
    return [] if text == then else [Mismatch(f"the utterance up to {order.until}", f"{then!r} is now {text!r}")]


async def _again_spoken(order: Speak, recorded: _Recorded, stages: Stages, driving: Driving) -> list[Mismatch]:
    text, language = driving.voiced(order)
    spoken = stages.voice.speak(text, driving.voice, language, order.seed) if text else nothing()
    pieces = [piece.pcm24k async for piece in spoken]
    then = recorded.sound[order.turn, order.clip]
    same = b"".join(pieces)[: len(then)] == then
    return [] if same else [Mismatch(f"clip {order.clip} of reply {order.turn}", "it sounds otherwise now")]


async def nothing() -> AsyncIterator[Spoken]:
    """A clip in a language without a voice."""
    for piece in ():
        yield piece


async def _again_drawn(order: Animate, recorded: _Recorded, stages: Stages) -> list[Mismatch]:
    if stages.face is None:
        return [Mismatch(f"reply {order.turn} at {order.span.pts}", "there is no face to draw it again")]
    wrong: list[Mismatch] = []
    span = replace(order.span, slack_ms=UNHURRIED_MS)  # nobody waits now: no picture is left out for being late
    async for item in stages.face.animate(span, stages.avatar, order.state):
        if isinstance(item, FaceState):
            continue
        then = recorded.checks.get((order.turn, item.pts))
        if then is not None and then != item.check:
            wrong.append(Mismatch(f"reply {order.turn} at {item.pts}", "the picture is another one now"))
    return wrong
