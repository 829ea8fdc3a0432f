"""Replies asked for in every way that OpenAI's API knows, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.gateway.asking import INPUT_MOST, ITEMS_MOST, WITHOUT_LIMIT
from serve_app.gateway.conduct import Conduct
from serve_app.gateway.reading import ASIDES_MOST
from serve_app.gateway.wishes import ClientError
from streaming.commands import (
    AsideBegun,
    Called,
    Cancel,
    Command,
    Cut,
    Ended,
    Failed,
    Remember,
    ReplyDelta,
    Show,
    StateChanged,
    Waited,
)
from streaming.events import PictureLost, Requested, Stopped
from streaming.pace import Pace
from streaming.session import ClientOrder, Driving
from streaming.stages import Said, Tool, ToolCall, Usage
from tests.serve_app.gateway.clients import Client

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Is this rude?"}]}
APART = {"conversation": "none", "output_modalities": ["text"], "input": [USER]}
LOOK = {"type": "function", "name": "look"}
HEAR = {"type": "function", "name": "hear"}
EMPTY = {"type": "object"}


def asked(client: Client, **wanted: Any) -> Requested:
    (event,) = client.sends("response.create", response=wanted)
    assert isinstance(event, Requested)
    return event


def refused(client: Client, **wanted: Any) -> ClientError:
    with pytest.raises(ClientError) as error:
        client.sends("response.create", response=wanted)
    return error.value


def done(client: Client, *orders: ClientOrder) -> dict[str, Any]:
    return client.told(*orders)[-1]["response"]


# ---- beside the conversation -------------------------------------------------------------------------------


def test_a_reply_apart_has_its_own_items_and_climbs_a_ladder_without_the_conversation() -> None:
    client = Client()
    wanted = asked(client, **APART, metadata={"topic": "tone"}, instructions="Judge.")
    assert wanted == Requested("Judge.", None, True, (Said("user", "Is this rude?", 0, id="item_in_1"),), True)
    told = client.told(Show(AsideBegun(-1)), Show(ReplyDelta(-1, "No.")), Show(Ended(-1, 0, 0)))
    assert [message["type"] for message in told] == [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    created, response = told[0]["response"], told[-1]["response"]
    assert created["metadata"] == response["metadata"] == {"topic": "tone"}
    assert (response["id"], response["conversation_id"], response["status"]) == ("resp_apart_1", None, "completed")
    name = response["output"][0]["id"]
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "No."}]
    assert name not in client.conduct.items and client.conduct.responses == {}


def test_a_function_that_is_called_apart_is_no_item_of_the_conversation() -> None:
    client = Client()
    asked(client, **APART)
    told = client.told(Show(AsideBegun(-1)), Show(Called(-1, "call_-1_0", ToolCall("c", "look", "{}"))))
    assert [m["type"] for m in told][2:] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]


def test_replies_apart_run_beside_another_and_are_cancelled_by_name() -> None:
    client = Client(own=True)
    client.sends("response.create")
    client.told(Show(StateChanged("thinking", 1)))
    for number in (1, 2):
        asked(client, **APART, metadata={"n": number})
    told = client.told(Show(AsideBegun(-1)), Show(AsideBegun(-2)))
    assert [m["response"]["metadata"]["n"] for m in told if m["type"] == "response.created"] == [1, 2]
    assert client.sends("response.cancel") == [Stopped()]
    assert client.sends("response.cancel", response_id="resp_1") == [Stopped()]
    assert client.sends("response.cancel", response_id="resp_apart_2") == [Stopped(-2)]
    response = done(client, Cancel(-2), Show(Cut(-2, 0, "")))
    assert (response["status"], response["status_details"]["reason"]) == ("cancelled", "client_cancelled")
    with pytest.raises(ClientError, match=r"^Cancellation failed"):
        client.sends("response.cancel", response_id="resp_apart_2")


def test_only_so_many_run_at_once() -> None:
    client = Client()
    for _ in range(ASIDES_MOST):
        asked(client, **APART)
    assert refused(client, **APART).code == "too_many_responses"
    client.told(Show(AsideBegun(-1)))
    assert refused(client, **APART).code == "too_many_responses"
    assert done(client, Show(Ended(-1, 0, 0)))["status"] == "completed"
    asked(client, **APART)


def test_one_that_fails_says_so_itself() -> None:
    client = Client()
    asked(client, **APART)
    response = done(client, Show(AsideBegun(-1)), Show(Failed(-1, "llm", "no server")), Show(Ended(-1, 0, 0)))
    assert (response["status"], response["status_details"]["error"]["message"]) == ("failed", "no server")


def test_a_spoken_reply_apart_waits_for_its_turn_like_any_other() -> None:
    client = Client()
    wanted = asked(client, conversation="none", input=[])
    assert wanted == Requested(None, None, False, (), True)
    assert refused(client).code == "conversation_already_has_active_response"
    told = client.told(Show(StateChanged("thinking", 1)), Show(ReplyDelta(1, "Hi.")), Show(Ended(1, 0, 0)))
    assert not any(message["type"].startswith("conversation.") for message in told)
    assert told[-1]["response"]["conversation_id"] is None


def test_an_input_may_refer_to_items_that_are_there() -> None:
    client = Client()
    client.sends("conversation.item.create", item={**USER, "id": "a"})
    reference = {"type": "item_reference", "id": "a"}
    assert asked(client, input=[reference, {**USER, "id": "b"}]).history == (
        Said("user", "Is this rude?", 0, id="a"),
        Said("user", "Is this rude?", 0, id="b"),
    )
    assert refused(Client(), input=[reference]).param == "input"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"conversation": "other"}, "invalid_value"),
        ({"input": "text"}, "invalid_value"),
        ({"input": [USER] * (ITEMS_MOST + 1)}, "invalid_value"),
        ({"input": [{**USER, "content": [{"type": "input_text", "text": "x" * (INPUT_MOST + 1)}]}]}, "long_text"),
        ({"input": [{"type": "smell", "id": "x"}]}, "invalid_event"),
        ({"max_output_tokens": 0}, "invalid_value"),
        ({"max_output_tokens": True}, "invalid_value"),
        ({"max_output_tokens": "many"}, "invalid_value"),
        ({"tool_choice": "maybe"}, "invalid_value"),
        ({"tool_choice": "required"}, "invalid_value"),
        ({"tool_choice": {"type": "function", "name": "fly"}, "tools": [LOOK]}, "invalid_value"),
        ({"tool_choice": {"type": "mcp", "server_label": "x"}}, "invalid_value"),
    ],
)
def test_what_cannot_be_had_is_one_clear_error(wanted: dict[str, Any], code: str) -> None:
    assert refused(Client(), **wanted).code == code


# ---- functions and limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "must"),
    [("auto", ()), ("required", ("look", "hear")), ({"type": "function", "name": "hear"}, ("hear",))],
)
def test_functions_that_must_be_called_are_marked(choice: Any, must: tuple[str, ...]) -> None:
    tools = tuple(Tool(name, "", EMPTY, name in must) for name in ("look", "hear"))
    assert asked(Client(), tools=[LOOK, HEAR], tool_choice=choice).tools == tools
    client = Client()
    (told,) = client.sends("session.update", session={"tools": [LOOK, HEAR], "tool_choice": choice})
    assert isinstance(told, tuple) and told[1]["session"]["tool_choice"] == choice
    assert client.conduct.wishes.driving(Driving()).tools == tools
    assert asked(client, tool_choice=choice).tools == tools


def test_a_session_must_not_choose_a_function_that_it_does_not_declare() -> None:
    client = Client()
    with pytest.raises(ClientError, match="no function called 'look'"):
        client.sends("session.update", session={"tool_choice": LOOK})
    client.sends("session.update", session={"tools": [LOOK], "tool_choice": LOOK})
    client.sends("session.update", session={"tools": [HEAR]})
    assert client.conduct.wishes.driving(Driving()).tools == (Tool("hear", "", EMPTY),)
    client.sends("session.update", session={"tools": []})
    assert client.conduct.wishes.driving(Driving()).tools == ()


def test_a_limit_holds_for_the_session_or_for_one_reply() -> None:
    client = Client()
    (told,) = client.sends("session.update", session={"max_output_tokens": 50})
    assert isinstance(told, tuple) and told[1]["session"]["max_output_tokens"] == 50
    assert client.conduct.wishes.driving(Driving()).most == 50
    assert asked(client).most is None
    assert done(client, Show(StateChanged("thinking", 1)), Show(Ended(1, 0, 0)))["max_output_tokens"] == 50
    assert asked(client, max_output_tokens="inf").most == WITHOUT_LIMIT
    assert done(client, Show(StateChanged("thinking", 2)), Show(Ended(2, 0, 0)))["max_output_tokens"] == "inf"
    assert asked(client, max_output_tokens=7).most == 7


def test_a_reply_that_has_all_it_may_have_is_incomplete() -> None:
    client = Client()
    told = client.told(Show(StateChanged("thinking", 1)), Show(ReplyDelta(1, "One ")), Show(Ended(1, 0, 0, None, True)))
    response = told[-1]["response"]
    assert (response["status"], response["status_details"]) == (
        "incomplete",
        {"type": "incomplete", "reason": "max_output_tokens"},
    )
    assert response["output"][0]["status"] == "incomplete"


def test_a_beta_client_is_shown_its_limit_by_its_old_name() -> None:
    client = Client(beta=True)
    (told,) = client.sends("session.update", session={"max_response_output_tokens": 9})
    assert isinstance(told, tuple)
    assert client.told(told)[0]["session"]["max_response_output_tokens"] == 9


# ---- tokens ------------------------------------------------------------------------------------------------


def test_tokens_are_the_language_models_own_count() -> None:
    client = Client()
    usage = done(client, Show(StateChanged("thinking", 1)), Show(Ended(1, 0, 0, Usage(30, 4, 8))))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (30, 4, 34)
    assert usage["input_token_details"]["cached_tokens"] == 8
    assert usage["output_token_details"] == {"text_tokens": 4, "audio_tokens": 0}


def test_tokens_are_guessed_where_nobody_counts() -> None:
    client = Client()
    client.sends("session.update", session={"instructions": "12345678"})
    client.sends("conversation.item.create", item=USER)
    orders = [StateChanged("thinking", 1), ReplyDelta(1, "a "), ReplyDelta(1, "b "), Cut(1, 0, "a")]
    usage = done(client, *map(Show, orders))["usage"]
    # 8 characters of instructions, 2 of "[]", 13 of the item: a token each four
    assert (usage["input_tokens"], usage["output_tokens"]) == (6, 2)
    client = Client()
    asked(client, **APART)
    call = ToolCall("c", "look", '{"a":1}')
    usage = done(client, Show(AsideBegun(-1)), Show(Called(-1, "x", call)), Show(Ended(-1, 0, 0)))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (4, 3)


# ---- the microphone and the picture ------------------------------------------------------------------------


def test_a_silence_that_was_too_long_is_an_item_of_its_own() -> None:
    client = Client()
    orders: list[Command] = [Show(Waited(16_000, 96_000)), Remember(Said("user", "", 2))]
    told = client.told(*[order for order in orders if isinstance(order, Show | Remember)])
    assert [message["type"] for message in told] == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert (told[0]["audio_start_ms"], told[0]["audio_end_ms"]) == (1_000, 6_000)
    assert told[0]["item_id"] == told[1]["item_id"] == told[-1]["item_id"]
    assert told[-1]["transcript"] == ""


def test_a_picture_that_stands_alone_is_asked_for() -> None:
    assert Client(own=True).sends("avatar.keyframe") == [PictureLost()]


def detecting(**detection: Any) -> Conduct:
    client = Client()
    turns = {"turn_detection": {"type": "server_vad", **detection}}
    client.sends("session.update", session={"audio": {"input": turns}})
    return client.conduct


def test_the_threshold_and_the_timeout_are_the_clients() -> None:
    wishes = detecting(threshold=0.8, idle_timeout_ms=6_000).wishes
    assert wishes.driving(Driving()).threshold == 0.8
    assert detecting(threshold=0.5).wishes.driving(Driving()).threshold is None
    pace = wishes.agreed(Pace(), answers=False, judged=False).pace
    assert pace is not None and pace.idle_timeout == 6_000
    assert detecting(idle_timeout_ms=None).wishes.detection["idle_timeout_ms"] is None  # type: ignore[index]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, "loud", True])
def test_a_threshold_is_a_probability(threshold: Any) -> None:
    with pytest.raises(ClientError, match=r"threshold is 0.0 to 1.0"):
        detecting(threshold=threshold)


@pytest.mark.parametrize("milliseconds", [0, 4_999, 30_001, "long"])
def test_a_timeout_is_5_to_30_seconds(milliseconds: Any) -> None:
    with pytest.raises(ClientError, match="idle_timeout_ms is 5000 to 30000 ms"):
        detecting(idle_timeout_ms=milliseconds)
