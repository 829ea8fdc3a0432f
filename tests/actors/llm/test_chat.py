"""The client of language models against a tiny server of our own, which answers as it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from actors.llm.chat import Chat
from actors.llm.manner import PROMPTS
from streaming.stages import BadInput, Said, StageError, TextDelta, Tool, ToolCall, Usage
from tests.actors.llm.server import DONE, HISTORY, Server, chunk, reply, serving


async def test_text_arrives_as_it_is_written() -> None:
    server = Server(parts=(chunk(""), chunk("Hel"), chunk("lo."), chunk(finish="stop"), DONE))
    assert await reply(server) == [TextDelta("Hel"), TextDelta("lo.")]


async def test_the_conversation_reaches_the_model_as_it_was_heard() -> None:
    server = Server(parts=(chunk("Ok.", finish="stop"), DONE))
    history = (
        Said("user", "Tell me a story", 1),
        Said("assistant", "Once upon a", 1, cut=True),
        Said("user", "  ", 2),
        Said("tool", "42", 2),
        Said("user", "Go on", 3),
    )
    await reply(server, history, instructions="Be brief.")
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": f"{PROMPTS['en']}\n\nBe brief."},
        {"role": "user", "content": "Tell me a story"},
        {"role": "assistant", "content": "Once upon a—"},
        {"role": "system", "content": "Result of the function: 42"},
        {"role": "user", "content": "Go on"},
    ]
    assert server.asked[0]["stream"] is True and "tools" not in server.asked[0]


async def test_calls_of_tools_are_put_together() -> None:
    def call(index: int, arguments: str, **first: str) -> dict[str, Any]:
        name = {"name": first["name"]} if first else {}
        return {"index": index, "function": {"arguments": arguments, **name}} | ({"id": first["id"]} if first else {})

    server = Server(
        parts=(
            chunk("One moment."),
            chunk(calls=[call(0, "", id="c0", name="weather")]),
            chunk(calls=[call(0, '{"city":'), call(1, "", id="c1", name="clock")]),
            chunk(calls=[call(0, ' "Rome"}')]),
            chunk(finish="tool_calls"),
            DONE,
        )
    )
    weather = Tool("weather", "The weather in a city.", {"type": "object", "properties": {"city": {"type": "string"}}})
    assert await reply(server, tools=[weather]) == [
        TextDelta("One moment."),
        ToolCall("c0", "weather", '{"city": "Rome"}'),
        ToolCall("c1", "clock", "{}"),
    ]
    assert server.asked[0]["tools"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "refused the API key"),
        (403, "refused the API key"),
        (404, "has no model called m, or the URL does not end in /v1"),
        (429, "takes no more requests"),
        (500, "failed with status 500"),
        (400, r"refused the request \(400\)"),
    ],
)
async def test_a_refusal_is_one_sentence(status: int, reason: str) -> None:
    with pytest.raises(StageError, match=reason) as raised:
        await reply(Server(status, (b'{"error": {"message": "because"}}',)))
    assert not isinstance(raised.value, BadInput)


async def test_a_conversation_that_is_too_long_for_the_model_is_whoever_sent_its() -> None:
    body = b'{"error": {"message": "at most 8 tokens", "code": "context_length_exceeded"}}'
    with pytest.raises(BadInput, match=r"refused the request \(400\): .*at most 8 tokens"):
        await reply(Server(400, (body,)))


async def test_no_server_there() -> None:
    async with serving(Server()) as url:
        pass
    with pytest.raises(StageError, match=r"no connection to the language model at http://127\.0\.0\.1"):
        await anext(Chat(url, retries=0).reply(HISTORY, "", ()))


async def test_a_server_that_says_nothing() -> None:
    with pytest.raises(StageError, match="wrote nothing for too long"):
        await reply(Server(stays=True), wait=0.05)


async def test_a_server_that_falls_silent_in_the_middle() -> None:
    with pytest.raises(StageError, match="wrote nothing for too long"):
        await reply(Server(parts=(chunk("Well"),), stays=True), gap=0.05)


@pytest.mark.parametrize("parts", [(chunk("Well"),), (chunk("Well"), b"data: {"), ()])
async def test_a_stream_that_is_cut(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(StageError, match=r"broke off|no chat completion"):
        await reply(Server(parts=parts))


async def test_an_error_inside_the_stream() -> None:
    with pytest.raises(StageError, match="reported an error: out of memory"):
        await reply(Server(parts=(chunk("Well"), b'data: {"error": {"message": "out of memory"}}\n\n')))


async def test_what_is_no_chat_server() -> None:
    with pytest.raises(StageError, match=r"no chat completion|broke off"):
        await reply(Server(parts=(b"data: <html>\n\n",)))


async def test_a_cancelled_reply_hangs_up() -> None:
    server = Server(parts=(chunk("Well"),), stays=True)
    async with serving(server) as url:
        pieces = Chat(url, model="m", retries=0).reply(HISTORY, "", ())
        assert await anext(pieces) == TextDelta("Well")
        await pieces.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(server.left.wait(), 5)


async def test_the_key_is_sent() -> None:
    server = Server(parts=(chunk("Ok.", finish="stop"), DONE))
    async with serving(server) as url:
        assert [p async for p in Chat(url, "secret", "m").reply(HISTORY, "", ())] == [TextDelta("Ok.")]
    assert server.keys == ["bearer secret"]


def test_without_a_url_and_a_key_there_is_nobody_to_ask() -> None:
    with pytest.raises(
        StageError, match=r"needs the base URL of a server, an API key .* OPENAI_API_KEY, or AVATAR_LLM__ENGINE=guide"
    ):
        Chat()


async def test_what_a_function_gave_is_sent_right_behind_its_call() -> None:
    server = Server(parts=(chunk("Ok.", finish="stop"), DONE))
    history = (
        Said("user", "Look!", 1),
        Said("call", '{"at":"sky"}', 1, id="a", call_id="c1", function="look"),
        Said("call", "{}", 1, id="b", call_id="c2", function="wait"),
        Said("user", "Well?", 2),
        Said("tool", "", 2, id="r", call_id="c1"),
        Said("tool", "42", 2, id="s", call_id="old"),
    )
    await reply(server, history, chat={"spoken": False})
    function = {"name": "look", "arguments": '{"at":"sky"}'}
    assert server.asked[0]["messages"] == [
        {"role": "user", "content": "Look!"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "nothing"},
        {"role": "user", "content": "Well?"},
        {"role": "system", "content": "Result of the function: 42"},
    ]


async def test_the_tokens_that_the_server_counted_come_last() -> None:
    counted = {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}
    usage = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [], "usage": counted}
    last = b"data: " + json.dumps(usage).encode() + b"\n\n"
    server = Server(parts=(chunk("Ok.", finish="stop"), last, DONE))
    assert await reply(server) == [TextDelta("Ok."), Usage(30, 4)]
    assert server.asked[0]["stream_options"] == {"include_usage": True}
    usage["usage"] = {**counted, "prompt_tokens_details": {"cached_tokens": 8}}
    last = b"data: " + json.dumps(usage).encode() + b"\n\n"
    assert (await reply(Server(parts=(chunk("Ok.", finish="stop"), last, DONE))))[-1] == Usage(30, 4, 8)


@pytest.mark.parametrize(
    ("must", "choice"),
    [
        ((False, False), None),
        ((True, True), "required"),
        ((False, True), {"type": "function", "function": {"name": "b"}}),
    ],
)
async def test_the_model_is_told_which_function_it_has_to_call(must: tuple[bool, bool], choice: object) -> None:
    server = Server(parts=(chunk("Ok.", finish="stop"), DONE))
    tools = [Tool(name, "", {"type": "object"}, one) for name, one in zip("ab", must, strict=True)]
    await reply(server, tools=tools)
    assert server.asked[0].get("tool_choice") == choice


async def test_a_silence_is_told_of_as_one() -> None:
    server = Server(parts=(chunk("Ok.", finish="stop"), DONE))
    await reply(
        server, (Said("user", "Hi", 1), Said("assistant", "Hello.", 1), Said("user", "", 2)), chat={"spoken": False}
    )
    assert [message["role"] for message in server.asked[0]["messages"]] == ["user", "assistant", "system"]
    assert "said nothing" in server.asked[0]["messages"][-1]["content"]
