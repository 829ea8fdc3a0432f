"""What a client says, as events; and every mistake as one clear error."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.gateway import items
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.reading import BUFFER_MOST, ClientError
from streaming.commands import Audio, Ended, ReplyDelta, Show, StateChanged
from streaming.events import (
    Added,
    Dropped,
    Heard,
    Played,
    Removed,
    Requested,
    Stopped,
    TalkPressed,
    TalkReleased,
    Truncated,
    Typed,
)
from streaming.journal import canonical, decode, encode
from streaming.media import MIC_RATE, Flag, Kind, Unit, pack
from streaming.pace import Pace
from streaming.stages import Said, Tool
from tests.serve_app.gateway.clients import Client

ITEM = "conversation.item"


def message(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}


def sound(samples: int, rate: int = 24_000) -> str:
    tone = np.sin(np.arange(samples) * 2 * np.pi * 200 / rate) * 8000
    return base64.b64encode(tone.astype("<i2").tobytes()).decode()


def replied(client: Client, turn: int = 1) -> str:
    """The client was told a reply of 10 ms; the name of its item."""
    pcm = b"\1\0" * 240
    told = client.told(
        Show(StateChanged("thinking", turn)),
        Show(ReplyDelta(turn, "Hi.")),
        Show(Audio(turn, 0, pcm)),
        Show(Ended(turn, 240, 0)),
    )
    return told[-2]["item"]["id"]


# ---- sound -------------------------------------------------------------------------------------------------


def test_a_microphone_unit_is_heard_at_its_place() -> None:
    unit = pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 640, 0, b"\1\0" * 320))
    assert Client(own=True).incoming.of(unit) == [Heard(b"\1\0" * 320, 640)]


def test_sound_at_24_khz_is_heard_at_16_khz_and_numbered_as_it_comes() -> None:
    client = Client()
    heard = [event for _ in range(10) for event in client.sends("input_audio_buffer.append", audio=sound(2400))]
    assert all(isinstance(event, Heard) for event in heard)
    lengths = [len(event.pcm) // 2 for event in heard]  # type: ignore[union-attr]
    assert 15_900 <= sum(lengths) <= 16_000
    assert [event.at for event in heard] == [sum(lengths[:k]) for k in range(10)]  # type: ignore[union-attr]


def test_telephone_sound_is_heard_too() -> None:
    client = Client()
    client.sends("session.update", session={"audio": {"input": {"format": {"type": "audio/pcma"}}}})
    (heard,) = client.sends("input_audio_buffer.append", audio=base64.b64encode(b"\xd5" * 800).decode())
    assert isinstance(heard, Heard)
    assert 1_500 <= len(heard.pcm) // 2 <= 1_600
    assert np.abs(np.frombuffer(heard.pcm, "<i2")).max() <= 16


def test_a_listening_session_takes_a_commit_as_the_end_of_the_turn_and_a_clear_as_taken_back() -> None:
    client = Client(own=True)
    client.sends("input_audio_buffer.append", audio=sound(160))
    assert client.sends("input_audio_buffer.commit") == [TalkReleased(160)]
    assert client.sends("input_audio_buffer.clear") == [Dropped(), ("input_audio_buffer.cleared", {})]


def test_without_turn_detection_the_whole_turn_comes_with_the_commit() -> None:
    client = Client(own=True)
    client.sends("session.update", session={"audio": {"input": {"turn_detection": None}}})
    for _ in range(3):
        assert client.sends("input_audio_buffer.append", audio=sound(3200)) == []
    pressed, *heard, released = client.sends("input_audio_buffer.commit")
    assert (pressed, released) == (TalkPressed(0, interrupts=False), TalkReleased(9600))
    assert [event.at for event in heard] == [0, 3200, 6400]  # type: ignore[union-attr]
    with pytest.raises(ClientError) as empty:
        client.sends("input_audio_buffer.commit")
    assert empty.value.code == "input_audio_buffer_commit_empty"


def test_a_cleared_buffer_is_empty() -> None:
    client = Client(own=True)
    client.sends("session.update", session={"turn_detection": None})
    client.sends("input_audio_buffer.append", audio=sound(320))
    assert client.sends("input_audio_buffer.clear") == [("input_audio_buffer.cleared", {})]
    client.sends("input_audio_buffer.append", audio=sound(160))
    assert client.sends("input_audio_buffer.commit")[-1] == TalkReleased(160)


def test_a_buffer_that_nobody_commits_does_not_grow_for_ever() -> None:
    client = Client(own=True)
    client.sends("session.update", session={"turn_detection": None})
    client.sends("input_audio_buffer.append", audio=sound(BUFFER_MOST, MIC_RATE))
    with pytest.raises(ClientError, match="60 s"):
        client.sends("input_audio_buffer.append", audio=sound(1))


def test_our_own_button_is_pressed_and_released() -> None:
    client = Client(own=True)
    client.incoming.of(pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 0, 0, b"\1\0" * 320)))
    assert client.sends("avatar.press") == [TalkPressed(320)]
    assert client.sends("avatar.release") == [TalkReleased(320)]
    assert client.sends("avatar.playhead", turn=0, pts=480) == [Played(0, 480)]


def test_a_playhead_of_a_reply_that_never_began_is_the_clients_error() -> None:
    client = Client(own=True)
    client.told(Show(StateChanged("thinking", 1)))
    assert client.sends("avatar.playhead", turn=1, pts=480) == [Played(1, 480)]
    for turn in (2, -1):
        with pytest.raises(ClientError, match=f"there is no reply {turn}; the newest is 1") as error:
            client.sends("avatar.playhead", turn=turn, pts=480)
        assert error.value.code == "unknown_turn"


# ---- items -------------------------------------------------------------------------------------------------


def test_an_item_keeps_the_name_that_the_client_chose_and_its_place() -> None:
    client = Client()
    assert client.sends(f"{ITEM}.create", item=message("hi", id="mine")) == [
        Added(Said("user", "hi", 1, id="mine"), None)
    ]
    assert client.sends(f"{ITEM}.create", item=message("first", id="a"), previous_item_id="root") == [
        Added(Said("user", "first", 1, id="a"), "")
    ]
    assert client.sends(f"{ITEM}.create", item=message("second", id="b"), previous_item_id="a") == [
        Added(Said("user", "second", 1, id="b"), "a")
    ]


def test_what_a_function_gave_is_an_item() -> None:
    item = {"type": "function_call_output", "call_id": "c1", "output": "a cat"}
    (added,) = Client().sends(f"{ITEM}.create", item=item)
    assert added == Added(Said("tool", "a cat", 1, id="item_in_1", call_id="c1"), None)


def test_a_call_that_is_replayed_is_an_item_too() -> None:
    item = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}", "id": "f"}
    assert Client().sends(f"{ITEM}.create", item=item) == [
        Added(Said("call", "{}", 1, id="f", call_id="c1", function="look"), None)
    ]


def test_old_sound_that_is_replayed_counts_with_its_transcript() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "hello"}]}
    client = Client()
    (added,) = client.sends(f"{ITEM}.create", item=item)
    assert isinstance(added, Added) and added.item.text == "hello"
    (told,) = client.sends(f"{ITEM}.retrieve", item_id="item_in_1")
    assert told[1]["item"]["content"] == [{"type": "input_audio", "transcript": "hello"}]  # type: ignore[index]


def test_an_item_can_be_taken_out_by_the_name_the_client_knows() -> None:
    client = Client()
    name = replied(client)
    assert client.sends(f"{ITEM}.delete", item_id=name) == [
        Removed("assistant_1"),
        (f"{ITEM}.deleted", {"item_id": name}),
    ]
    with pytest.raises(ClientError) as gone:
        client.sends(f"{ITEM}.retrieve", item_id=name)
    assert gone.value.code == "item_retrieve_invalid_item_id"


def test_what_the_client_left_unnamed_is_called_the_same_whatever_it_is_told_meanwhile() -> None:
    """A conversation that is taken up reads it again before or after a reply began, or a message was refused."""

    def names(*between: bool) -> list[str]:
        client, named = Client(own=True), []
        for turn, told in enumerate(between, 1):
            if told:
                client.told(Show(StateChanged("thinking", turn)), Show(ReplyDelta(turn, "Hi.")))
                for wrong in ({"item": message("x" * 9_000)}, {"item": message("")}):
                    with suppress(ClientError):
                        client.sends(f"{ITEM}.create", **wrong)
                with suppress(ClientError):
                    client.sends("response.create", response={"input": [message("x"), message("y")], "tools": [5]})
            (typed,) = client.sends("avatar.say", text="hello")
            assert isinstance(typed, Typed)
            named.append(typed.id)
        return named

    assert names(True, False, True) == names(False, True, False) == ["item_in_1", "item_in_2", "item_in_3"]


@pytest.mark.parametrize(("milliseconds", "pts"), [(5, 120), (10, 240), (11, 240), (0, 0)])
def test_a_reply_may_be_truncated_up_to_its_full_length(milliseconds: int, pts: int) -> None:
    client = Client()
    name = replied(client)
    assert client.sends(f"{ITEM}.truncate", item_id=name, content_index=0, audio_end_ms=milliseconds) == [
        Truncated(1, pts)
    ]


def under_way(client: Client) -> dict[str, Any]:
    """A truncation of the reply under way, of which 10 ms were sent."""
    client.told(Show(StateChanged("thinking", 1)), Show(ReplyDelta(1, "Hi.")), Show(Audio(1, 0, b"\1\0" * 240)))
    name = client.conduct.responses[1].message
    return {"item_id": name, "content_index": 0, "audio_end_ms": 5}


def test_a_truncation_that_comes_too_late_does_not_end_the_next_reply() -> None:
    """pipecat truncates whatever is newest when it comes to the interruption, which was the service's own."""
    client = Client()
    late = under_way(client)
    assert client.sends(f"{ITEM}.truncate", **late) == [("conversation.item.truncated", late)]
    client.sends("response.cancel")
    assert client.sends(f"{ITEM}.truncate", **late) == [Truncated(1, 120)]


