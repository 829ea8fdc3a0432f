"""What a client chose of its session: read from ``session.update``, shown in ``session.created`` and ``.updated``.

GA and beta spellings are read; the GA one is shown. This file knows neither socket nor conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from serve_app.gateway.audio import PCM24K, Format, FormatUnknown, format_of
from streaming.events import Agreed
from streaming.media import MIC_RATE
from streaming.pace import PATIENCE, Pace
from streaming.session import Driving
from streaming.stages import Avatar, Codec, Tool

USUAL_THRESHOLD = 0.5
"""Whatever the service's own listener takes for a voice."""
SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": USUAL_THRESHOLD,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
    "idle_timeout_ms": None,
}
SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}


def usual_detection(pace: Pace) -> dict[str, Any]:
    """How turns end while the client has not said: as the service's own pace has it."""
    if pace.judging:
        eagerness = next((name for name, wait in PATIENCE.items() if wait == pace.end_incomplete), "auto")
        return {**SEMANTIC_VAD, "eagerness": eagerness}
    silence, padding = (samples * 1000 // MIC_RATE for samples in (pace.end_of_turn, pace.pre_roll))
    return {**SERVER_VAD, "silence_duration_ms": silence, "prefix_padding_ms": padding}


LIMITS = {"prefix_padding_ms": (0, 2_000), "silence_duration_ms": (200, 5_000), "idle_timeout_ms": (5_000, 30_000)}
"""Milliseconds. Less silence than the listener needs to hear a pause cannot be told."""
TOKENS_MOST = 4_096
"""Of one reply, if the client sets a limit."""
INSTRUCTIONS_MOST = 32_000
"""Characters: what a model with a small context can still read."""
TOOLS_MOST = 128
REST_MOST = 32_000
"""Characters of all that is only shown again: each update may add to it, and each answer holds it."""
HINTS_MOST = 2_000
"""Characters of a transcription's prompt; of a longer one a recogniser would hear only the end anyway."""
THEIR_VOICES = frozenset("alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split())
"""Voices that OpenAI's clients must name one of: here each of them is the service's own voice."""


class ClientError(ValueError):
    """A message that the client should not have sent; it is told so and the session goes on."""

    def __init__(self, code: str, message: str, event_id: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.event_id = event_id
        self.param = param


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything that a client may choose."""

    codec: Codec | None = None
    """Of the face; None shows none."""
    sees_avatar: bool = False
    """It asked for ``avatar`` and so is told of it; stock clients are not."""
    face: str = ""
    """Id of the avatar; empty: the persona's."""
    language: str = ""
    """What the voice speaks; empty: what the persona speaks."""
    persona: str = ""
    """Its name; empty: whoever speaks where nobody is asked for."""
    greeting: bool | None = None
    """Whether it wants to be greeted; None: it has not said."""
    instructions: str = ""
    voice: str = "default"
    silent: bool = False
    """Text only."""
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] = "auto"
    most: int | None = None
    """Pieces of one reply; None has no limit."""
    heard: Format = PCM24K
    spoken: Format = PCM24K
    transcription: Mapping[str, Any] | None = None
    detection: Mapping[str, Any] | None = field(default_factory=lambda: SERVER_VAD)
    """None: turns end when the client says so."""
    rest: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What we take note of and have no use for."""

    @property
    def live(self) -> bool:
        """True if turns are found by listening."""
        return self.detection is not None

    @property
    def interrupts(self) -> bool:
        """True if speech interrupts a reply without the client's doing."""
        return self.detection is not None and self.detection["interrupt_response"]

    def with_update(self, session: Mapping[str, Any]) -> Wishes:
        """These wishes after a ``session.update``. Raises ClientError for what we do not have."""
        wishes = self
        for key, value in _ga(session).items():
            if key in _READERS:
                wishes = _READERS[key](wishes, value)
            elif key not in ("id", "object", "type", "expires_at", "client_secret"):
                wishes = replace(wishes, rest={**wishes.rest, key: value})
        if "tool_choice" in session:
            chosen(wishes.tools, wishes.tool_choice)
        if wishes.rest is not self.rest and len(json.dumps(wishes.rest)) > REST_MOST:
            says = f"what has no effect in a session may have {REST_MOST:,} characters as JSON; leave it out"
            raise ClientError("invalid_value", says, param="session")
        return wishes

    def agreed(self, pace: Pace, *, answers: bool, judged: bool) -> Agreed:
        """How turns are taken, for the conversation.

        ``answers``: a turn that the client ends itself is answered. ``judged``: there is a model that hears whether a
        sentence is complete; without one, semantic detection falls back to the usual limit of silence.
        """
        spoken = (self.transcription or {}).get("language") or self.language
        if self.detection is None:
            return Agreed(False, answers, interrupts=False, silent=self.silent, pace=pace, language=spoken)
        if self.detection["type"] == "server_vad":
            pace = pace.with_silence(self.detection["silence_duration_ms"])
            pace = pace.with_pre_roll(self.detection["prefix_padding_ms"])
            pace = pace.with_idle_timeout(self.detection["idle_timeout_ms"])
        elif judged:
            pace = pace.with_eagerness(self.detection["eagerness"])
        created, interrupts = self.detection["create_response"], self.detection["interrupt_response"]
        return Agreed(answers=created, interrupts=interrupts, silent=self.silent, pace=pace, language=spoken)

    def driving(self, usual: Driving, voices: Container[str] | None = frozenset()) -> Driving:
        """What goes with every call of a stage: ``usual``, and what the client chose itself.

        ``voices``: names that the voice engine knows, None if any may be one. A name that is none changes nothing.
        """
        known = self.voice not in THEIR_VOICES if voices is None else self.voice in voices
        own_voice = known and self.voice != "default"
        named = [tool["name"] for tool in self.tools]
        threshold = (self.detection or {}).get("threshold", USUAL_THRESHOLD)
        there = isinstance(self.tool_choice, str) or self.tool_choice["name"] in named
        return replace(
            usual,
            voice=self.voice if own_voice else usual.voice,
            language=self.language or usual.language,
            instructions=self.instructions or usual.instructions,
            tools=chosen(self.tools, self.tool_choice if there and named else "auto"),
            most=self.most,
            hints=(self.transcription or {}).get("prompt") or usual.hints,
            threshold=None if threshold == USUAL_THRESHOLD else threshold,
        )

    def described(self, session: str, avatar: Avatar) -> dict[str, Any]:
        """The session as its client is shown it."""
        described = {
            "id": session,
            "object": "realtime.session",
            "type": "realtime",
            "model": "realtime-avatar",
            "output_modalities": self.modalities,
            "instructions": self.instructions,
            "tools": [dict(tool) for tool in self.tools],
            "tool_choice": self.tool_choice if isinstance(self.tool_choice, str) else dict(self.tool_choice),
            "max_output_tokens": "inf" if self.most is None else self.most,
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
            "include": None,
            "audio": {
                "input": {
                    "format": self.heard.described(),
                    "transcription": self.transcription and dict(self.transcription),
                    "noise_reduction": None,
                    "turn_detection": self.detection and dict(self.detection),
                },
                "output": {"format": self.spoken.described(), "voice": self.voice, "speed": 1.0},
            },
            **self.rest,
        }
        described["avatar"] = {
            "id": avatar.id,
            "video": {
                "codec": self.codec,
                "width": avatar.width,
                "height": avatar.height,
                "coded_width": avatar.coded_width,
                "coded_height": avatar.coded_height,
                "fps": avatar.fps,
            },
        }
        return described

    @property
    def modalities(self) -> list[str]:
        """In OpenAI's words."""
        return ["text"] if self.silent else ["audio"]


def tool_of(tool: Mapping[str, Any], *, must: bool = False) -> Tool:
    """A declared function."""
    return Tool(tool["name"], tool.get("description") or "", tool.get("parameters") or {"type": "object"}, must)


def chosen(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any]) -> tuple[Tool, ...]:
    """The functions that a reply may call, those that it has to call marked. Raises ClientError."""
    if choice == "none":
        return ()
    named = None if isinstance(choice, str) else choice["name"]
    if choice != "auto" and not any(named in (None, tool["name"]) for tool in tools):
        what = "any" if named is None else f"called {named!r}"
        raise ClientError(
            "invalid_value", f"there is no function {what} to call; declare it in tools", param="tool_choice"
        )
    return tuple(tool_of(tool, must=choice == "required" or tool["name"] == named) for tool in tools)


# ---- reading ---------------------------------------------------------------------------------------------------


def _ga(session: Mapping[str, Any]) -> dict[str, Any]:
    """The session in GA's spelling, flat: ``audio.input.format`` and so on; beta's flat names become those."""
    flat: dict[str, Any] = {}
    for key, value in session.items():
        if key == "audio" and isinstance(value, Mapping):
            for side, parts in value.items():
                for name, part in (parts or {}).items():
                    flat[f"audio.{side}.{name}"] = part
        else:
            flat[_BETA.get(key, key)] = value
    return flat


_BETA = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "input_audio_format": "audio.input.format",
    "output_audio_format": "audio.output.format",
    "input_audio_transcription": "audio.input.transcription",
    "turn_detection": "audio.input.turn_detection",
    "max_response_output_tokens": "max_output_tokens",
}


