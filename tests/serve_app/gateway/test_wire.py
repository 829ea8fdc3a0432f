"""What a client is told: the ladder of a response, items as they are stored, and media."""

from __future__ import annotations

import base64
import json

import pytest

from serve_app.gateway.reading import ClientError
from serve_app.gateway.wire import KEPT, of_error
from streaming.commands import (
    Audio,
    Called,
    Cancel,
    Cut,
    Ended,
    Failed,
    Frames,
    HangUp,
    Hold,
    Kept,
    Notice,
    Remember,
    ReplyDelta,
    Resume,
    Show,
    StateChanged,
    Trimmed,
    UserCaption,
)
from streaming.events import Added
from streaming.media import Flag, FramePacket, Kind, Unit
from streaming.session import ClientOrder
from streaming.stages import Said, ToolCall, Word
from tests.serve_app.gateway.clients import Client

ITEM = "conversation.item"
THINKING = Show(StateChanged("thinking", 1))
REPLY = (THINKING, Show(ReplyDelta(1, "Hi.")), Show(Audio(1, 0, b"\1\0" * 240)), Show(Ended(1, 240, 0)))


# ---- a response --------------------------------------------------------------------------------------------


def test_a_reply_climbs_the_whole_ladder_with_its_ids_in_order() -> None:
    client = Client()
    told = client.told(*REPLY)
    assert [message["type"] for message in told] == [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        f"{ITEM}.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        f"{ITEM}.done",
        "response.done",
    ]
    assert [message["event_id"] for message in told] == [f"evt_{k}" for k in range(1, 14)]
    response = told[-1]["response"]
    assert (response["id"], response["status"]) == ("resp_1", "completed")
    assert response["output"] == [told[-2]["item"]]
    assert told[-2]["item"]["content"] == [{"type": "output_audio", "transcript": "Hi."}]
    assert {m["item_id"] for m in told if "item_id" in m} == {told[-2]["item"]["id"]}


def test_a_text_only_reply_has_text_parts_and_no_sound() -> None:
    client = Client()
    client.sends("session.update", session={"output_modalities": ["text"]})
    told = client.told(THINKING, Show(ReplyDelta(1, "Hi.")), Show(Ended(1, 0, 0)))
    assert [m["type"] for m in told if m["type"].startswith("response.output_text")] == [
        "response.output_text.delta",
        "response.output_text.done",
    ]
    assert told[-1]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "Hi."}]
    assert told[-1]["response"]["output_modalities"] == ["text"]


def test_a_reply_that_asks_for_a_function_names_it_and_its_arguments() -> None:
    client = Client()
    call = ToolCall("c1", "look", '{"at":"sky"}')
    told = client.told(THINKING, Show(Called(1, "call_1_0", call)), Show(Ended(1, 0, 0)))
    assert [m["type"] for m in told][2:-1] == [
        "response.output_item.added",
        f"{ITEM}.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        f"{ITEM}.done",
    ]
    (item,) = told[-1]["response"]["output"]
    assert (item["type"], item["call_id"], item["name"], item["arguments"]) == (
        "function_call",
        "c1",
        "look",
        '{"at":"sky"}',
    )
    assert client.conduct.items.own(item["id"]) == "call_1_0"


def test_an_interrupted_reply_is_shown_with_what_was_heard_of_it() -> None:
    client = Client()
    told = client.told(*REPLY[:3], Cancel(1), Show(Cut(1, 120, "Hi")))
    response = told[-1]["response"]
    assert (response["status"], response["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hi"}]
    assert response["output"][0]["status"] == "incomplete"


def test_the_speech_that_interrupts_a_reply_is_told_of_before_the_reply_is_over_and_only_once() -> None:
    client = Client()
    client.told(*REPLY[:3])
    kinds = client.kinds(Cancel(1), Show(Cut(1, 120, "Hi")), Show(StateChanged("listening", 1)))
    assert (kinds[0], kinds[-1]) == ("input_audio_buffer.speech_started", "response.done")
    assert kinds.count("input_audio_buffer.speech_started") == 1


def test_a_reply_that_the_client_stops_was_not_interrupted_by_speech() -> None:
    client = Client()
    client.told(*REPLY[:3])
    client.sends("response.cancel")
    told = client.told(Cancel(1), Show(Cut(1, 120, "Hi")))
    assert "input_audio_buffer.speech_started" not in [message["type"] for message in told]
    assert told[-1]["response"]["status_details"]["reason"] == "client_cancelled"


def test_a_reply_that_was_cut_before_its_first_word_has_no_item() -> None:
    assert Client().kinds(THINKING, Show(Cut(1, 0, ""))) == [
        "response.created",
        "rate_limits.updated",
        "input_audio_buffer.speech_started",
        "response.done",
    ]


def test_a_reply_that_was_sent_is_done_only_once() -> None:
    client = Client()
    client.told(*REPLY)
    assert client.kinds(Cancel(1), Show(Cut(1, 100, "H"))) == ["input_audio_buffer.speech_started"]