@pytest.mark.parametrize("detection", [None, {"type": "server_vad", "interrupt_response": False}])
def test_where_the_client_interrupts_a_truncation_ends_the_reply(detection: dict[str, Any] | None) -> None:
    client = Client()
    client.sends("session.update", session={"audio": {"input": {"turn_detection": detection}}})
    assert client.sends(f"{ITEM}.truncate", **under_way(client)) == [Truncated(1, 120)]


# ---- replies -----------------------------------------------------------------------------------------------


def test_a_reply_is_asked_for_with_what_holds_for_it_alone() -> None:
    wanted = {"instructions": "Be kind.", "output_modalities": ["text"], "tools": [{"name": "look"}]}
    assert Client().sends("response.create", response=wanted) == [
        Requested("Be kind.", (Tool("look", "", {"type": "object"}),), True)
    ]
    assert Client().sends("response.create") == [Requested(None, None, False)]
    assert Client().sends("response.create", response={"tool_choice": "none"}) == [Requested(None, (), False)]


def test_two_replies_at_once_are_refused_and_a_cancel_with_none_is_told() -> None:
    client = Client()
    with pytest.raises(ClientError, match=r"^Cancellation failed") as none:
        client.sends("response.cancel")
    assert none.value.code == "response_cancel_not_active"
    client.sends("response.create")
    for _ in range(2):
        with pytest.raises(ClientError) as second:
            client.sends("response.create")
        assert second.value.code == "conversation_already_has_active_response"
        client.told(Show(StateChanged("thinking", 1)))
    assert client.sends("response.cancel") == [Stopped()]


