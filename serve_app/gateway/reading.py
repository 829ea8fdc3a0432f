"""Messages of one client as events, and what it is answered at once.

Pure. A mistake of the client's is a ClientError that names the event; the session goes on. What is told of replies
is in wire.py.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from serve_app.gateway.asking import asked_for
from serve_app.gateway.audio import FromClient
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.items import said_by, shown
from serve_app.gateway.ladder import Told
from serve_app.gateway.parsing import check_plain, parsed
from serve_app.gateway.wishes import ClientError
from serve_app.persona import Cast
from streaming.events import (
    Added,
    Dropped,
    Event,
    Heard,
    PictureLost,
    Played,
    Removed,
    Stopped,
    TalkPressed,
    TalkReleased,
    Truncated,
    Typed,
)
from streaming.media import MIC_RATE, RATE, Kind, WireError, samples, unpack
from streaming.stages import Avatar

TEXT_MOST = 4_000
"""Characters of one item."""
OUTPUT_MOST = 100_000
"""Characters of what a function gave: a long page, and three times what a small language model reads."""
BUFFER_MOST = 60 * MIC_RATE
"""Samples of a turn that the client ends itself: what one call of recognition can take."""
PONG = "avatar.pong"
"""The answer to a client that asks whether we are there; it tells nothing and is not kept."""
BLOCK = MIC_RATE // 5
"""Samples of one Heard when a whole turn comes at once: the listener judges 200 ms at a time."""

ASIDES_MOST = 4
"""Replies beside the conversation at once: each holds the language model for as long as it takes."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The client wants a conversation back that it was cut off from."""

    session: str
    token: str
    last_seq: int
    """Number of the last message that it got."""
    turn: int
    """The newest reply that it has media of; 0 if of none."""
    audio: int
    """Samples at 24 kHz of that reply's sound that it got."""
    video: int
    """Sample at which the first picture is due that it did not get."""


Answer = Event | Told | Hello