def test_a_client_that_reports_what_it_heard_is_told_that_the_item_is_shorter() -> None:
    client = Client()
    name = client.told(*REPLY)[-2]["item"]["id"]
    (told,) = client.told(Show(Trimmed(1, 120, "H")))
    assert (told["type"], told["item_id"], told["audio_end_ms"]) == (f"{ITEM}.truncated", name, 5)
    assert client.conduct.items[name]["content"] == [{"type": "output_audio", "transcript": "H"}]
    assert client.kinds(Show(Trimmed(9, 0, ""))) == []


def test_the_metadata_of_a_request_comes_back_with_its_response() -> None:
    client = Client()
    client.sends("response.create", response={"metadata": {"client_event_id": "x"}})
    told = client.told(*REPLY)
    assert told[0]["response"]["metadata"] == told[-1]["response"]["metadata"] == {"client_event_id": "x"}
    assert client.told(Show(StateChanged("thinking", 2)))[0]["response"]["metadata"] is None


def test_a_held_reply_that_goes_on_thinking_is_not_created_twice() -> None:
    client = Client()
    client.told(THINKING)
    assert client.kinds(THINKING) == []


def test_a_stage_that_fails_is_told_in_the_response_and_not_as_an_error_to_stock_clients() -> None:
    client = Client()
    told = client.told(THINKING, Show(Failed(1, "llm", "no connection")), Show(Ended(1, 0, 0)))
    assert [m["type"] for m in told][-1] == "response.done" and "error" not in [m["type"] for m in told]
    response = told[-1]["response"]
    assert (response["status"], response["status_details"]["error"]["message"]) == ("failed", "no connection")
    assert client.kinds(Show(Failed(0, "asr", "deaf"))) == [f"{ITEM}.input_audio_transcription.failed"]


def test_the_apology_of_a_reply_that_failed_is_in_its_transcript() -> None:
    client = Client()
    failed, said = Show(Failed(1, "llm", "no connection")), Show(ReplyDelta(1, "Sorry, not now."))
    told = client.told(THINKING, failed, said, Show(Audio(1, 0, bytes(4800), ())), Show(Ended(1, 2400, 0)))
    response = told[-1]["response"]
    assert response["status"] == "failed"
    assert response["output"][0]["content"][0]["transcript"] == "Sorry, not now."


def test_only_so_many_responses_are_kept() -> None:
    client = Client()
    for turn in range(1, KEPT + 3):
        client.told(Show(StateChanged("thinking", turn)), Show(Ended(turn, 0, 0)))
    assert len(client.conduct.responses) == KEPT


# ---- what the person said ----------------------------------------------------------------------------------


