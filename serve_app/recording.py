"""What a session answered, written down as it was shown: text, sound, pictures, phones, and when each came first.

A ``Recorder`` is the client of a session and reads its journal too, because phones are not sent to clients.
``Film`` is several replies one after the other on one clock. This file drives nothing and writes no file.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from streaming.commands import Audio, Command, Cut, Ended, Failed, Frames, ReplyDelta, Show, Transcribe, UserCaption
from streaming.events import Event, Heard, SpeechEnded, SpeechReady, SpeechStarted, StageFailed, UserSaid, UserSaying
from streaming.media import FRAME, RATE, SAMPLE_BYTES, FramePacket, samples
from streaming.session import ClientOrder
from streaming.stages import Phone, Word


@dataclass(slots=True)
class Take:
    """One reply as it was shown, and what it answers."""

    turn: int
    question: str
    voiced_until: int
    """Microphone sample at 16 kHz after the last voiced one of the question."""
    text: str = ""
    sound: bytearray = field(default_factory=bytearray)
    """PCM16 mono at 24 kHz."""
    packets: list[FramePacket] = field(default_factory=list[FramePacket])
    phones: list[Phone] = field(default_factory=list[Phone])
    words: list[Word] = field(default_factory=list[Word])
    """Starts of phones and words count from the reply's first sample at 24 kHz."""
    spoken: int = 0
    """Samples that the voice has made; those of the clip ``clip`` began at ``clip_from``."""
    clip: int = -1
    clip_from: int = 0
    cut: bool = False
    came: dict[str, float] = field(default_factory=dict[str, float])
    """When the first of each kind was shown, in seconds of the recorder's clock."""

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return samples(bytes(self.sound)) / RATE

    def stop_at(self, pts: int) -> None:
        """Leave out what comes after ``pts``: it was interrupted there."""
        del self.sound[pts * SAMPLE_BYTES :]
        self.packets = [packet for packet in self.packets if packet.pts < pts]
        self.phones = [phone for phone in self.phones if phone.start < pts]
        self.words = [word for word in self.words if word.start < pts]


class Recorder:
    """Client and journal of one session."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.takes: list[Take] = []
        self.failures: list[str] = []
        self.heard = 0
        """Microphone samples that the conversation has taken."""
        self._finals = 0
        self._partial = False
        self._voiced_until: int | None = None
        self._clock = clock
        self._news = asyncio.Event()

    async def show(self, order: ClientOrder) -> None:
        """The session's client: keeps what it is shown."""
        if not isinstance(order, Show):
            return
        match order.message:
            case UserCaption(text, final=True):
                until = self.heard if self._voiced_until is None else self._voiced_until
                self.takes.append(Take(len(self.takes) + 1, text, until))
                self._came("final_transcript")
            case ReplyDelta(_, text):
                self.takes[-1].text += text
                self._came("first_text")
            case Audio(_, _, pcm):
                self.takes[-1].sound += pcm
                self._came("first_audio")
            case Frames(_, packets):
                self.takes[-1].packets += packets
                self._came("first_frame")
            case Cut(_, pts, text):
                self.takes[-1].cut, self.takes[-1].text = True, text
                self.takes[-1].stop_at(pts)
            case Ended(_, pts):
                self.takes[-1].stop_at(pts)
            case Failed(_, _, reason):
                self.failures.append(reason)
            case _:
                pass

    def note(self, event: Event, commands: Sequence[Command]) -> None:
        """The session's journal: keeps what clients are not told."""
        match event:
            case Heard(pcm, at):
                self.heard = at + samples(pcm)
            case SpeechStarted():
                self._voiced_until = None
            case SpeechEnded(at):
                self._voiced_until = at
            case UserSaying():
                self._partial = False
            case UserSaid() | StageFailed(stage="asr"):
                self._finals = max(self._finals - 1, 0)
                self._partial = False
            case SpeechReady() if self.takes and event.turn == self.takes[-1].turn:
                _place(self.takes[-1], event)
            case _:
                pass
        for command in commands:
            if isinstance(command, Transcribe):  # a final ends the partial that is being worked on
                self._finals += command.final
                self._partial = not command.final
        self._news.set()

    @property
    def listening(self) -> bool:
        """True while a transcript that was asked for has not come."""
        return self._finals > 0 or self._partial

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until ``true()``, asked again after every event."""
        while not true():
            self._news.clear()
            await self._news.wait()

    def _came(self, kind: str) -> None:
        self.takes[-1].came.setdefault(kind, self._clock())


def _place(take: Take, event: SpeechReady) -> None:
    """Move a piece's phones and words from its clip's clock to the reply's."""
    if event.clip != take.clip:
        take.clip, take.clip_from = event.clip, take.spoken
    take.phones += [replace(phone, start=phone.start + take.clip_from) for phone in event.phones]
    take.words += [replace(word, start=word.start + take.clip_from) for word in event.words]
    take.spoken += samples(event.pcm)


@dataclass(frozen=True, slots=True)
class Film:
    """Replies one after the other; all positions in samples at 24 kHz from the first sample of the film."""

    sound: bytes
    packets: tuple[FramePacket, ...]
    phones: tuple[Phone, ...]
    words: tuple[Word, ...]
    text: str

    def labels(self) -> dict[str, Any]:
        """What was spoken when, as the voice gave it: the content of LABELS.json."""
        return {
            "rate": RATE,
            "phones": [
                {"symbol": p.symbol, "start": p.start, "samples": p.samples, "stress": p.stress} for p in self.phones
            ],
            "words": [{"text": w.text, "start": w.start, "samples": w.samples} for w in self.words],
            "text": self.text,
        }


def joined(takes: Sequence[Take]) -> Film:
    """Put replies one after the other, each beginning on a whole frame."""
    sound = bytearray()
    packets: list[FramePacket] = []
    phones: list[Phone] = []
    words: list[Word] = []
    for take in takes:
        start = samples(bytes(sound))
        packets += [replace(packet, pts=packet.pts + start) for packet in take.packets]
        phones += [replace(phone, start=phone.start + start) for phone in take.phones]
        words += [replace(word, start=word.start + start) for word in take.words]
        sound += take.sound
        if take is not takes[-1]:
            sound += bytes(-len(sound) % (FRAME * SAMPLE_BYTES))
    text = "\n".join(take.text.strip() for take in takes if take.text.strip())
    return Film(bytes(sound), tuple(packets), tuple(phones), tuple(words), text)
