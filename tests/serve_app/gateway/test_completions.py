"""Chat completions and models over HTTP to the real application: raw, and through OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from starlette.testclient import TestClient

from serve_app.gateway.app import build_gateway
from serve_app.gateway.completions import MODEL
from streaming.stages import BadInput, StageError
from tests.serve_app.gateway.live import serving
from tests.serve_app.gateway.test_rest import Broken, Mirror, events, house, refused, service


@pytest.fixture
def client() -> Iterator[TestClient]:
    with service() as client:
        yield client


def complete(client: TestClient, **fields: Any) -> Any:
    return client.post("/v1/chat/completions", json={"model": "m", **fields})


HI = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def test_a_completion_comes_whole(client: TestClient) -> None:
    told = complete(client, messages=HI).json()
    assert (told["object"], told["model"]) == ("chat.completion", "m")
    assert told["choices"][0]["message"] == {"role": "assistant", "content": "You said: hi.", "refusal": None}
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_a_completion_comes_in_chunks(client: TestClient) -> None:
    *chunks, end = [content for _, content in events(complete(client, messages=HI, stream=True).text)]
    assert end == "[DONE]"
    assert {(chunk["object"], chunk["id"]) for chunk in chunks} == {("chat.completion.chunk", chunks[0]["id"])}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "You said: "},
        {"content": "hi."},
        {},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_function_that_the_model_wants_is_told(client: TestClient, stream: bool) -> None:
    answer = complete(client, messages=HI, tools=[TOOL], stream=stream)
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    if stream:
        choices = [content["choices"][0] for _, content in events(answer.text)[:-1]]
        assert choices[-2]["delta"] == {"tool_calls": [{"index": 0, **call}]}
    else:
        choices = answer.json()["choices"]
        assert choices[0]["message"]["tool_calls"] == [call]
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_a_clients_own_instructions_replace_the_services() -> None:
    mirror = Mirror()
    with service(responder=mirror) as client:
        complete(client, messages=HI)
        complete(client, messages=[{"role": "developer", "content": "Be brief."}, *HI])
    assert [(instructions, history[0].role) for history, instructions, _ in mirror.asked] == [
        ("Be kind.", "user"),
        ("", "system"),
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"messages": []}, "nothing to answer"),
        ({"messages": HI, "n": 2}, "one reply at a time"),
        ({"messages": HI, "stream_options": {"include_usage": True}}, "with stream=true only"),
        ({"messages": HI, "tools": [TOOL], "tool_choice": "required"}, "the model's choice"),
        ({"messages": HI, "max_tokens": 0}, "max_tokens is wrong"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "no image_url"),
        ({}, "the field messages is missing"),
    ],
)
def test_completions_that_cannot_be_are_refused(client: TestClient, fields: Any, sentence: str) -> None:
    refused(complete(client, **fields), 400, sentence)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_fails_at_once_is_a_503(stream: bool) -> None:
    with service(responder=Broken(StageError("out of words"))) as client:
        refused(complete(client, messages=HI, stream=stream), 503, "out of words")


def test_a_model_that_fails_later_says_so_in_the_stream() -> None:
    with service(responder=Broken(StageError("out of words"), after=1)) as client:
        told = events(complete(client, messages=HI, stream=True).text)
    assert told[-1][1]["error"]["message"] == "out of words"


@pytest.mark.parametrize(("most", "text", "reason"), [(1, "You said: ", "length"), (2, "You said: hi.", "stop")])
def test_a_completion_ends_where_the_client_said(client: TestClient, most: int, text: str, reason: str) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        told = complete(client, messages=HI, **{name: most}).json()
        assert (told["choices"][0]["message"]["content"], told["choices"][0]["finish_reason"]) == (text, reason)
        assert told["usage"]["completion_tokens"] == most


def test_a_client_may_offer_functions_and_forbid_them() -> None:
    mirror = Mirror()
    with service(responder=mirror) as client:
        told = complete(client, messages=HI, tools=[TOOL], tool_choice="none").json()
    assert (told["choices"][0]["finish_reason"], mirror.asked[0][2]) == ("stop", [])


# ---- OpenAI's own client -----------------------------------------------------------------------------------


@asynccontextmanager
async def stock(**stages: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    async with serving(build_gateway(house(**stages), lambda avatar: None)) as url:
        base = f"{url.replace('ws', 'http', 1)}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
            yield client


async def test_a_stock_client_lists_the_models_and_asks_for_one() -> None:
    async with stock() as client:
        listed = [model async for model in client.models.list()]
        assert [(model.id, model.object, model.owned_by) for model in listed] == [(MODEL, "model", MODEL)]
        assert await client.models.retrieve(MODEL) == listed[0]
        with pytest.raises(openai.NotFoundError, match="no model 'gpt-4o'") as refused:
            await client.models.retrieve("gpt-4o")
        assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


async def test_a_stock_client_is_told_what_a_completion_cost_under_any_models_name() -> None:
    async with stock() as client:
        whole = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
        assert whole.usage is not None and whole.choices[0].finish_reason == "stop"
        counted = (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens)
        assert counted == (3, 2, 5) and whole.model == "gpt-4o"
        stream = await client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert chunks[-2].choices[0].finish_reason == "stop"


async def test_a_stock_client_raises_what_is_its_own_and_what_is_not() -> None:
    said: Any = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    async with stock(responder=Broken(BadInput("too long; say less"))) as client:
        with pytest.raises(openai.BadRequestError, match="too long; say less"):
            await client.chat.completions.create(**said)
    async with stock(responder=Broken(StageError("out of words"))) as client:
        with pytest.raises(openai.InternalServerError, match="out of words"):
            await client.chat.completions.create(**said)
