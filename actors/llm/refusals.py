"""What can go wrong with a server of chat completions: one sentence that says what to do, and whether to try again.

This file knows no conversation and waits for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streaming.stages import BadInput, StageError

_TOO_LONG = re.compile(r"context (?:length|size|window)|exceed_context_size", re.IGNORECASE)
"""OpenAI has a code for it; vLLM, llama.cpp and others say it in words only."""


class CutShort(Exception):
    """The stream ended before the reply did."""


class Garbled(ValueError):
    """What came is no piece of a chat completion."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no reply."""

    told: StageError
    again: bool = False
    """True if the same request may succeed in a moment."""
    wait_s: float | None = None
    """What the server asked to wait before that; None if it did not say."""


def refused(error: Exception, where: str, model: str) -> Refusal:
    """What ``error`` means, of the `openai` client, or a CutShort or ValueError, while ``where`` was talked to."""
    import openai as api

    server = f"the language model at {where}"
    match error:
        case CutShort():
            return Refusal(StageError(f"{server} broke off in the middle of its reply; ask again"), again=True)
        case api.APITimeoutError():
            return Refusal(StageError(f"{server} did not answer in time; ask again"), again=True)
        case api.APIConnectionError():
            told = f"no connection to {server}: is the server running, is the URL right?"
            return Refusal(StageError(told), again=True)
        case api.APIStatusError():
            return _by_status(error, where, model)
        case api.OpenAIError():
            return Refusal(StageError(f"{server} reported an error: {error}"))
        case _:
            return Refusal(StageError(f"{server} sent what is no chat completion; ask again"), again=True)


def _by_status(error: Any, where: str, model: str) -> Refusal:
    server, status, code = f"the language model at {where}", error.status_code, getattr(error, "code", None)
    if status in (401, 403):
        told = f"{server} refused the API key: set OPENAI_API_KEY (llm.api_key) to one that it accepts"
        return Refusal(StageError(told))
    if status == 404:
        return Refusal(StageError(f"{where} has no model called {model}, or the URL does not end in /v1"))
    if code == "insufficient_quota":
        return Refusal(StageError(f"{server} takes no more requests: the key's quota is used up, raise it"))
    if status == 429:
        wait = retry_after(error.response.headers)
        when = "wait" if wait is None else f"wait {wait:.0f} s"
        return Refusal(
            StageError(f"{server} takes no more requests at the moment: {when}, or raise the quota"), True, wait
        )
    if status >= 500 or status in (408, 409):
        told = f"{server} failed with status {status}; ask again"
        return Refusal(StageError(told), again=True, wait_s=retry_after(error.response.headers))
    # A conversation that is too long, or that a filter of the server's refuses, is whoever sent it's.
    mendable = code in ("context_length_exceeded", "content_filter") or _TOO_LONG.search(
        f"{error.type} {error.message}"
    )
    return Refusal((BadInput if mendable else StageError)(f"{server} refused the request ({status}): {error.message}"))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait; None if it does not say, or says a date, which clocks disagree on."""
    for name, unit in (("retry-after-ms", 1_000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < 86_400:
            return seconds
    return None