def test_a_typed_message_of_our_own_client_stops_everything_else() -> None:
    assert Client(own=True).sends("avatar.say", text=" hello ") == [Typed("hello", "item_in_1")]


def test_a_message_that_is_said_twice_because_of_a_break_counts_once() -> None:
    client = Client(own=True)
    assert client.sends("avatar.say", text="hello", id="item_x") == [Typed("hello", "item_x")]
    with pytest.raises(ClientError, match="there already"):
        client.sends("avatar.say", text="hello", id="item_x")


def test_whoever_asks_whether_we_are_there_is_answered() -> None:
    assert Client().sends("avatar.ping") == [("avatar.pong", {})]


# ---- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "code", "says"),
    [
        ("{", "invalid_json", "one JSON object"),
        ("[]", "invalid_json", "not list"),
        ("[" * 100_000, "invalid_json", "one JSON object"),
        ('{"type":"avatar.playhead","turn":1,"pts":' + "9" * 5_000 + "}", "invalid_json", "one JSON object"),
        ('{"type":"avatar.playhead","turn":0,"pts":1e999,"event_id":"e1"}', "invalid_event", "finite"),
        ('{"type":"avatar.playhead","turn":0,"pts":NaN}', "invalid_event", "finite"),
        ('{"type":"avatar.playhead","turn":0,"pts":' + "9" * 400 + "}", "invalid_event", "64 bits"),
        ('{"type":"avatar.say","text":"\\ud800","event_id":"e1"}', "invalid_event", "surrogate pair"),
        ('{"type":"avatar.say","text":"\\u0000"}', "invalid_event", "NUL"),
        ('{"type":"session.update","session":{"\\udfff":1}}', "invalid_event", "surrogate pair"),
        ('{"type":"session.update","session":{"x":' + "[" * 200 + "]" * 200 + "}}", "invalid_event", "flatter"),
        ('{"type":"session.update","session":{"x":[' + "0," * 60_000 + "0]}}", "invalid_event", "50,000 values"),
        ('{"type":"session.update","session":{"instructions":5}}', "invalid_value", "a text, not 5"),
        ('{"type":"response.create","response":{"instructions":5}}', "invalid_value", "a text, not 5"),
        ('{"type":"response.create","response":{"tools":[{"name":5}]}}', "invalid_value", "a name each"),
        ('{"type":"response.create","response":{"tools":[{"name":"f","parameters":[1]}]}}', "invalid_value", "schema"),
        ('{"type":"session.update","session":{"tools":[{"name":"f","description":5}]}}', "invalid_value", "a text"),
        (
            '{"type":"session.update","session":{"turn_detection":{"type":"server_vad","create_response":1}}}',
            "invalid_value",
            "true or false, not 1",
        ),
        (
            '{"type":"session.update","session":{"turn_detection":{"type":"server_vad","prefix_padding_ms":true}}}',
            "invalid_value",
            "2000 ms, not True",
        ),
        ('{"type":"dance","event_id":"e1"}', "unknown_event", "'dance'"),
        ('{"type":"avatar.playhead","event_id":"e1"}', "invalid_event", "'turn' is missing"),
        ('{"type":"avatar.playhead","turn":"x","pts":0}', "invalid_event", "invalid literal"),
        ('{"type":"input_audio_buffer.append","audio":"###"}', "invalid_event", "not base64"),
        ('{"type":"input_audio_buffer.append","audio":"AA=="}', "invalid_event", "whole samples"),
        ('{"type":"input_audio_buffer.append","audio":7}', "invalid_event", "argument"),
        ('{"type":"conversation.item.create","item":{"content":[]}}', "empty_text", "no text"),
        ('{"type":"conversation.item.create","item":{"type":"song"}}', "invalid_event", "not 'song'"),
        ('{"type":"conversation.item.create","item":{"role":"cat","content":[]}}', "invalid_event", "not of 'cat'"),
        ('{"type":"conversation.item.create","item":7}', "invalid_event", "int"),
        ('{"type":"conversation.item.delete","item_id":"x"}', "item_delete_invalid_item_id", "no item 'x'"),
        ('{"type":"response.create","response":{"conversation":"mine"}}', "invalid_value", "none"),
        ('{"type":"response.create","response":{"output_modalities":["smell"]}}', "invalid_value", "modalities"),
        ('{"type":"session.update","session":[]}', "invalid_value", "object"),
        ('{"type":"session.update","session":{"turn_detection":{"type":"x"}}}', "invalid_value", "'x'"),
        ('{"type":"session.update","session":{"turn_detection":{"silence_duration_ms":1}}}', "invalid_value", "200"),
        ('{"type":"session.update","session":{"input_audio_format":"mp3"}}', "unknown_format", "'mp3'"),
        ('{"type":"session.update","session":{"avatar":{"video":{"codec":"av1"}}}}', "unknown_codec", "'av1'"),
        ('{"type":"session.update","session":{"tools":[{}]}}', "invalid_value", "a name each"),
        (b"short", "bad_unit", "16 header bytes"),
        (pack(Unit(Kind.VIDEO, Flag.NONE, 0, 0, 0, 0)), "bad_unit", "not video"),
        (pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 0, 0, b"x")), "bad_unit", "whole samples"),
    ],
)
def test_what_cannot_be_understood_is_one_clear_error(sent: str | bytes, code: str, says: str) -> None:
    with pytest.raises(ClientError, match=says) as caught:
        Client(own=True).incoming.of(sent)
    assert caught.value.code == code
    if isinstance(sent, str) and "e1" in sent:
        assert caught.value.event_id == "e1"