def modality(value: Any) -> bool:
    """True if text only is wanted. Raises ClientError."""
    if not isinstance(value, list) or not value or not set(value) <= {"audio", "text"}:
        raise ClientError("invalid_value", f'modalities are ["audio"] or ["text"], not {value!r}', param="modalities")
    return "audio" not in value


def instructions_of(value: Any) -> str:
    """What the language model shall do; None is nothing. Raises ClientError."""
    text = "" if value is None else value
    if not isinstance(text, str):
        raise ClientError("invalid_value", f"instructions are a text, not {value!r:.80}", param="instructions")
    if len(text) > INSTRUCTIONS_MOST:
        says = f"instructions may have {INSTRUCTIONS_MOST:,} characters, not {len(text):,}"
        raise ClientError("invalid_value", says, param="instructions")
    return text


def tools_of(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Declared functions, checked. Raises ClientError."""
    tools = tuple(value or ())
    if len(tools) > TOOLS_MOST or not all(isinstance(tool, dict) and _text_of(tool, "name") for tool in tools):
        raise ClientError("invalid_value", f"tools are at most {TOOLS_MOST} functions with a name each", param="tools")
    for tool in tools:
        if _text_of(tool, "description") is None or not isinstance(tool.get("parameters") or {}, dict):
            says = f"of function {tool['name']!r:.80} description is a text and parameters a JSON schema, an object"
            raise ClientError("invalid_value", says, param="tools")
    return tools


def _text_of(tool: Mapping[str, Any], name: str) -> str | None:
    """A field of a function, empty if it is not there; None if it is no text."""
    text = tool.get(name) or ""
    return text if isinstance(text, str) else None


def choice_of(value: Any) -> str | Mapping[str, Any]:
    """How functions are chosen, checked but for the names. Raises ClientError."""
    if value in ("auto", "none", "required"):
        return value
    if isinstance(value, dict) and value.get("type") == "function" and isinstance(value.get("name"), str):
        return {"type": "function", "name": value["name"]}
    says = 'tool_choice is "auto", "none", "required" or {"type": "function", "name": …}'
    raise ClientError("invalid_value", f"{says}, not {value!r}", param="tool_choice")


def most_of(value: Any) -> int | None:
    """The most tokens of a reply; None has no limit. Raises ClientError."""
    if value in (None, "inf"):
        return None
    if type(value) is int and 1 <= value <= TOKENS_MOST:
        return value
    says = f'max_output_tokens is 1 to {TOKENS_MOST} or "inf", not {value!r}'
    raise ClientError("invalid_value", says, param="max_output_tokens")


def _detection(wishes: Wishes, value: Any) -> Wishes:
    if value is None:
        return replace(wishes, detection=None)
    kind = value.get("type", "server_vad") if isinstance(value, dict) else value
    if kind not in ("server_vad", "semantic_vad"):
        raise ClientError("invalid_value", f"turn_detection is server_vad, semantic_vad or null, not {kind!r}")
    usual = SERVER_VAD if kind == "server_vad" else SEMANTIC_VAD
    given = {name: part for name, part in value.items() if name in usual and part is not None}
    if given.get("eagerness", "auto") not in ("low", "medium", "high", "auto"):
        raise ClientError("invalid_value", f"eagerness is low, medium, high or auto, not {given['eagerness']!r}")
    for name, (least, most) in LIMITS.items():
        if name in given and not (type(given[name]) is int and least <= given[name] <= most):
            raise ClientError("invalid_value", f"{name} is {least} to {most} ms, not {given[name]!r:.80}", param=name)
    for name in ("create_response", "interrupt_response"):
        if not isinstance(given.get(name, True), bool):
            raise ClientError("invalid_value", f"{name} is true or false, not {given[name]!r:.80}", param=name)
    threshold = given.get("threshold", USUAL_THRESHOLD)
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        raise ClientError("invalid_value", f"threshold is 0.0 to 1.0, not {threshold!r}", param="threshold")
    return replace(wishes, detection={**usual, **given})


def _transcription(wishes: Wishes, value: Any) -> Wishes:
    where = "audio.input.transcription"
    if value is not None and not isinstance(value, dict):
        raise ClientError("invalid_value", f"transcription is an object or null, not {value!r:.80}", param=where)
    language, hints = ((value or {}).get(key) or "" for key in ("language", "prompt"))
    if not isinstance(language, str) or not re.fullmatch(r"([a-z]{2,3})?", language):
        says = f"language is a code like en, two or three letters, not {language!r:.80}"
        raise ClientError("invalid_value", says, param=f"{where}.language")
    if not isinstance(hints, str) or len(hints) > HINTS_MOST:
        says = f"prompt is a text of at most {HINTS_MOST:,} characters: names and terms that will be said"
        raise ClientError("invalid_value", says, param=f"{where}.prompt")
    return replace(wishes, transcription=value)


def _format(which: str) -> Any:
    def read(wishes: Wishes, value: Any) -> Wishes:
        try:
            return replace(wishes, **{which: format_of(value)}) if value is not None else wishes
        except FormatUnknown as error:
            raise ClientError("unknown_format", str(error), param=f"audio.{which}") from None

    return read


def _avatar(wishes: Wishes, value: Any) -> Wishes:
    given = value or {}
    persona, greeting = given.get("persona", wishes.persona), given.get("greeting", wishes.greeting)
    face = given.get("id", wishes.face)
    if not isinstance(face, str):
        raise ClientError("invalid_value", f"an avatar's id is a text, not {face!r}", param="avatar.id")
    if not isinstance(persona, str):
        raise ClientError("invalid_value", f"persona is a name, not {persona!r}", param="avatar.persona")
    if not isinstance(greeting, bool | None):
        raise ClientError("invalid_value", f"greeting is true or false, not {greeting!r}", param="avatar.greeting")
    codec = given.get("video", {}).get("codec", wishes.codec)
    if codec not in ("h264", "jpeg", None):
        raise ClientError("unknown_codec", f"video comes as h264, jpeg or null, not {codec!r}")
    language = given.get("language", wishes.language)
    if not re.fullmatch(r"([a-z]{2})?", str(language)):
        raise ClientError("invalid_value", f"language is two letters, not {language!r:.80}", param="avatar.language")
    wishes = replace(wishes, codec=codec, sees_avatar=True, persona=persona, greeting=greeting)
    return replace(wishes, face=face, language=language)


_READERS: dict[str, Any] = {
    "instructions": lambda wishes, value: replace(wishes, instructions=instructions_of(value)),
    "output_modalities": lambda wishes, value: replace(wishes, silent=modality(value)),
    "tools": lambda wishes, value: replace(wishes, tools=tools_of(value)),
    "tool_choice": lambda wishes, value: replace(wishes, tool_choice=choice_of(value or "auto")),
    "max_output_tokens": lambda wishes, value: replace(wishes, most=most_of(value)),
    "audio.input.format": _format("heard"),
    "audio.output.format": _format("spoken"),
    "audio.output.voice": lambda wishes, value: replace(wishes, voice=str(value)),
    "audio.input.transcription": _transcription,
    "audio.input.turn_detection": _detection,
    "avatar": _avatar,
}
