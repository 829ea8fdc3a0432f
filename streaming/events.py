"""What can happen in a conversation: facts, in the past tense.

Nothing here acts. Time is a fact like any other: samples of sound, or ``Tick``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streaming.media import FramePacket
from streaming.stages import FaceState, Phone, Word

StageName = Literal["asr", "llm", "tts", "face"]


@dataclass(frozen=True, slots=True)
class Joined:
    """A client is there and can be spoken to."""

    language: str = "en"
    """ISO 639-1 of the first words expected."""


@dataclass(frozen=True, slots=True)
class Left:
    """The client is gone for good."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A block of microphone sound came in."""

    pcm: bytes
    """PCM16 mono at 16 kHz."""
    at: int
    """Sample at 16 kHz of its first, counted from the session's first."""
    quiet: int = 0
    """Samples at 16 kHz from the last voiced one to this block's end, by the listener; 0 while somebody speaks."""


@dataclass(frozen=True, slots=True)
class TalkPressed:
    """Push-to-talk went down: this is a turn until it is released."""

    at: int
    """Microphone sample at 16 kHz."""


@dataclass(frozen=True, slots=True)
class TalkReleased:
    """Push-to-talk came up: the turn is complete."""

    at: int
    """Microphone sample at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The person wrote instead of speaking."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The listener is sure that somebody speaks."""

    at: int
    """First voiced sample at 16 kHz."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The listener heard a pause. It may be the end of the turn, or a breath."""

    at: int
    """Sample at 16 kHz after the last voiced one."""


@dataclass(frozen=True, slots=True)
class TurnJudged:
    """A model judged whether the turn sounds complete at a pause."""

    complete: bool
    at: int
    """The pause's SpeechEnded.at."""


@dataclass(frozen=True, slots=True)
class UserSaying:
    """Part of an utterance was understood; it may still change."""

    text: str
    until: int
    """Sample at 16 kHz after the last one that was listened to."""


@dataclass(frozen=True, slots=True)
class UserSaid:
    """An utterance was understood as far as ``until``."""

    text: str
    language: str
    until: int
    """Sample at 16 kHz after the last one that was listened to."""


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The language model wrote a piece of the reply."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The language model has nothing to add."""

    turn: int


@dataclass(frozen=True, slots=True)
class SpeechReady:
    """A piece of a clip was spoken."""

    turn: int
    clip: int
    """Clips of a reply count from 0."""
    pcm: bytes
    """PCM16 mono at 24 kHz; follows the clip's earlier pieces without a gap."""
    phones: tuple[Phone, ...] = ()
    """Starts count from the clip's first sample."""
    words: tuple[Word, ...] = ()
    """Starts count from the clip's first sample, at 24 kHz."""


@dataclass(frozen=True, slots=True)
class ClipEnded:
    """A clip was spoken to its end."""

    turn: int
    clip: int


@dataclass(frozen=True, slots=True)
class FramesReady:
    """Pictures were drawn and encoded."""

    turn: int
    pts: int
    """That of the first packet."""
    packets: tuple[FramePacket, ...]


@dataclass(frozen=True, slots=True)
class FaceEnded:
    """A span was drawn to its end."""

    turn: int
    state: FaceState


@dataclass(frozen=True, slots=True)
class Played:
    """The client reports how far its speaker is. Turn 0 is the idle loop."""

    turn: int
    pts: int
    """Samples at 24 kHz: the first that has not left the loudspeaker."""


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A call to a stage did not end well."""

    turn: int
    """Reply that the call was for; 0 for recognition."""
    stage: StageName
    reason: str
    """One sentence for a person."""
    lost: bool = False
    """True if the replica died, so that the same call may be repeated."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by."""

    now: int
    """Milliseconds since the session began, by the driver's clock; never falls."""


Event = (
    Joined
    | Left
    | Heard
    | TalkPressed
    | TalkReleased
    | Typed
    | SpeechStarted
    | SpeechEnded
    | TurnJudged
    | UserSaying
    | UserSaid
    | ReplyText
    | ReplyEnded
    | SpeechReady
    | ClipEnded
    | FramesReady
    | FaceEnded
    | Played
    | StageFailed
    | Tick
)
