"""Little words to tell conversations with: sound of a given length, a face and a voice that answer at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from streaming.commands import Animate, Command, Show, Speak
from streaming.conversation import Conversation
from streaming.events import ClipEnded, Event, FaceEnded, FramesReady, Heard, SpeechReady
from streaming.media import FRAME, FramePacket
from streaming.stages import FaceState, Word

M = TypeVar("M")

MS = 16
"""Microphone samples of a millisecond."""


def pcm(count: int, value: int = 1) -> bytes:
    """``count`` samples of a constant."""
    return value.to_bytes(2, "little") * count


def silence_until(conversation: Conversation, start: int, stop: int, quiet: int = 0) -> list[Command]:
    """Microphone blocks of 20 ms from sample ``start`` to ``stop``; what they led to."""
    commands: list[Command] = []
    for at in range(start, stop, 20 * MS):
        commands += conversation.on(Heard(pcm(20 * MS), at, quiet))
    return commands


def shown(commands: Iterable[object], kind: type[M]) -> list[M]:
    """The messages of one kind that the client was shown."""
    return [c.message for c in commands if isinstance(c, Show) and isinstance(c.message, kind)]


def spoken(order: Speak, count: int = 24_000, words: tuple[Word, ...] = ()) -> list[Event]:
    """What a voice answers: one piece, then the end."""
    return [SpeechReady(order.turn, order.clip, pcm(count), (), words), ClipEnded(order.turn, order.clip)]


def drawn(order: Animate) -> list[Event]:
    """What a face answers: every wanted picture, then its state."""
    span = order.span
    pts = [span.pts + k * FRAME for k in range(span.skip, span.want_frames)]
    packets = [FramePacket(p, b"picture %d" % p, k == 0) for k, p in enumerate(pts)]
    state = FaceState("story", span.pts + span.want_frames * FRAME, b"state")
    return [*(FramesReady(span.turn, p.pts, (p,)) for p in packets), FaceEnded(span.turn, state)]


def answer(conversation: Conversation, commands: list[Command], count: int = 24_000) -> list[Command]:
    """Let voice and face answer everything that is asked of them, to the end; all commands in order."""
    told = list(commands)
    pending = list(commands)
    while pending:
        command = pending.pop(0)
        events: list[Event] = []
        if isinstance(command, Speak):
            events = spoken(command, count)
        elif isinstance(command, Animate):
            events = drawn(command)
        for event in events:
            more = conversation.on(event)
            told += more
            pending += more
    return told
