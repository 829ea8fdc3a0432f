"""What the conversation may ask for: orders, in the imperative, and the messages that clients are shown.

Nothing here acts either. The driver (session.py) carries the orders out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streaming.events import StageName
from streaming.media import FramePacket
from streaming.stages import FaceState, History, Rung, Said, Span, Tool, ToolCall, Usage, Word

State = Literal["idle", "listening", "thinking", "speaking", "held"]
"""What the conversation is doing; ``held`` is a reply that waits while somebody may be interrupting."""


# ---- what a client is shown --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The conversation is doing something else now."""

    state: State
    turn: int


@dataclass(frozen=True, slots=True)
class UserCaption:
    """What the person said, as far as it is understood."""

    text: str
    """While it is not final, the words that will not change any more until it is."""
    final: bool
    guess: str = ""
    """What seems to follow ``text``; the next caption may say otherwise."""


@dataclass(frozen=True, slots=True)
class ReplyDelta:
    """The next piece of the reply's text."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Audio:
    """The next piece of the reply's sound."""

    turn: int
    pts: int
    pcm: bytes
    """PCM16 mono at 24 kHz."""
    words: tuple[Word, ...] = ()
    """Words that begin in this piece; starts count from the reply's first sample."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The next pictures of the reply, in order of pts."""

    turn: int
    packets: tuple[FramePacket, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """No more pictures come that are due before ``pts``: the newest one stays on the screen."""

    turn: int
    pts: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The reply is complete: everything up to ``pts`` was sent."""

    turn: int
    pts: int
    """Length of the reply in samples at 24 kHz."""
    idle_frame: int
    """Frame of the idle loop that follows the reply's last picture."""
    usage: Usage | None = None
    """None: the language model did not count."""
    limited: bool = False
    """It has all the pieces that it may have, and no end of its own."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The reply was interrupted; nothing after ``pts`` counts as said."""

    turn: int
    pts: int
    text: str
    """What was heard."""
    usage: Usage | None = None
    """None: the language model did not count, or had not come to its end."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Less of a reply was heard than was thought; nothing after ``pts`` counts as said."""

    turn: int
    pts: int
    text: str
    """What was heard."""


@dataclass(frozen=True, slots=True)
class AsideBegun:
    """A reply beside the conversation begins; its turn is below 0, and they are numbered -1, -2, in the order asked."""

    turn: int


@dataclass(frozen=True, slots=True)
class Waited:
    """Nobody spoke for as long as was agreed since the last reply was heard: what follows is an empty turn."""

    start: int
    """Sample at 16 kHz, counted from the session's first."""
    stop: int


@dataclass(frozen=True, slots=True)
class Called:
    """The reply asks for a function."""

    turn: int
    name: str
    """Of the item."""
    call: ToolCall


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong, said once; the conversation goes on."""

    turn: int
    stage: StageName
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """The reply goes on with less, or with all again: ``rung`` names what is left."""

    turn: int
    rung: Literal[Rung, "voice", "text", "warming"]
    """Of the face under load, or that only the voice is left, or the text; or a stage is being started."""
    reason: str


Message = (
    StateChanged
    | UserCaption
    | ReplyDelta
    | Audio
    | Frames
    | Kept
    | Ended
    | Cut
    | Trimmed
    | AsideBegun
    | Waited
    | Called
    | Failed
    | Notice
)


# ---- orders ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Recognise this utterance. Answered by UserSaying, or by UserSaid if ``final``."""

    audio: bytes
    """PCM16 mono at 16 kHz, from a little before the first voiced sample."""
    until: int
    """Sample at 16 kHz after the last of ``audio``, counted from the session's first."""
    final: bool
    language: str | None
    """ISO 639-1 of what is spoken, as far as the conversation knows; None: find out."""


@dataclass(frozen=True, slots=True)
class JudgeTurn:
    """Let the judge say whether the turn sounds complete at a pause. Answered by TurnJudged, or by nothing."""

    audio: bytes
    """PCM16 mono at 16 kHz: the end of the utterance, and of the pause what is heard of it already."""
    at: int
    """The pause's SpeechEnded.at."""
    complete_from: float
    """Least probability of a complete turn."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Let the language model write reply ``turn``."""

    turn: int
    history: History
    instructions: str | None = None
    """None is what was agreed with the client, as are ``tools`` and ``most``."""
    tools: tuple[Tool, ...] | None = None
    most: int | None = None
    """Pieces of text and calls to take; the language model is stopped when it has one more."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Let the voice speak a clip."""

    turn: int
    clip: int
    text: str
    seed: int
    skip: int = 0
    """Samples at 24 kHz that arrived from an earlier attempt: the driver drops them from the repeated call."""
    language: str = ""
    """ISO 639-1 of the text, as far as it tells; empty: it does not."""
    likely: str = ""
    """What the person speaks; empty: not known."""
    turned: bool = False
    """True for the first clip of a reply, and for the first in another language than the one before."""


@dataclass(frozen=True, slots=True)
class Animate:
    """Let the face draw a span."""

    turn: int
    span: Span
    state: FaceState | None


@dataclass(frozen=True, slots=True)
class Show:
    """Give the client a message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Hold:
    """Stop sending reply ``turn`` and let the client fall silent at once; it may go on."""

    turn: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with a held reply."""

    turn: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop every call made for reply ``turn`` and let the client drop what it holds of it."""

    turn: int


@dataclass(frozen=True, slots=True)
class Remember:
    """Store an item of the conversation; one of the same name is replaced."""

    item: Said
    after: str | None = None
    """Name of the item before it: "" puts it at the head, None at the end."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Erase an item of the conversation."""

    name: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the session."""

    reason: str


Command = Transcribe | JudgeTurn | Ask | Speak | Animate | Show | Hold | Resume | Cancel | Remember | Forget | HangUp