def test_a_spoken_turn_is_committed_stored_and_transcribed_under_one_id() -> None:
    client = Client()
    client.conduct.spoke_from, client.conduct.spoke_until = 16_000, 32_000
    told = client.told(
        Show(StateChanged("listening", 0)),
        Show(UserCaption("Hel", final=False)),
        Show(UserCaption("Hello", final=True)),
        Remember(Said("user", "Hello", 1)),
    )
    assert [m["type"] for m in told] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        f"{ITEM}.added",
        f"{ITEM}.done",
        f"{ITEM}.input_audio_transcription.delta",
        f"{ITEM}.input_audio_transcription.completed",
    ]
    assert (told[0]["audio_start_ms"], told[1]["audio_end_ms"]) == (1000, 2000)
    assert {m.get("item_id", "item_1") for m in told} == {"item_1"}
    assert told[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert told[3]["previous_item_id"] is None
    assert (told[-1]["transcript"], told[-1]["usage"]) == ("Hello", {"type": "duration", "seconds": 1.0})
    assert client.sends(f"{ITEM}.retrieve", item_id="item_1")[0][1]["item"]["content"][0]["transcript"] == "Hello"  # type: ignore[index]


def test_a_cough_while_nothing_is_said_ends_as_it_began() -> None:
    client = Client()
    client.told(Show(StateChanged("listening", 0)))
    assert client.kinds(Show(StateChanged("idle", 0))) == ["input_audio_buffer.speech_stopped"]


def test_an_item_is_told_of_when_it_is_stored() -> None:
    client = Client()
    content = [{"type": "input_text", "text": "hi"}]
    (added,) = client.sends(
        f"{ITEM}.create", item={"id": "mine", "type": "message", "role": "user", "content": content}
    )
    assert isinstance(added, Added)
    told = client.told(Remember(added.item))
    assert [m["type"] for m in told] == [f"{ITEM}.added", f"{ITEM}.done"]
    assert told[0]["item"]["content"] == content
    assert client.kinds(Remember(Said("assistant", "Hi.", 1))) == []


# ---- our own clients ---------------------------------------------------------------------------------------


def test_every_message_has_the_next_number_whatever_its_form() -> None:
    client = Client(own=True)
    first, unit, last = client.all_told(("x", {}), Show(Audio(1, 0, b"\1\0")), ("y", {}))
    assert isinstance(first, dict) and isinstance(unit, Unit) and isinstance(last, dict)
    assert (first["event_id"], unit.seq, last["event_id"]) == ("evt_1", 2, "evt_3")


def test_sound_and_pictures_are_binary_for_our_own_clients() -> None:
    packets = (FramePacket(0, b"idr", True), FramePacket(960, b"p", False))
    assert Client(own=True).all_told(Show(Audio(3, 2400, b"\1\0")), Show(Frames(3, packets))) == [
        Unit(Kind.AUDIO, Flag.NONE, 3, 1, 2400, 7, b"\1\0"),
        Unit(Kind.VIDEO, Flag.KEY, 3, 2, 0, 7, b"idr"),
        Unit(Kind.VIDEO, Flag.NONE, 3, 3, 960, 7, b"p"),
    ]


def test_stock_clients_get_base64_and_pictures_only_if_they_chose_a_codec() -> None:
    client = Client()
    sound = client.told(Show(Audio(3, 0, b"\1\0")))[-1]
    assert (sound["type"], base64.b64decode(sound["delta"])) == ("response.output_audio.delta", b"\1\0")
    (picture,) = client.told(Show(Frames(3, (FramePacket(960, b"jpeg", True),))))
    assert (picture["type"], picture["pts"], base64.b64decode(picture["delta"])) == (
        "avatar.video.delta",
        960,
        b"jpeg",
    )


def test_sound_comes_in_the_format_that_was_chosen() -> None:
    client = Client()
    client.sends("session.update", session={"audio": {"output": {"format": {"type": "audio/pcmu"}}}})
    told = client.told(*[Show(Audio(1, 2400 * k, b"\0\0" * 2400)) for k in range(5)])
    data = b"".join(base64.b64decode(m["delta"]) for m in told if m["type"] == "response.output_audio.delta")
    assert 3_900 <= len(data) <= 4_000
    assert set(data) <= {0xFF, 0x7F}, "silence in mu-law"


@pytest.mark.parametrize(
    ("order", "kinds"),
    [
        (Hold(1), ["avatar.hold"]),
        (Resume(1), ["avatar.resume"]),
        (Cancel(1), ["avatar.flush"]),
        (HangUp("over"), ["avatar.state"]),
        (Show(StateChanged("speaking", 1)), ["avatar.state"]),
        (Show(UserCaption("a", final=False)), ["avatar.caption"]),
        (Show(UserCaption("a", final=True)), []),
        (Show(Ended(1, 5, 0)), ["avatar.end", "response.done"]),
        (Show(Cut(1, 5, "a")), ["avatar.cut", "input_audio_buffer.speech_started", "response.done"]),
        (Show(Failed(1, "tts", "a")), ["error"]),
        (Show(Failed(0, "asr", "a")), ["error"]),
        (Show(Notice(1, "voice", "a")), ["avatar.notice"]),
        (Show(Kept(1, 960)), ["avatar.kept"]),
    ],
)
def test_our_own_names_are_for_clients_that_asked_for_the_avatar(order: ClientOrder, kinds: list[str]) -> None:
    assert Client(own=True).kinds(order) == kinds
    stock = {kind for kind in Client().kinds(order) if kind.startswith("avatar.")}
    assert stock == set()


def test_words_travel_before_the_sound_they_belong_to() -> None:
    words, sound = Client(own=True).all_told(Show(Audio(2, 0, b"\1\0", (Word("Hi", 0, 10),))))
    assert isinstance(words, dict) and isinstance(sound, Unit)
    assert words["words"] == [{"text": "Hi", "start": 0, "samples": 10}]


# ---- beta, errors ------------------------------------------------------------------------------------------


def test_a_beta_client_gets_the_names_that_it_knows() -> None:
    client = Client(beta=True)
    client.conduct.wishes = client.conduct.wishes.with_update({"input_audio_format": {"type": "audio/pcmu"}})
    told = client.told(("session.created", {"session": client.conduct.described()}), *REPLY)
    assert [m["type"] for m in told] == [
        "session.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        f"{ITEM}.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert told[0]["session"]["input_audio_format"] == "g711_ulaw"
    assert told[0]["session"]["modalities"] == ["text", "audio"]
    assert told[4]["item"]["content"] == []
    assert told[5]["part"] == {"type": "audio", "transcript": ""}
    assert told[-1]["response"]["output"][0]["content"] == [{"type": "audio", "transcript": "Hi."}]
    assert [m["event_id"] for m in told] == [f"evt_{k}" for k in range(1, 14)], "no number is lost"


def test_a_call_of_a_function_is_the_same_in_beta() -> None:
    told = Client(beta=True).told(THINKING, Show(Called(1, "call", ToolCall("c", "look", "{}"))))
    assert [m["type"] for m in told][3:5] == [f"{ITEM}.created", "response.function_call_arguments.delta"]


def test_an_error_names_the_event_that_caused_it() -> None:
    (told,) = Client().told(of_error(ClientError("unknown_event", "what?", "e1", "type")))
    assert told["error"] == {
        "type": "invalid_request_error",
        "code": "unknown_event",
        "message": "what?",
        "param": "type",
        "event_id": "e1",
    }


def test_a_message_is_small_json() -> None:
    (message,) = Client().outgoing.of(("x", {"a": 1}))
    assert message == '{"type":"x","event_id":"evt_1","a":1}'
    assert json.loads(message)["a"] == 1
