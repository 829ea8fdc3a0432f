"""What a client is told, as typed units: text, sound, pictures and what is to be done with them.

``Reader`` turns the messages of one connection into units. It needs nothing but ``streaming/`` and knows no socket;
docs/protocol.md describes every message. A message of a type that is not known here is passed over, so that an older
client can talk to a newer server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streaming.media import FRAME, Flag, Kind, WireError, samples, unpack
from streaming.stages import Word


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the reply's text."""

    turn: int
    delta: str


@dataclass(frozen=True, slots=True)
class Caption:
    """What the person said, as far as it is understood; each one replaces the last until one is final."""

    text: str
    """Until then it only grows."""
    final: bool
    guess: str = ""
    """What seems to follow; the next one may say otherwise."""


@dataclass(frozen=True, slots=True)
class Sound:
    """The next piece of the reply's sound."""

    turn: int
    pts: int
    """Sample at 24 kHz, counted from the reply's first, at which it begins."""
    pcm: bytes
    """PCM16 mono at 24 kHz."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The next picture of the reply, encoded: one H.264 access unit (Annex B) or one JPEG."""

    turn: int
    pts: int
    """Sample at 24 kHz, counted from the reply's first, at which it is due."""
    data: bytes
    key: bool
    """True if decoding can begin here."""


@dataclass(frozen=True, slots=True)
class Kept:
    """No more pictures come that are due before ``pts``: the newest one stays, and the sound need not wait."""

    turn: int
    pts: int
    """Sample at 24 kHz, counted from the reply's first."""


@dataclass(frozen=True, slots=True)
class Words:
    """When words are heard; starts count from the reply's first sample at 24 kHz."""

    turn: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Fall silent and keep what you have of the reply: somebody may be interrupting."""

    turn: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the held reply."""

    turn: int


@dataclass(frozen=True, slots=True)
class Flush:
    """Drop everything of the reply that was not heard yet."""

    turn: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The reply was interrupted; nothing after ``pts`` counts as said."""

    turn: int
    pts: int
    """Samples at 24 kHz from the reply's first."""
    text: str
    """What was heard."""


@dataclass(frozen=True, slots=True)
class End:
    """Everything of the reply has been sent."""

    turn: int
    pts: int
    """Length of the reply in samples at 24 kHz."""
    idle_frame: int
    """Frame of the idle loop that follows the last picture."""


@dataclass(frozen=True, slots=True)
class State:
    """What the conversation does now: idle, listening, thinking, speaking, held, closed."""

    state: str
    turn: int


@dataclass(frozen=True, slots=True)
class Notice:
    """The reply goes on with less: without pictures (``voice``), without sound (``text``), or with a face that is drawn
    with less effort (``steps``, ``rate``, ``still``); an empty ``rung`` is a face that is drawn as usual again."""

    turn: int
    rung: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong and the session lives: ``error`` is one sentence that says what to do."""

    error: str
    code: str
    ours: bool
    """True if this client sent something wrong, False if the service failed."""
    turn: int = 0


Told = Text | Caption | Sound | Picture | Kept | Words | Hold | Resume | Flush | Cut | End | State | Notice | Trouble
"""All that a client can be told."""


class BadMessage(ValueError):
    """A message of a known type that does not hold what it should: client and server do not fit each other."""


class Reader:
    """Messages of one connection as units. Remembers the session as it was last described, and the newest turn."""

    def __init__(self) -> None:
        self.session: dict[str, Any] = {}
        """What ``session.created`` and ``session.updated`` said."""
        self._turn = 0
        self._seq = 0
        self._has = (0, 0, 0)
        """Turn, sound and pictures: what came of the newest reply."""

    def hello(self) -> dict[str, Any] | None:
        """What takes this conversation up again after a cut; None if the service keeps it not."""
        token = self.session.get("avatar", {}).get("resume_token")
        turn, audio, video = self._has
        has = {"last_seq": self._seq, "turn": turn, "audio_pts": audio, "video_pts": video}
        return {"session_id": self.session["id"], "resume_token": token, **has} if token else None

    def of(self, message: str | bytes) -> Told | None:
        """The unit in a message; None if it holds none for us. Raises BadMessage if it cannot be read."""
        try:
            return self._media(message) if isinstance(message, bytes) else self._event(json.loads(message))
        except WireError as error:
            raise BadMessage(str(error)) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            shown = message[:80] if isinstance(message, str) else f"{len(message)} bytes"
            raise BadMessage(f"a message of the server cannot be read ({error!r}): {shown}") from None

    def _media(self, message: bytes) -> Sound | Picture | None:
        if message[:1] not in _MEDIA:
            return None
        unit = unpack(message)
        self._seq = unit.seq
        # Binary messages count turns modulo 65,536; the one meant is the one nearest to the newest.
        turn = self._turn + (unit.turn - self._turn + 0x8000 & 0xFFFF) - 0x8000
        _, audio, video = self._had(turn)
        if unit.kind is Kind.AUDIO:
            self._has = turn, unit.pts + samples(unit.payload), video
            return Sound(turn, unit.pts, unit.payload)
        self._has = turn, audio, unit.pts + FRAME
        return Picture(turn, unit.pts, unit.payload, Flag.KEY in unit.flags)

    def _had(self, turn: int) -> tuple[int, int, int]:
        return self._has if self._has[0] == turn else (turn, 0, 0)

    def _event(self, event: Mapping[str, Any]) -> Told | None:
        if numbered := re.fullmatch(r"evt_(\d{1,10})", event.get("event_id", "")):
            self._seq = int(numbered[1])
        if "turn" in event:
            self._turn = max(self._turn, int(event["turn"]))
        match event["type"]:
            case "session.created" | "session.updated":
                self.session = dict(event["session"])
                return None
            case "conversation.item.input_audio_transcription.completed":
                return Caption(event["transcript"], final=True)
            case "response.output_audio_transcript.delta":
                return Text(self._turn_of(event), event["delta"])
            case "error":
                return _trouble(event["error"])
            case "avatar.kept":
                kept = Kept(event["turn"], event["pts"])
                turn, audio, video = self._had(kept.turn)
                self._has = turn, audio, max(video, kept.pts)
                return kept
            case str(kind) if kind.startswith("avatar."):
                return _avatar(kind.removeprefix("avatar."), event, self._turn)
            case _:
                return None

    def _turn_of(self, event: Mapping[str, Any]) -> int:
        numbered = re.fullmatch(r"resp_(\d{1,9})", event.get("response_id", ""))
        return int(numbered[1]) if numbered else self._turn


_MEDIA = {bytes([Kind.AUDIO]), bytes([Kind.VIDEO])}


def _avatar(kind: str, event: Mapping[str, Any], newest: int) -> Told | None:
    """A unit out of our own namespace."""
    turn = event.get("turn", newest)
    match kind:
        case "caption":
            return Caption(event["text"], False, event.get("guess", ""))
        case "state":
            return State(event["state"], turn)
        case "words":
            return Words(turn, tuple(Word(word["text"], word["start"], word["samples"]) for word in event["words"]))
        case "hold":
            return Hold(turn)
        case "resume":
            return Resume(turn)
        case "flush":
            return Flush(turn)
        case "cut":
            return Cut(turn, event["pts"], event["text"])
        case "end":
            return End(turn, event["pts"], event["idle_frame"])
        case "notice":
            return Notice(turn, event["rung"], event["reason"])
        case _:
            return None


def _trouble(error: Mapping[str, Any]) -> Trouble:
    mine = error.get("type") == "invalid_request_error"
    return Trouble(error["message"], error.get("code") or "", mine, error.get("turn") or 0)
