"""What can happen in a conversation: facts, in the past tense.

Nothing here acts. Time is a fact like any other: samples of sound, or ``Tick``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streaming.media import FramePacket
from streaming.pace import Pace
from streaming.stages import FaceState, History, Phone, Said, Tool, ToolCall, Usage, Word

StageName = Literal["asr", "llm", "tts", "face"]


@dataclass(frozen=True, slots=True)
class Joined:
    """A client is there and can be spoken to."""

    language: str = "en"
    """ISO 639-1 of the first words expected."""


@dataclass(frozen=True, slots=True)
class Rejoined:
    """The client of a conversation that was recalled is there again, and says what it has of the newest reply."""

    turn: int
    """The reply that it has something of; 0 if of none."""
    audio: int = 0
    """Samples at 24 kHz of its sound that arrived."""
    video: int = 0
    """Sample at which the first picture is due that did not arrive."""
    ended: bool = False
    """True if it was told of the reply's end."""


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
    interrupts: bool = True
    """False leaves a reply alone that is being heard."""


@dataclass(frozen=True, slots=True)
class TalkReleased:
    """Push-to-talk came up, or the client says that the turn is complete."""

    at: int
    """Microphone sample at 16 kHz."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The person wrote instead of speaking: whatever is said stops, and this is answered."""

    text: str
    id: str = ""
    """Name of the item that it becomes; empty lets the conversation name it."""


@dataclass(frozen=True, slots=True)
class Added:
    """The client put an item into the conversation; it asks for no reply."""

    item: Said
    after: str | None = None
    """Name of the item that it follows; "" is the head, None the end."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The client took an item out of the conversation."""

    name: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """The client reports how much of a reply was heard, though it may be over."""

    turn: int
    pts: int
    """Samples at 24 kHz from the reply's first."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A reply is wanted to what was said so far. It begins when no other is under way."""

    instructions: str | None = None
    """For this reply only; None is what was agreed."""
    tools: tuple[Tool, ...] | None = None
    silent: bool | None = None
    """True wants text only."""
    history: History | None = None
    """What is answered; None is the conversation."""
    apart: bool = False
    """The reply does not enter the conversation. A silent one is an aside: it waits for no other reply."""
    most: int | None = None
    """Pieces of text and calls after which it is cut; None is what was agreed."""
    says: str = ""
    """Words to be said as they stand, a greeting; empty asks the language model for them."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The client wants no more of the reply."""

    turn: int = 0
    """Of an aside, below 0; 0 is the reply that has the turn."""


@dataclass(frozen=True, slots=True)
class PictureLost:
    """The client can decode no picture until one comes that stands alone."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The client took back what it was saying."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """The client chose how turns are taken from now on."""

    live: bool = True
    """Turns are found by listening."""
    answers: bool = True
    """A turn that is over is answered without being asked."""
    interrupts: bool = True
    """Speech interrupts a reply."""
    silent: bool = False
    """Replies are text only."""
    pace: Pace | None = None
    """None leaves it as it is."""
    language: str = ""
    """ISO 639-1 of what the person speaks; empty: it is found out by listening."""


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
    detected: str = ""
    """ISO 639-1 of the language that it sounds like; empty if nobody looked."""
    certainty: float = 0.0
    """Probability of ``detected``, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The language model wrote a piece of the reply."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyCalled:
    """The language model asks for a function; what it gives back comes as an item."""

    turn: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The language model has nothing to add."""

    turn: int
    usage: Usage | None = None
    """None: it did not count."""
    limited: bool = False
    """It would have gone on, but the reply has all the pieces that it may have."""


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
    instead: str = ""
    """Of the language model: what a reply that is heard says in place of the words that will not come."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by."""

    now: int
    """Milliseconds since the session began, by the driver's clock; never falls."""


OfReply = ReplyText | ReplyCalled | ReplyEnded | SpeechReady | ClipEnded | FramesReady | FaceEnded
"""What the stages answer about a reply."""

Event = (
    Joined
    | Rejoined
    | Left
    | Heard
    | TalkPressed
    | TalkReleased
    | Typed
    | Added
    | Removed
    | Truncated
    | Requested
    | Stopped
    | PictureLost
    | Dropped
    | Agreed
    | SpeechStarted
    | SpeechEnded
    | TurnJudged
    | UserSaying
    | UserSaid
    | ReplyText
    | ReplyCalled
    | ReplyEnded
    | SpeechReady
    | ClipEnded
    | FramesReady
    | FaceEnded
    | Played
    | StageFailed
    | Tick
)