class Incoming:
    """Reads what one client sends."""

    def __init__(self, conduct: Conduct) -> None:
        self._conduct = conduct
        self._form = conduct.wishes.heard
        self._from_client = FromClient(self._form)
        self._mic = 0
        self._buffer = bytearray()
        self._fresh = False
        """True once sound came since the last commit."""

    def of(self, sent: str | bytes) -> list[Answer]:
        """What a message leads to. Raises ClientError for one that says nothing we know."""
        if isinstance(sent, bytes):
            return self._unit(sent)
        event = parsed(sent)
        given = event.get("event_id")
        event_id = given if isinstance(given, str) else None
        unnamed = self._conduct.items.unnamed
        try:
            check_plain(event)
            return self._event(event)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            self._conduct.items.unnamed = unnamed  # what is refused is not read again when the conversation is taken up
            if isinstance(error, ClientError):
                raise ClientError(error.code, str(error), event_id, error.param) from None
            raise ClientError("invalid_event", f"{event.get('type')}: {_what(error)}", event_id) from None

    def _unit(self, sent: bytes) -> list[Answer]:
        if not self._conduct.own:
            raise ClientError("bad_unit", "binary messages need the subprotocol realtime-avatar.v1; send JSON")
        try:
            unit = unpack(sent)
            count = samples(unit.payload)
        except (WireError, ValueError) as error:
            raise ClientError("bad_unit", str(error)) from None
        if unit.kind is not Kind.MICROPHONE:
            raise ClientError("bad_unit", f"clients send microphone units (16), not {unit.kind.name.lower()} units")
        self._mic = max(self._mic, unit.pts + count)
        return [Heard(unit.payload, unit.pts)]

    def _event(self, event: dict[str, Any]) -> list[Answer]:
        conduct = self._conduct
        match event.get("type"):
            case "session.update":
                return self._update(event["session"])
            case "input_audio_buffer.append":
                return self._append(base64.b64decode(event["audio"], validate=True))
            case "input_audio_buffer.commit":
                return self._commit()
            case "input_audio_buffer.clear":
                self._buffer.clear()
                return [*([Dropped()] if conduct.wishes.live else []), ("input_audio_buffer.cleared", {})]
            case "conversation.item.create":
                return [self._added(dict(event["item"]), event.get("previous_item_id"))]
            case "conversation.item.retrieve":
                return [("conversation.item.retrieved", {"item": conduct.items[self._known(event, "retrieve")]})]
            case "conversation.item.delete":
                name = self._known(event, "delete")
                own = conduct.items.own(name)
                conduct.items.drop(name)
                return [Removed(own), ("conversation.item.deleted", {"item_id": name})]
            case "conversation.item.truncate":
                return self._truncate(self._known(event, "truncate"), event["audio_end_ms"])
            case "response.create":
                return self._respond(event.get("response") or {})
            case "response.cancel" | "output_audio_buffer.clear":
                return self._cancel(event.get("response_id"))
            case _:
                return self._avatar(event)

    def _avatar(self, event: dict[str, Any]) -> list[Answer]:
        match event.get("type"):
            case "avatar.press":
                return [TalkPressed(self._mic)]
            case "avatar.release":
                return [TalkReleased(self._mic)]
            case "avatar.ping":
                return [(PONG, {})]
            case "avatar.say":
                return self._say(str(event["text"]), event.get("id"))
            case "avatar.keyframe":
                return [PictureLost()]
            case "avatar.playhead":
                return [Played(self._turn(int(event["turn"])), int(event["pts"]))]
            case "avatar.hello":
                return [self._hello(event)]
            case other:
                raise ClientError("unknown_event", f"no event of type {other!r}; docs/protocol.md lists all")

    def _turn(self, turn: int) -> int:
        newest = max(self._conduct.responses, default=0)
        if not 0 <= turn <= max(newest, 0):
            raise ClientError("unknown_turn", f"there is no reply {turn}; the newest is {max(newest, 0)}", param="turn")
        return turn

    def _hello(self, event: dict[str, Any]) -> Hello:
        if not self._conduct.own:
            raise ClientError("cannot_resume", "only clients of realtime-avatar.v1 can take a conversation up again")
        numbers = [int(event.get(name) or 0) for name in ("last_seq", "turn", "audio_pts", "video_pts")]
        if min(numbers) < 0:
            raise ValueError("last_seq, turn, audio_pts and video_pts are not negative")
        return Hello(str(event["session_id"]), str(event["resume_token"]), *numbers)

    # ---- the session and its sound -------------------------------------------------------------------------

    def _update(self, session: Any) -> list[Answer]:
        if not isinstance(session, dict):
            raise ClientError("invalid_value", "session is an object", param="session")
        conduct = self._conduct
        conduct.choose(conduct.wishes.with_update(session))
        if conduct.wishes.heard != self._form:
            self._form = conduct.wishes.heard
            self._from_client = FromClient(self._form)
        return [("session.updated", {"session": conduct.described()})]

    def _append(self, data: bytes) -> list[Answer]:
        if self._conduct.own and len(data) % 2:
            raise ValueError("the audio holds half a sample; PCM16 comes in whole samples of 2 bytes")
        pcm = self._from_client.take(data)
        self._fresh = self._fresh or bool(pcm)
        if not pcm:
            return []
        if self._conduct.wishes.live:
            return self._heard(pcm)
        if len(self._buffer) // 2 + samples(pcm) > BUFFER_MOST:
            raise ClientError("buffer_full", "the buffer holds 60 s already; commit or clear it", param="audio")
        self._buffer += pcm
        return []

    def _heard(self, pcm: bytes) -> list[Answer]:
        at, self._mic = self._mic, self._mic + samples(pcm)
        return [Heard(pcm, at)]

    def _commit(self) -> list[Answer]:
        if not self._fresh:
            code = "input_audio_buffer_commit_empty"
            raise ClientError(code, "Error committing input audio buffer: the buffer is empty; append sound first")
        self._fresh = False
        if self._conduct.wishes.live:
            return [TalkReleased(self._mic)]
        whole, self._buffer = bytes(self._buffer), bytearray()
        begun = self._mic
        blocks = [whole[at : at + 2 * BLOCK] for at in range(0, len(whole), 2 * BLOCK)]
        heard = [event for block in blocks for event in self._heard(block)]
        self._conduct.spoke_from, self._conduct.spoke_until = begun, self._mic
        return [TalkPressed(begun, interrupts=False), *heard, TalkReleased(self._mic)]

    # ---- items ---------------------------------------------------------------------------------------------

    def _added(self, item: dict[str, Any], after: Any) -> Added:
        conduct = self._conduct
        name = item.get("id") or conduct.items.name_for_client()
        if not isinstance(name, str) or name in conduct.items:
            raise ClientError(
                "item_create_duplicate_item_id", f"an item called {name!r} is there already", param="item.id"
            )
        if after not in (None, "root") and after not in conduct.items:
            raise ClientError(
                "item_create_invalid_previous_item_id", f"there is no item {after!r}", param="previous_item_id"
            )
        item["id"] = name
        said = said_by(item, max([0, *conduct.responses]) + 1)
        if not said.text and said.role != "tool" and not _has_sound(item):
            raise ClientError("empty_text", "the message has no text; write something first", param="item.content")
        most = OUTPUT_MOST if said.role == "tool" else TEXT_MOST
        if len(said.text) > most:
            raise ClientError("long_text", f"a message may have {most} characters; this one has {len(said.text)}")
        entered = shown(item, said)
        if not conduct.items.room_for(entered):
            raise ClientError("too_many_items", "the conversation holds as much as it may; delete what is old first")
        place = "" if after == "root" else after
        conduct.items.put(entered, name, place)
        conduct.added.add(name)
        own = conduct.items.own(place) if place else place
        return Added(said, own)

    def _say(self, text: str, name: str | None) -> list[Answer]:
        """A typed message for which everything else stops. ``name``: what a client calls it that may say it twice."""
        item = {
            "id": name,
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text.strip()}],
        }
        said = self._added(item, None).item
        self._conduct.waiting = self._conduct.usual
        self._conduct.stopped = max([0, *self._conduct.responses])
        return [Typed(said.text, said.id)]

    def _known(self, event: dict[str, Any], verb: str) -> str:
        name = event["item_id"]
        if name not in self._conduct.items:
            code = f"item_{verb}_invalid_item_id"
            raise ClientError(code, f"Error in {verb}: there is no item {name!r}", param="item_id")
        return name

    def _truncate(self, name: str, audio_end_ms: Any) -> list[Answer]:
        response = self._conduct.response_of(name)
        if response is None:
            raise ClientError(
                "item_truncate_invalid_item_id", f"{name} is no spoken reply, or an old one", param="item_id"
            )
        pts = int(audio_end_ms) * (RATE // 1000)
        if pts < 0 or pts > response.samples + RATE // 1000:
            length = response.samples * 1000 // RATE
            raise ClientError(
                "invalid_value",
                f"Audio content of {length} ms is already shorter than {audio_end_ms} ms",
                param="audio_end_ms",
            )
        if self._conduct.wishes.interrupts and not response.over and self._conduct.stopped != response.turn:
            # It was meant for the reply before: a client that hears late of our own interruption names the newest one.
            place = {"item_id": name, "content_index": 0, "audio_end_ms": int(audio_end_ms)}
            return [("conversation.item.truncated", place)]
        self._conduct.stopped = response.turn
        return [Truncated(response.turn, min(pts, response.samples))]

    def _respond(self, wanted: dict[str, Any]) -> list[Answer]:
        conduct = self._conduct
        asked, requested = asked_for(wanted, conduct)
        if asked.apart and asked.silent:
            if conduct.aside >= ASIDES_MOST:
                says = f"{ASIDES_MOST} responses beside the conversation are under way; wait for one to be done"
                raise ClientError("too_many_responses", says)
            conduct.asides.append(asked)
            return [requested]
        if conduct.active is not None or conduct.waiting:
            code = "conversation_already_has_active_response"
            raise ClientError(code, "Conversation already has an active response; wait for response.done or cancel it")
        conduct.waiting = asked
        return [requested]

    def _cancel(self, name: Any) -> list[Answer]:
        conduct = self._conduct
        active = conduct.active
        named = next((one for one in conduct.responses.values() if one.id == name and not one.over), None)
        response = active if name is None else named
        if response is None:
            raise ClientError("response_cancel_not_active", "Cancellation failed: no active response found")
        if response.turn < 0:
            return [Stopped(response.turn)]
        conduct.stopped = response.turn
        return [Stopped()]


def check_session(session: dict[str, Any], cast: Cast) -> None:
    """Raise ClientError if this is no ``session`` for a first ``session.update``."""
    nobody = Avatar("", 2, 2, 2, 2)
    Incoming(Conduct("", nobody, own=False, cast=cast)).of(json.dumps({"type": "session.update", "session": session}))


def _has_sound(item: dict[str, Any]) -> bool:
    return any(part.get("type") == "input_audio" for part in item.get("content", ()))


def _what(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    if isinstance(error, binascii.Error):
        return "the audio is not base64"
    return str(error)