def test_binary_messages_are_for_clients_that_offered_them() -> None:
    with pytest.raises(ClientError, match="subprotocol"):
        Client().incoming.of(pack(Unit(Kind.MICROPHONE, Flag.NONE, 0, 0, 0, 0, b"")))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"item": message("x" * 100_000)}, "long_text"),
        ({"item": message("again", id="mine")}, "item_create_duplicate_item_id"),
        ({"item": message("x"), "previous_item_id": "nobody"}, "item_create_invalid_previous_item_id"),
    ],
)
def test_an_item_that_does_not_fit_is_refused_with_the_reason(fields: dict[str, Any], code: str) -> None:
    client = Client()
    client.sends(f"{ITEM}.create", item=message("hi", id="mine"))
    with pytest.raises(ClientError) as caught:
        client.sends(f"{ITEM}.create", **fields)
    assert caught.value.code == code


def test_a_reply_cannot_be_truncated_beyond_its_length_nor_a_message_of_the_person() -> None:
    client = Client()
    name = replied(client)
    with pytest.raises(ClientError, match="already shorter"):
        client.sends(f"{ITEM}.truncate", item_id=name, audio_end_ms=500)
    client.sends(f"{ITEM}.create", item=message("hi", id="mine"))
    with pytest.raises(ClientError, match="no spoken reply"):
        client.sends(f"{ITEM}.truncate", item_id="mine", audio_end_ms=0)


