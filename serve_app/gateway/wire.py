"""Orders and events as they cross the socket: OpenAI Realtime names, our own under ``avatar.``, media in binary.

Pure: an order in, messages out; a message in, events out. What a message means for the conversation is decided
there, not here. docs/protocol.md describes every name.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, assert_never

from streaming.commands import (
    Audio,
    Cancel,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Hold,
    Message,
    Notice,
    ReplyDelta,
    Resume,
    Show,
    StateChanged,
    UserCaption,
)
from streaming.events import Event, Heard, Played, TalkPressed, TalkReleased, Typed
from streaming.media import Flag, Kind, Unit, WireError, pack, samples, unpack
from streaming.session import ClientOrder

SUBPROTOCOL = "realtime-avatar.v1"
"""Offered by clients that take media as binary messages on the same socket."""

TEXT_MOST = 4_000
"""Characters of one typed message."""


class ClientError(ValueError):
    """A message that the client should not have sent; it is told so and the session goes on."""

    def __init__(self, code: str, message: str, event_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Chosen:
    """A ``session.update``: what the client wants of the session."""

    session: dict[str, Any]
    event_id: str | None


class Outgoing:
    """Orders of one session as messages, numbered. ``binary`` False gives media as base64 in JSON."""

    def __init__(self, *, binary: bool, clock_ms: Callable[[], int]) -> None:
        self._binary = binary
        self._clock_ms = clock_ms
        self._seq = 0

    def event(self, kind: str, **fields: Any) -> str:
        """One JSON event with the next number."""
        self._seq += 1
        return json.dumps({"type": kind, "event_id": f"evt_{self._seq}", **fields}, separators=(",", ":"))

    def error(self, error: ClientError) -> str:
        """What the client did wrong."""
        told = {
            "type": "invalid_request_error",
            "code": error.code,
            "message": str(error),
            "param": None,
            "event_id": error.event_id,
        }
        return self.event("error", error=told)

    def of(self, order: ClientOrder) -> list[str | bytes]:
        """The messages that tell a client of this order."""
        match order:
            case Show(message):
                return self._shown(message)
            case Hold(turn):
                return [self.event("avatar.hold", turn=turn)]
            case Resume(turn):
                return [self.event("avatar.resume", turn=turn)]
            case Cancel(turn):
                return [self.event("avatar.flush", turn=turn)]
            case HangUp(reason):
                return [self.event("avatar.state", state="closed", reason=reason)]
            case _:  # pragma: no cover - the type checker refuses a forgotten order
                assert_never(order)

    def _shown(self, message: Message) -> list[str | bytes]:
        match message:
            case StateChanged(state, turn):
                begun = [self._response("response.created", turn, "in_progress")] if state == "thinking" else []
                return [*begun, self.event("avatar.state", state=state, turn=turn)]
            case UserCaption(text, final):
                kind = "completed" if final else "delta"
                field = {"transcript": text} if final else {"delta": text}
                return [self.event(f"conversation.item.input_audio_transcription.{kind}", **field)]
            case ReplyDelta(turn, text):
                return [self._delta("response.output_audio_transcript.delta", turn, delta=text)]
            case Audio():
                return self._audio(message)
            case Frames():
                return self._frames(message)
            case Ended(turn, pts, idle_frame):
                end = self.event("avatar.end", turn=turn, pts=pts, idle_frame=idle_frame)
                return [end, self._response("response.done", turn, "completed")]
            case Cut(turn, pts, text):
                cut = self.event("avatar.cut", turn=turn, pts=pts, text=text)
                return [cut, self._response("response.done", turn, "cancelled")]
            case Failed(turn, stage, reason):
                told = {"type": "server_error", "code": f"{stage}_failed", "message": reason, "turn": turn}
                return [self.event("error", error=told)]
            case Notice(turn, rung, reason):
                return [self.event("avatar.notice", turn=turn, rung=rung, reason=reason)]
            case _:  # pragma: no cover - the type checker refuses a forgotten message
                assert_never(message)

    def _response(self, kind: str, turn: int, status: str) -> str:
        return self.event(kind, response={"id": f"resp_{turn}", "object": "realtime.response", "status": status})

    def _delta(self, kind: str, turn: int, **fields: Any) -> str:
        place = {"response_id": f"resp_{turn}", "item_id": f"item_{turn}", "output_index": 0, "content_index": 0}
        return self.event(kind, **place, **fields)

    def _audio(self, audio: Audio) -> list[str | bytes]:
        messages: list[str | bytes] = []
        if audio.words:
            words = [asdict(word) for word in audio.words]
            messages.append(self.event("avatar.words", turn=audio.turn, words=words))
        if self._binary:
            messages.append(self._unit(Kind.AUDIO, Flag.NONE, audio.turn, audio.pts, audio.pcm))
        else:
            sound = base64.b64encode(audio.pcm).decode()
            messages.append(self._delta("response.output_audio.delta", audio.turn, delta=sound))
        return messages

    def _frames(self, frames: Frames) -> list[str | bytes]:
        if self._binary:
            return [
                self._unit(Kind.VIDEO, Flag.KEY if p.key else Flag.NONE, frames.turn, p.pts, p.data)
                for p in frames.packets
            ]
        return [
            self._delta(
                "avatar.video.delta", frames.turn, pts=p.pts, key=p.key, delta=base64.b64encode(p.data).decode()
            )
            for p in frames.packets
        ]

    def _unit(self, kind: Kind, flags: Flag, turn: int, pts: int, payload: bytes) -> bytes:
        self._seq += 1
        return pack(Unit(kind, flags, turn, self._seq, pts, self._clock_ms(), payload))


class Incoming:
    """Messages of one client as events. Remembers only where its microphone is."""

    def __init__(self) -> None:
        self._mic = 0

    def of(self, message: str | bytes) -> list[Event] | Chosen:
        """What a message says. Raises ClientError for one that says nothing we know."""
        return self._unit(message) if isinstance(message, bytes) else self._json(message)

    def _unit(self, message: bytes) -> list[Event]:
        try:
            unit = unpack(message)
            count = samples(unit.payload)
        except (WireError, ValueError) as error:
            raise ClientError("bad_unit", str(error)) from None
        if unit.kind is not Kind.MICROPHONE:
            raise ClientError("bad_unit", f"clients send microphone units (16), not {unit.kind.name.lower()} units")
        self._mic = max(self._mic, unit.pts + count)
        return [Heard(unit.payload, unit.pts)]

    def _json(self, message: str) -> list[Event] | Chosen:
        event = _parsed(message)
        event_id = event.get("event_id")
        try:
            return self._event(event)
        except ClientError as error:
            raise ClientError(error.code, str(error), event_id) from None
        except (KeyError, TypeError, ValueError) as error:
            raise ClientError("invalid_event", f"{event.get('type')}: {_what(error)}", event_id) from None

    def _event(self, event: dict[str, Any]) -> list[Event] | Chosen:
        match event.get("type"):
            case "session.update":
                return Chosen(dict(event["session"]), event.get("event_id"))
            case "input_audio_buffer.append":
                pcm = base64.b64decode(event["audio"], validate=True)
                at, self._mic = self._mic, self._mic + samples(pcm)
                return [Heard(pcm, at)]
            case "input_audio_buffer.clear":
                return [TalkPressed(self._mic)]
            case "input_audio_buffer.commit":
                return [TalkReleased(self._mic)]
            case "conversation.item.create":
                return [Typed(_typed(event["item"]))]
            case "response.create":
                return []  # a reply begins by itself when the person's turn is over
            case "avatar.playhead":
                return [Played(int(event["turn"]), int(event["pts"]))]
            case other:
                raise ClientError("unknown_event", f"no event of type {other!r}; docs/protocol.md lists all")


def _parsed(message: str) -> dict[str, Any]:
    try:
        event = json.loads(message)
    except json.JSONDecodeError as error:
        raise ClientError("invalid_json", f"a text message is one JSON object: {error}") from None
    if not isinstance(event, dict):
        raise ClientError("invalid_json", f"a text message is one JSON object, not {type(event).__name__}")
    return event


def _typed(item: dict[str, Any]) -> str:
    text = " ".join(part["text"] for part in item["content"] if part.get("type") == "input_text").strip()
    if not text:
        raise ClientError("empty_text", "the message has no text; write something first")
    if len(text) > TEXT_MOST:
        raise ClientError("long_text", f"a message may have {TEXT_MOST} characters; this one has {len(text)}")
    return text


def _what(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    if isinstance(error, binascii.Error):
        return "the audio is not base64"
    return str(error)
