"""Servers of chat completions: which kind is behind a URL, and what each kind wants besides the conversation.

OpenAI and Azure refuse parameters that they do not know; vLLM, llama.cpp and Ollama each have a switch of their own for
a model that thinks before it speaks, which no listener has time for. This file knows no conversation.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit, urlunsplit

from streaming.stages import StageError

log = logging.getLogger(__name__)

Kind = Literal["openai", "azure", "vllm", "ollama", "llamacpp", "compatible"]
"""``compatible`` is any other: LM Studio, SGLang, a proxy."""

OPENAI = "https://api.openai.com/v1"
API_VERSION = "2024-10-21"
"""Azure's, where none is named: the newest that is generally available in the older of its two interfaces."""
CONTEXT: dict[Kind, int] = {"openai": 32_000, "azure": 32_000, "ollama": 4_096}
"""Tokens of a request and its reply. Ollama cuts longer ones off at the front, silently, unless it was told more."""
CONTEXT_ELSE = 8_192

_AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


@dataclass(frozen=True, slots=True)
class Server:
    """A connection to one, and what is sent with every request."""

    client: Any
    url: str
    """To be shown: without a password that it may hold."""
    kind: Kind
    context: int
    """Tokens that a request and its reply may have together."""
    always: Mapping[str, Any]
    """Model, and parameters of this kind of server."""


def connected(
    base_url: str | None,
    api_key: str | None,
    model: str,
    *,
    kind: str = "",
    api_version: str = "",
    deployment: str = "",
    context: int | None = None,
    reply_most: int = 1_024,
    thinks: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Server:
    """The server of a URL; nothing is sent yet. ``kind`` "" is found by the URL. Raises StageError.

    ``extra`` is put into the body of every request and counts more than what this file adds.
    """
    import openai

    if not (base_url or api_key):
        raise StageError(
            "the chat engine needs the base URL of a server, an API key for OpenAI's, or both; set"
            " AVATAR_LLM__BASE_URL or OPENAI_API_KEY, or AVATAR_LLM__ENGINE=guide"
        )
    found, why = (_kind(kind), "the settings name it") if kind else guessed(base_url or OPENAI)
    url = (base_url or OPENAI).rstrip("/")
    if found == "azure" and not urlsplit(url).path.rstrip("/").endswith("/v1"):
        name, version = deployment or model, api_version or API_VERSION
        client: Any = openai.AsyncAzureOpenAI(
            azure_endpoint=url, azure_deployment=name, api_version=version, api_key=api_key or "none", max_retries=0
        )
    else:
        client = openai.AsyncOpenAI(base_url=url, api_key=api_key or "none", max_retries=0)
    room = context or CONTEXT.get(found, CONTEXT_ELSE)
    shown = _shown(url)
    log.info("language: model %s at %s (%s, because %s), %d tokens", model, shown, found, why, room)
    always = {"model": deployment or model, "stream": True, "stream_options": {"include_usage": True}}
    always |= _limit(found, reply_most) | ({} if thinks else _unthinking(found, model))
    if extra:
        always["extra_body"] = {**always.get("extra_body", {}), **extra}
    return Server(client, shown, found, room, always)


def guessed(url: str) -> tuple[Kind, str]:
    """The kind of server behind a URL, and why it is thought to be that."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.endswith(_AZURE):
        return "azure", f"{host} is one of Azure's names"
    if host == urlsplit(OPENAI).hostname:
        return "openai", "it is OpenAI's own address"
    if parts.port == 11434:
        return "ollama", "11434 is Ollama's port"
    return "compatible", "neither name nor port tells; llm.server may"


def client_error() -> type[Exception]:
    """What the `openai` client raises."""
    import openai

    return openai.OpenAIError


def line_errors() -> tuple[type[Exception], ...]:
    """What a stream raises whose line breaks: some releases of `openai` let through what HTTP's own client raises."""
    import openai

    below = openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]
    return (openai.APIConnectionError, importlib.import_module(below).HTTPError)


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _kind(name: str) -> Kind:
    for kind in get_args(Kind):
        if name == kind:
            return kind
    raise StageError(f"there is no kind of server {name!r}; llm.server is {', '.join(get_args(Kind))}, or empty")


def _limit(kind: Kind, most: int) -> dict[str, Any]:
    """OpenAI's newer models refuse ``max_tokens``, other servers do not all know its new name."""
    return {"max_completion_tokens" if kind in ("openai", "azure") else "max_tokens": most}


def _unthinking(kind: Kind, model: str) -> dict[str, Any]:
    """Qwen 3 and its like shall answer at once."""
    if kind == "ollama":
        return {"reasoning_effort": "none"}
    if kind in ("vllm", "llamacpp") or (kind == "compatible" and "qwen3" in model.lower()):
        return {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}
    return {}
