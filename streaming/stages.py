"""The stages as Protocols, and what travels to and from them.

A stage is one method. Four give a stream, and to cancel is to stop iterating; the two that listen to raw sound
answer at once. Every call is a pure function of its
message: what a stage must remember between two calls travels in the message, replicas hold only caches
that can be rebuilt. Hence any replica can serve any call.

This file knows no engine, no model, no Ray.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from streaming.media import FramePacket

Codec = Literal["h264", "jpeg"]


@dataclass(frozen=True, slots=True)
class HearState:
    """What the listener remembers between two blocks of microphone sound. ``HearState()`` begins a session."""

    at: int = 0
    """Samples at 16 kHz already judged, since the session's first."""
    speaking: bool = False
    voiced_from: int = 0
    """Sample at which the current or coming speech began."""
    voiced_until: int = 0
    """Sample after the last voiced one."""
    memory: bytes = b""
    """The detector's own memory and the samples that did not fill a whole frame. Only the engine reads it."""
    threshold: float | None = None
    """Least probability of voice, in [0, 1], at which speech begins; None is the listener's own. Chosen outside: the
    listener passes it on."""


@dataclass(frozen=True, slots=True)
class Voicing:
    """The listener's news: speech began, or paused."""

    speaking: bool
    at: int
    """Sample at 16 kHz since the session's first: of the first voiced sample, or after the last voiced one."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it is heard."""

    text: str
    start: int
    """Samples from the first sample of the sound it belongs to, at that sound's rate."""
    samples: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood of an utterance so far."""

    text: str
    words: tuple[Word, ...]
    """Word times at 16 kHz; empty where nobody asked for them, or the engine knows none."""
    language: str
    """ISO 639-1 of the text."""
    final: bool
    detected: str = ""
    """ISO 639-1 of the language that it sounds like, whatever was asked for; empty: the engine did not look."""
    certainty: float = 0.0
    """Probability of ``detected``, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Said:
    """One item of the conversation: who said what, as it was heard."""

    role: Literal["user", "assistant", "system", "call", "tool", "knowledge"]
    """``call`` is the model's wish for a function, ``tool`` what the function gave back; ``knowledge`` is what a
    persona knows, in the form of actors/llm/knowledge.toml: it goes before all else with each call, and is no item."""
    text: str
    """Of a call its arguments, as JSON text."""
    turn: int
    cut: bool = False
    """True for a reply that was interrupted: ``text`` holds only what was heard."""
    id: str = ""
    """Chosen by whoever added the item; empty where role and turn say enough."""
    call_id: str = ""
    """Joins a call and what it gave back."""
    function: str = ""
    """Name of the function of a call."""

    @property
    def name(self) -> str:
        """What the item is called; unique in a conversation."""
        return self.id or f"{self.role}_{self.turn}"


History = tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the language model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of the arguments."""
    must: bool = False
    """The reply has to call one of the functions so marked, if the model can be told so."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of a reply; pieces join without anything between them."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The language model asks for a function."""

    call_id: str
    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply cost the language model, by its own count: tokens."""

    read: int
    """Instructions, functions and conversation."""
    written: int
    """The reply's text and calls."""
    cached: int = 0
    """Of those that were read: known from an earlier reply."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One speech sound and when it is heard."""

    symbol: str
    """IPA, as the voice names it; ``""`` is silence."""
    start: int
    """Samples at 24 kHz: from the clip's first sample in Spoken, from the reply's first in Span."""
    samples: int
    stress: int = 0
    """0 none, 1 primary, 2 secondary."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of speech. Phones and words may be missing; the face then listens to the sound."""

    pcm24k: bytes
    phones: tuple[Phone, ...] = ()
    words: tuple[Word, ...] = ()
    """Both lie within this piece or begin in it; their starts count from the *clip's* first sample."""


@dataclass(frozen=True, slots=True)
class Avatar:
    """Which face, and how it is shown."""

    id: str
    width: int
    height: int
    coded_width: int
    """Even; the last column is repeated where ``width`` is odd. Clients crop to ``width``."""
    coded_height: int
    fps: int = 25
    idle_frames: int = 250
    """Pictures of the idle loop."""


Rung = Literal["", "steps", "rate", "still"]
"""How much of a face is drawn under load: all of it, in fewer steps, at half the frame rate, or a still picture."""