def test_what_has_no_effect_does_not_grow_for_ever() -> None:
    client = Client()
    client.sends("session.update", session={"tracing": "x" * 30_000})
    with pytest.raises(ClientError, match="32,000 characters as JSON; leave it out"):
        client.sends("session.update", session={"prompt": "x" * 30_000})
    assert "x" * 30_000 not in str(client.conduct.described()["prompt"])
    client.sends("session.update", session={"tracing": None, "temperature": 0.8})


def test_what_a_function_gave_may_be_long_but_not_without_end() -> None:
    client = Client()
    gave = {"type": "function_call_output", "call_id": "c1", "output": "x" * 50_000}
    client.sends(f"{ITEM}.create", item=gave)
    with pytest.raises(ClientError, match="may have 100000 characters; this one has 200000"):
        client.sends(f"{ITEM}.create", item={**gave, "output": "x" * 200_000})


def test_a_conversation_that_holds_too_much_takes_more_once_something_is_deleted() -> None:
    client = Client()
    gave = {"type": "function_call_output", "call_id": "c1", "output": "x" * 99_000}
    with pytest.raises(ClientError, match="delete what is old first") as full:
        for _ in range(50):
            client.sends(f"{ITEM}.create", item=gave)
    assert full.value.code == "too_many_items"
    elsewhere = Client()
    elsewhere.conduct.items.recall(client.conduct.items.kept())
    for one in (client, elsewhere):
        with pytest.raises(ClientError, match="delete what is old first"):
            one.sends(f"{ITEM}.create", item=gave)
        one.sends(f"{ITEM}.delete", item_id="item_in_1")
        one.sends(f"{ITEM}.create", item=gave)


