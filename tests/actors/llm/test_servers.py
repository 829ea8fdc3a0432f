"""Kinds of servers: found by their URL, asked in their own way, and understood with their habits."""

from __future__ import annotations

from typing import Any

import pytest

from actors.llm.chat import Chat
from actors.llm.servers import API_VERSION, connected, guessed
from streaming.stages import StageError, TextDelta, ToolCall, Usage
from tests.actors.llm.server import DONE, HISTORY, Server, chunk, reply, serving, words
from tests.actors.llm.wires import CALLS, TEXT

FINE = (chunk("Ok.", finish="stop"), DONE)


@pytest.mark.parametrize("kind", TEXT)
async def test_every_kind_of_server_is_understood(kind: str) -> None:
    pieces = await reply(Server(parts=(TEXT[kind],)))
    assert words(pieces) == "Good morning."
    assert pieces[-1] == Usage(30, 4)


@pytest.mark.parametrize("kind", TEXT)
async def test_a_reply_may_come_a_byte_at_a_time(kind: str) -> None:
    parts = tuple(TEXT[kind][at : at + 7] for at in range(0, len(TEXT[kind]), 7))
    assert words(await reply(Server(parts=parts))) == "Good morning."


@pytest.mark.parametrize("kind", CALLS)
async def test_calls_are_told_apart(kind: str) -> None:
    assert await reply(Server(parts=(CALLS[kind],))) == [
        ToolCall("a", "look", '{"at":"sky"}'),
        ToolCall("b", "look", "{}"),
    ]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://house.openai.azure.com", "azure"),
        ("https://house.openai.azure.com/openai/v1", "azure"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://localhost:8000/v1", "compatible"),
        ("https://openai.example.org/v1", "compatible"),
    ],
)
def test_a_url_tells_the_kind(url: str, kind: str) -> None:
    assert guessed(url)[0] == kind
    assert connected(url, "key", "m").kind == kind


def test_the_choice_is_made_aloud(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Chat("http://localhost:11434/v1", model="qwen3:8b")
    said = "language: model qwen3:8b at http://localhost:11434/v1 (ollama, because 11434 is Ollama's port), 4096 tokens"
    assert said in caplog.messages


def test_a_password_in_a_url_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert connected("http://me:word@localhost:8000/v1/", None, "m").url == "http://localhost:8000/v1"
    assert "word" not in caplog.text


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(StageError, match=r"there is no kind of server 'oven'; llm\.server is openai, azure, vllm"):
        Chat("http://localhost/v1", server="oven")


@pytest.mark.parametrize(
    ("chat", "sent"),
    [
        ({"server": "openai"}, {"max_completion_tokens": 1024}),
        ({"server": "vllm"}, {"max_tokens": 1024, "chat_template_kwargs": {"enable_thinking": False}}),
        ({"server": "llamacpp"}, {"max_tokens": 1024, "chat_template_kwargs": {"enable_thinking": False}}),
        ({"server": "ollama"}, {"max_tokens": 1024, "reasoning_effort": "none"}),
        ({"model": "Qwen/Qwen3-8B"}, {"max_tokens": 1024, "chat_template_kwargs": {"enable_thinking": False}}),
        ({"model": "Qwen/Qwen2.5-7B-Instruct"}, {"max_tokens": 1024}),
        ({"server": "ollama", "thinks": True, "reply_most": 99}, {"max_tokens": 99}),
        (
            {"server": "vllm", "extra": {"top_k": 20}},
            {"max_tokens": 1024, "chat_template_kwargs": {"enable_thinking": False}, "top_k": 20},
        ),
    ],
)
async def test_each_is_told_in_its_own_way_to_answer_at_once(chat: dict[str, Any], sent: dict[str, Any]) -> None:
    server = Server(parts=FINE)
    async with serving(server) as url:
        assert [p async for p in Chat(url, **chat).reply(HISTORY, "", ())] == [TextDelta("Ok.")]
    usual = ("model", "messages", "stream", "stream_options")
    assert {name: value for name, value in server.asked[0].items() if name not in usual} == sent


@pytest.mark.parametrize(
    ("chat", "path"),
    [
        ({}, f"/openai/deployments/m/chat/completions?api-version={API_VERSION}"),
        (
            {"deployment": "our-gpt", "api_version": "2026-01-01"},
            "/openai/deployments/our-gpt/chat/completions?api-version=2026-01-01",
        ),
    ],
)
async def test_azure_is_asked_at_a_deployment(chat: dict[str, Any], path: str) -> None:
    server = Server(parts=(TEXT["azure"],))
    async with serving(server) as url:
        azure = Chat(url.removesuffix("/v1"), "secret", "m", server="azure", **chat)
        assert words([p async for p in azure.reply(HISTORY, "", ())]) == "Good morning."
    assert (server.paths, server.keys) == ([path], ["secret"])


async def test_azures_newer_interface_is_like_everybodys() -> None:
    server = Server(parts=(TEXT["azure"],))
    async with serving(server) as url:
        azure = Chat(url, "secret", server="azure", deployment="our-gpt")
        assert words([p async for p in azure.reply(HISTORY, "", ())]) == "Good morning."
    assert (server.paths, server.asked[0]["model"]) == (["/v1/chat/completions"], "our-gpt")