@dataclass(frozen=True, slots=True)
class FaceLoad:
    """How a face's replica stands, told with each state: from it the next plan is chosen, outside."""

    chunk_ms: float
    """Measured: to hear five frames of sound, in milliseconds, as the two below."""
    window_ms: float
    """All steps of one window of motion."""
    frame_ms: float
    """One picture, from motion to packet."""
    rung: Rung = ""
    """What the replica can bear; under overload less than all."""


@dataclass(frozen=True, slots=True)
class FaceState:
    """What the face must remember between two spans, at most 400 kB. Only the engine that made it reads it."""

    engine: str
    pts: int
    """Where the next span must begin, in samples at 24 kHz."""
    data: bytes
    load: FaceLoad | None = None
    """None: an engine that always draws in one way."""


@dataclass(frozen=True, slots=True)
class Span:
    """The next stretch of a reply to draw: frames ``pts/960 .. pts/960 + want_frames``."""

    session: str
    turn: int
    pts: int
    """Sample at 24 kHz of the first wanted frame, a multiple of 960."""
    pcm24k: bytes
    """All sound spoken so far from ``pts`` on: what the frames need, and look-ahead."""
    want_frames: int
    phones: tuple[Phone, ...]
    """Every phone of the reply that ends after ``pts - 12,000``, known so far; starts count from the reply's first."""
    last: bool
    """True if no more sound follows ``pcm24k``; then ``want_frames`` covers it to its end."""
    seed: int
    plan: str
    """How the engine shall work (stride, steps, frame rate): chosen outside, kept in the journal. ``""`` is default."""
    codec: Codec
    slack_ms: int
    """Time left at sending until the first frame is due."""
    idle_frame: int
    """Frame of the idle loop (0-249) that the client shows at the reply's pts 0; the reply's motion goes on from it."""
    skip: int = 0
    """Frames at the beginning that arrived from an earlier attempt: draw them, do not send them again."""
    fresh: bool = False
    """The first picture sent must stand alone: begin a new encoder."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is known when the next span is about to be asked for."""

    pts: int
    """As in Span."""
    want_frames: int
    known: int
    """Samples of the reply, from its first on, that the span will hold sound up to."""
    last: bool
    """As in Span."""
    slack_ms: int
    """As in Span."""
    state: FaceState | None
    """What the span before gave."""


class Planner(Protocol):
    """Chooses the plan of a span: a pure function, called where the conversation is, not where the face is."""

    def __call__(self, ahead: Ahead, load: FaceLoad | None) -> str:
        """``Span.plan``; ``load`` is the newest that was told, also with an earlier reply."""
        ...


Hearing = tuple[list[Voicing], HearState]
"""The listener's answer: its news, and what it remembers until the next block."""


class Listener(Protocol):
    """Runs in the gateway's process, a block of sound at a time."""

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing: ...


class SharedListener(Protocol):
    """A listener that may let a block wait for those of other sessions; every Listener is one that never does.

    Raises StageError if it cannot answer, and does so in time: nobody else watches a clock for it.
    """

    def hear(self, pcm16k: bytes, state: HearState) -> Hearing | Awaitable[Hearing]: ...


class Judge(Protocol):
    """Runs in the gateway's process, in a thread of its own, once a pause; it may be called from several threads."""

    def judge(self, pcm16k: bytes) -> float:
        """Probability in [0, 1] that the speech sounds complete: PCM16 mono at 16 kHz up to now, at most 8 s."""
        ...


class Transcriber(Protocol):
    """Speech to text. Yields one or more Transcripts, the last with ``final`` as asked."""

    def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        """``language``: ISO 639-1 of what is spoken; None has the engine find out.

        ``words``: tell when each word is heard too; it takes longer, and an engine may not know. ``hints``: names and
        terms that are likely to be said, spelled as they shall be written; an engine may pass over them.
        """
        ...


class Responder(Protocol):
    """Conversation to the next reply's text. One that counts tokens says at the end how many."""

    def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall | Usage]: ...


class Voice(Protocol):
    """Text to speech. The same arguments give the same sound."""

    def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]: ...


class Face(Protocol):
    """Speech to pictures. Yields the packets in order of pts, then exactly one FaceState.

    Pictures that the plan leaves out have no packet: the one before stays on the screen.
    """

    def animate(
        self, span: Span, avatar: Avatar, state: FaceState | None
    ) -> AsyncIterator[FramePacket | FaceState]: ...


class StageError(Exception):
    """A stage cannot do what was asked of it; the message says what to do. The same call would fail again."""


class BadInput(StageError):
    """What the stage was given is wrong, and whoever gave it can mend that; every other StageError is the stage's."""


class StageLost(Exception):
    """The replica that served the call is gone; the same call may be repeated."""