def test_there_is_an_end_to_the_number_of_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MOST", 3)
    client = Client()
    with pytest.raises(ClientError, match="delete what is old first"):
        for _ in range(4):
            client.sends(f"{ITEM}.create", item=message("hi"))
    assert replied(client) in client.conduct.items, "what is said is entered all the same"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        *("session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"),
        *(f"{ITEM}.{verb}" for verb in ("create", "retrieve", "delete", "truncate")),
        *("response.create", "response.cancel", "avatar.say", "avatar.press", "avatar.playhead", "nonsense"),
    ]
)
FIELDS = st.sampled_from(
    ["session", "audio", "item", "item_id", "previous_item_id", "response", "text", "turn", "pts", "audio_end_ms"]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(KINDS, st.dictionaries(FIELDS, JSON, max_size=4)), max_size=6))
def test_whatever_is_sent_is_understood_or_one_error(sent: list[tuple[str, dict[str, Any]]]) -> None:
    client = Client()
    for kind, fields in sent:
        try:
            client.sends(kind, **fields)
        except ClientError as error:
            assert str(error)
        json.dumps(client.conduct.described())


DETECTED = ["type", "create_response", "interrupt_response", "silence_duration_ms", "idle_timeout_ms", "eagerness"]
ASKED = ["instructions", "tools", "tool_choice", "max_output_tokens", "output_modalities", "input", "conversation"]
TOOLS = st.lists(
    st.fixed_dictionaries({"name": JSON | st.just("f")}, optional={"parameters": JSON, "description": JSON})
)
LIKELY = JSON | st.sampled_from(["server_vad", "semantic_vad", True, 1, 500, "none", ["text"]]) | TOOLS


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(DETECTED), LIKELY, max_size=3),
    st.dictionaries(st.sampled_from(ASKED), LIKELY, max_size=3),
)
def test_whatever_is_taken_can_be_read_back_when_the_conversation_is_taken_up(
    detection: dict[str, Any], asked: dict[str, Any]
) -> None:
    client = Client(own=True)
    with suppress(ClientError):
        client.sends("session.update", session={"audio": {"input": {"turn_detection": detection}}})
    agreed = client.conduct.wishes.agreed(Pace(), answers=True, judged=True)
    assert decode(json.loads(canonical(encode(agreed)))) == agreed
    with suppress(ClientError):
        for event in client.sends("response.create", response=asked):
            assert decode(json.loads(canonical(encode(event)))) == event


def test_a_schema_that_names_the_limits_of_its_numbers_is_taken() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**64 - 1, "minimum": -(2**63)}}}
    client = Client()
    client.sends("session.update", session={"tools": [{"type": "function", "name": "f", "parameters": schema}]})
    assert client.conduct.wishes.tools[0]["parameters"] == schema


def test_the_session_is_described_as_it_is() -> None:
    conduct = Conduct("s", Client().conduct.avatar, own=False)
    described = conduct.described()
    assert (described["type"], described["audio"]["input"]["format"]["rate"]) == ("realtime", 24_000)
    assert described["audio"]["input"]["turn_detection"]["create_response"] is True


def test_a_choice_that_comes_too_late_changes_nothing_of_how_its_sound_is_read() -> None:
    client = Client(own=True)
    client.conduct.begun = True
    late = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}, "avatar": {"video": {"codec": "jpeg"}}}
    with pytest.raises(ClientError, match="choose the video before the first word") as error:
        client.sends("session.update", event_id="mine", session=late)
    assert error.value.event_id == "mine"
    (heard,) = client.sends("input_audio_buffer.append", audio=sound(320, MIC_RATE))
    assert isinstance(heard, Heard) and len(heard.pcm) == 640
    client.sends("session.update", session={"audio": {"input": {"format": {"type": "audio/pcmu"}}}})
    assert client.conduct.described()["audio"]["input"]["format"]["type"] == "audio/pcmu"
