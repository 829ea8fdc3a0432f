"""Each message of the service is one typed unit, or none that concerns us."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.gateway.conduct import Conduct
from serve_app.gateway.wire import Outgoing
from serve_app.units import (
    BadMessage,
    Caption,
    Cut,
    End,
    Flush,
    Hold,
    Kept,
    Notice,
    Picture,
    Reader,
    Resume,
    Sound,
    State,
    Text,
    Told,
    Trouble,
    Words,
)
from streaming import commands
from streaming.media import Flag, FramePacket, Kind, Unit, pack
from streaming.stages import Word
from tests.stubs import AVATAR


def told(*orders: Any) -> list[Told]:
    """What a client is told by these orders of a conversation, over the gateway's own wire."""
    outgoing, reader = Outgoing(Conduct("s", AVATAR, own=True), clock_ms=lambda: 0), Reader()
    units = [reader.of(message) for order in orders for message in outgoing.of(order)]
    return [unit for unit in units if unit is not None]


def test_what_the_gateway_writes_is_read_back_as_units() -> None:
    show = commands.Show
    word = Word("Sure", 0, 2400)
    assert told(
        show(commands.UserCaption("what is", final=False)),
        show(commands.StateChanged("thinking", 1)),
        show(commands.ReplyDelta(1, "Sure.")),
        show(commands.Audio(1, 0, b"\1\0" * 2400, (word,))),
        show(commands.Frames(1, (FramePacket(0, b"key", True), FramePacket(960, b"more", False)))),
        show(commands.StateChanged("speaking", 1)),
        commands.Hold(1),
        commands.Resume(1),
        show(commands.Kept(1, 4800)),
        show(commands.Notice(1, "voice", "the face is away")),
        show(commands.Ended(1, 2400, 7)),
        commands.Cancel(1),
        show(commands.Cut(1, 1200, "Su")),
        commands.HangUp("the client left"),
    ) == [
        Caption("what is", False),
        State("thinking", 1),
        Text(1, "Sure."),
        Words(1, (word,)),
        Sound(1, 0, b"\1\0" * 2400),
        Picture(1, 0, b"key", True),
        Picture(1, 960, b"more", False),
        State("speaking", 1),
        Hold(1),
        Resume(1),
        Kept(1, 4800),
        Notice(1, "voice", "the face is away"),
        End(1, 2400, 7),
        Flush(1),
        Cut(1, 1200, "Su"),
        State("closed", 1),
    ]


def test_trouble_says_whose_fault_it_is() -> None:
    assert told(commands.Show(commands.Failed(3, "tts", "the voice is away; try again"))) == [
        Trouble("the voice is away; try again", "tts_failed", False, 3)
    ]
    error = {"type": "invalid_request_error", "code": "long_text", "message": "write less", "param": None}
    assert Reader().of(json.dumps({"type": "error", "error": error})) == Trouble("write less", "long_text", True)


def test_turns_go_on_past_what_sixteen_bits_hold() -> None:
    sound = commands.Show(commands.Audio(65_537, 0, b""))
    assert told(commands.Show(commands.StateChanged("thinking", 65_537)), sound)[-1] == Sound(65_537, 0, b"")
    late = commands.Show(commands.Audio(65_535, 0, b""))
    assert told(commands.Show(commands.StateChanged("thinking", 65_537)), late)[-1] == Sound(65_535, 0, b"")


def test_the_session_is_remembered_as_it_was_last_described() -> None:
    reader = Reader()
    assert reader.of('{"type":"session.created","session":{"id":"a"}}') is None
    assert reader.of('{"type":"session.updated","session":{"id":"b"}}') is None
    assert reader.session == {"id": "b"}


def test_who_comes_back_has_what_came_and_what_was_left_out_on_purpose() -> None:
    reader = Reader()
    reader.of('{"type":"session.created","session":{"id":"a","avatar":{"resume_token":"t"}}}')
    reader.of(pack(Unit(Kind.VIDEO, Flag.KEY, 3, 8, 960, 0, b"picture")))
    reader.of('{"type":"avatar.kept","event_id":"evt_9","turn":3,"pts":4800}')
    reader.of('{"type":"avatar.kept","event_id":"evt_10","turn":3,"pts":960}')
    has = {"turn": 3, "audio_pts": 0, "video_pts": 4800, "last_seq": 10}
    assert reader.hello() == {"session_id": "a", "resume_token": "t", **has}


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"rate_limits.updated"}',
        '{"type":"avatar.dance","turn":1}',
        bytes([9]) + bytes(30),
        bytes([3]) * 16,
        b"",
    ],
)
def test_what_a_newer_server_adds_is_passed_over(message: str | bytes) -> None:
    assert Reader().of(message) is None


def test_a_reply_whose_name_has_no_number_is_the_newest() -> None:
    reader = Reader()
    reader.of('{"type":"avatar.state","state":"thinking","turn":4}')
    delta = {"type": "response.output_audio_transcript.delta", "delta": "Hi", "response_id": "resp_x9"}
    assert reader.of(json.dumps(delta)) == Text(4, "Hi")


@pytest.mark.parametrize("message", ["no json", "[]", "{}", '{"type":"avatar.cut","turn":1}', bytes([2, 0, 1])])
def test_what_cannot_be_read_is_said(message: str | bytes) -> None:
    with pytest.raises(BadMessage):
        Reader().of(message)
