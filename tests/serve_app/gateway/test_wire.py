"""Orders as messages and messages as events."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from serve_app.gateway.wire import Chosen, ClientError, Incoming, Outgoing
from streaming.commands import (
    Audio,
    Cancel,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Hold,
    Notice,
    ReplyDelta,
    Resume,
    Show,
    StateChanged,
    UserCaption,
)
from streaming.events import Heard, Played, TalkPressed, TalkReleased, Typed
from streaming.media import Flag, FramePacket, Kind, Unit, pack, unpack
from streaming.session import ClientOrder
from streaming.stages import Word


def told(order: ClientOrder, *, binary: bool = True) -> list[dict[str, Any] | Unit]:
    """The messages of one order, read back."""
    messages = Outgoing(binary=binary, clock_ms=lambda: 7).of(order)
    return [json.loads(m) if isinstance(m, str) else unpack(m) for m in messages]


def test_every_message_has_the_next_number_whatever_its_form() -> None:
    out = Outgoing(binary=True, clock_ms=lambda: 0)
    first = json.loads(out.event("session.created"))
    (unit,) = out.of(Show(Audio(1, 0, b"\1\0")))
    last = json.loads(out.event("x"))
    assert isinstance(unit, bytes)
    assert (first["event_id"], unpack(unit).seq, last["event_id"]) == ("evt_1", 2, "evt_3")


def test_sound_and_pictures_are_binary_for_our_own_clients() -> None:
    assert told(Show(Audio(3, 2400, b"\1\0"))) == [Unit(Kind.AUDIO, Flag.NONE, 3, 1, 2400, 7, b"\1\0")]
    packets = (FramePacket(0, b"idr", True), FramePacket(960, b"p", False))
    assert told(Show(Frames(3, packets))) == [
        Unit(Kind.VIDEO, Flag.KEY, 3, 1, 0, 7, b"idr"),
        Unit(Kind.VIDEO, Flag.NONE, 3, 2, 960, 7, b"p"),
    ]


def test_stock_clients_get_base64_and_never_a_binary_message() -> None:
    (sound,) = told(Show(Audio(3, 0, b"\1\0")), binary=False)
    assert isinstance(sound, dict)
    assert (sound["type"], base64.b64decode(sound["delta"])) == ("response.output_audio.delta", b"\1\0")
    (picture,) = told(Show(Frames(3, (FramePacket(960, b"jpeg", True),))), binary=False)
    assert isinstance(picture, dict)
    assert (picture["type"], picture["pts"], base64.b64decode(picture["delta"])) == (
        "avatar.video.delta",
        960,
        b"jpeg",
    )


@pytest.mark.parametrize(
    ("order", "kinds"),
    [
        (Hold(1), ["avatar.hold"]),
        (Resume(1), ["avatar.resume"]),
        (Cancel(1), ["avatar.flush"]),
        (HangUp("over"), ["avatar.state"]),
        (Show(StateChanged("listening", 1)), ["avatar.state"]),
        (Show(StateChanged("thinking", 1)), ["response.created", "avatar.state"]),
        (Show(UserCaption("a", final=False)), ["conversation.item.input_audio_transcription.delta"]),
        (Show(UserCaption("a", final=True)), ["conversation.item.input_audio_transcription.completed"]),
        (Show(ReplyDelta(1, "a")), ["response.output_audio_transcript.delta"]),
        (Show(Ended(1, 5, 0)), ["avatar.end", "response.done"]),
        (Show(Cut(1, 5, "a")), ["avatar.cut", "response.done"]),
        (Show(Failed(1, "tts", "a")), ["error"]),
        (Show(Notice(1, "voice", "a")), ["avatar.notice"]),
    ],
)
def test_the_names_of_what_clients_are_told(order: ClientOrder, kinds: list[str]) -> None:
    assert [message["type"] for message in told(order) if isinstance(message, dict)] == kinds


def test_words_travel_before_the_sound_they_belong_to() -> None:
    words, sound = told(Show(Audio(2, 0, b"\1\0", (Word("Hi", 0, 10),))))
    assert isinstance(words, dict) and isinstance(sound, Unit)
    assert words["words"] == [{"text": "Hi", "start": 0, "samples": 10}]


def test_a_microphone_unit_is_heard_at_its_place() -> None:
    unit = Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 640, 0, b"\1\0" * 320)
    assert Incoming().of(pack(unit)) == [Heard(b"\1\0" * 320, 640)]


def test_base64_sound_is_numbered_as_it_comes() -> None:
    incoming = Incoming()
    append = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\1\0" * 4).decode()})
    assert incoming.of(append) == [Heard(b"\1\0" * 4, 0)]
    assert incoming.of(append) == [Heard(b"\1\0" * 4, 4)]
    assert incoming.of('{"type":"input_audio_buffer.clear"}') == [TalkPressed(8)]
    assert incoming.of('{"type":"input_audio_buffer.commit"}') == [TalkReleased(8)]


def test_other_things_a_client_says() -> None:
    item = {"content": [{"type": "input_text", "text": " hello "}]}
    assert Incoming().of(json.dumps({"type": "conversation.item.create", "item": item})) == [Typed("hello")]
    assert Incoming().of('{"type":"avatar.playhead","turn":2,"pts":480}') == [Played(2, 480)]
    assert Incoming().of('{"type":"response.create"}') == []
    assert Incoming().of('{"type":"session.update","session":{"a":1},"event_id":"e"}') == Chosen({"a": 1}, "e")


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        ("{", "invalid_json", "one JSON object"),
        ("[]", "invalid_json", "not list"),
        ('{"type":"dance","event_id":"e1"}', "unknown_event", "'dance'"),
        ('{"type":"avatar.playhead","event_id":"e1"}', "invalid_event", "'turn' is missing"),
        ('{"type":"avatar.playhead","turn":"x","pts":0}', "invalid_event", "invalid literal"),
        ('{"type":"input_audio_buffer.append","audio":"###"}', "invalid_event", "not base64"),
        ('{"type":"input_audio_buffer.append","audio":"AA=="}', "invalid_event", "whole samples"),
        ('{"type":"conversation.item.create","item":{"content":[]}}', "empty_text", "no text"),
        (b"short", "bad_unit", "16 header bytes"),
        (pack(Unit(Kind.VIDEO, Flag.NONE, 0, 0, 0, 0)), "bad_unit", "not video"),
        (pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 0, 0, b"x")), "bad_unit", "whole samples"),
    ],
)
def test_what_cannot_be_understood_is_one_clear_error(message: str | bytes, code: str, says: str) -> None:
    with pytest.raises(ClientError, match=says) as caught:
        Incoming().of(message)
    assert caught.value.code == code


def test_a_message_of_a_hundred_thousand_characters_is_refused_with_the_limit() -> None:
    item = {"content": [{"type": "input_text", "text": "x" * 100_000}]}
    with pytest.raises(ClientError, match="4000 characters"):
        Incoming().of(json.dumps({"type": "conversation.item.create", "item": item}))


def test_an_error_names_the_event_that_caused_it() -> None:
    with pytest.raises(ClientError) as caught:
        Incoming().of('{"type":"dance","event_id":"e1"}')
    error = json.loads(Outgoing(binary=False, clock_ms=lambda: 0).error(caught.value))["error"]
    assert (error["event_id"], error["code"]) == ("e1", "unknown_event")
