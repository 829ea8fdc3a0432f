"""GA events in the names of the beta API, for clients that ask for them (``OpenAI-Beta: realtime=v1``).

Pure: one event in, the events that a beta client expects out.
"""

from __future__ import annotations

from typing import Any

HEADER = "realtime=v1"
"""Of the header ``OpenAI-Beta``."""
SUBPROTOCOL = "openai-beta.realtime-v1"

_NAMES = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_PARTS = {"output_text": "text", "output_audio": "audio"}
_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


def in_beta(told: tuple[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The event in beta's names; ``conversation.item.done`` has none and is left out."""
    kind, fields = told
    if kind == "conversation.item.done":
        return []
    if kind == "conversation.item.added":
        return [("conversation.item.created", _with_item(fields))]
    if kind in ("session.created", "session.updated"):
        return [(kind, {"session": _session(fields["session"])})]
    if "item" in fields:
        fields = _with_item(fields)
    if "response" in fields:
        response = fields["response"]
        output = [_item(item) for item in response["output"]]
        modalities = ["text"] if response["output_modalities"] == ["text"] else ["text", "audio"]
        fields = {**fields, "response": {**response, "output": output, "modalities": modalities}}
    return [(_NAMES.get(kind, kind), fields)]


def _with_item(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "item": _item(fields["item"])}


def _item(item: dict[str, Any]) -> dict[str, Any]:
    if "content" not in item:
        return item
    return {**item, "content": [{**part, "type": _PARTS.get(part["type"], part["type"])} for part in item["content"]]}


def _session(session: dict[str, Any]) -> dict[str, Any]:
    sound = session["audio"]
    flat = {
        "modalities": ["text"] if session["output_modalities"] == ["text"] else ["text", "audio"],
        "voice": sound["output"]["voice"],
        "input_audio_format": _FORMATS[sound["input"]["format"]["type"]],
        "output_audio_format": _FORMATS[sound["output"]["format"]["type"]],
        "input_audio_transcription": sound["input"]["transcription"],
        "turn_detection": sound["input"]["turn_detection"],
        "temperature": session.get("temperature", 0.8),
        "max_response_output_tokens": session["max_output_tokens"],
    }
    return {**{key: value for key, value in session.items() if key not in ("audio", "output_modalities")}, **flat}
