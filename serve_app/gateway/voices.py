"""The voices there are, over HTTP: listed, brought by a recording, tried with a sentence, erased.

What makes a recording good enough is told in serve_app/voices.py. Whether the engine can speak with it at all is its
skill in actors/tts/__init__.py; an engine that cannot says so here.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel

from actors.tts import SKILLS, Skill, voices
from serve_app.gateway.house import House
from serve_app.gateway.refusals import REFUSED, Bounded, Refusal, bad
from serve_app.gateway.streams import answers, unless_left
from serve_app.voices import LANGUAGES, VoiceRefused, add
from serve_app.wav import wav_of
from streaming.media import RATE

CONSENT = "say that the person who speaks agrees to it: send consent=true. Without that nothing is kept of it"
SENTENCES = {
    "en": "Hello. This is how I sound when I speak to you.",
    "es": "Hola. Así sueno cuando hablo contigo.",
    "zh": "你好。我和你说话的时候就是这个声音。",
}
MOST_CHARACTERS = 300
"""Of a sentence that a voice is tried with."""


class Trial(BaseModel):
    """What a voice is tried with; empty: a sentence of the voice's language."""

    text: str = ""


def voice_routes(house: House, engine: str) -> APIRouter:
    """Routes for /voices. ``engine`` is the voice engine's name, by which its skill is known."""
    able = SKILLS.get(engine, Skill())
    routes = APIRouter(prefix="/voices", route_class=Bounded, tags=["voices"], responses=REFUSED)

    @routes.get("")
    async def listed() -> dict[str, Any]:
        """The engine, whether it clones voices (`clones`; if not, `reason` says so), and all voices."""
        brought = await asyncio.to_thread(voices.library)
        own = [{"id": name, "name": name, "language": language, **_OURS} for name, language in able.voices.items()]
        return {
            "engine": engine,
            "clones": able.clones,
            "reason": "" if able.clones else _only(engine),
            "languages": list(LANGUAGES),
            "voices": [*own, *(_told(voice, able) for voice in brought.values())],
        }

    @routes.post("", status_code=201)
    async def kept(
        answer: Response,
        file: Annotated[UploadFile, File()],
        language: Annotated[str, Form()],
        name: Annotated[str, Form()] = "",
        consent: Annotated[str, Form()] = "",
    ) -> dict[str, Any]:
        """A voice out of 6 to 30 s of speech, a sound file: 201, or 200 if the same recording was sent before.

        `consent` must be `true`.
        """
        if not able.clones:
            raise Refusal(409, _only(engine), "does_not_clone")
        if consent != "true":
            raise bad(CONSENT, "consent", "no_consent")
        if language not in LANGUAGES:
            raise bad(f"language is one of {', '.join(LANGUAGES)}, not {language!r}", "language")
        voice, new = await asyncio.to_thread(_added, await file.read(), name, language)
        answer.status_code = 201 if new else 200
        return _told(voice, able)

    @routes.delete("/{voice}", status_code=204)
    async def erased(voice: str) -> None:
        """Erase a voice that somebody brought; an engine may keep what it has loaded until it starts again."""
        if voice in able.voices:
            raise Refusal(403, f"the voice {voice!r} belongs to the engine and stays; erase only your own", "built_in")
        try:
            await asyncio.to_thread(voices.remove, voice)
        except voices.VoiceUnknown as error:
            raise _unknown(error) from None

    @routes.post("/{voice}/test", response_class=Response, responses={200: {"content": {"audio/wav": {}}}})
    async def tried(request: Request, voice: str, trial: Trial | None = None) -> Response:
        """A sentence spoken with a voice, as WAV at 24 kHz; the body may give another `text`."""
        language = able.voices.get(voice) or _language(voice, able, engine)
        text = (trial.text.strip() if trial else "") or SENTENCES.get(language, SENTENCES["en"])
        if len(text) > MOST_CHARACTERS:
            raise bad(f"try a voice with at most {MOST_CHARACTERS} characters, not {len(text):,}", "text")
        return Response(await unless_left(request, _spoken(house, text, voice, language)), media_type="audio/wav")

    return routes


_OURS = {"own": False, "usable": True, "created": None, "seconds": None}


def _told(voice: voices.Brought, able: Skill) -> dict[str, Any]:
    return {
        "id": voice.id,
        "name": voice.name,
        "language": voice.language,
        "own": True,
        "usable": able.clones,
        "created": voice.created,
        "seconds": voice.measures.get("seconds"),
    }


def _added(recording: bytes, name: str, language: str) -> tuple[voices.Brought, bool]:
    """The voice, and whether it is new. Raises Refusal."""
    try:
        return add(recording, name, language)
    except VoiceRefused as error:
        raise bad(str(error), "file", "_".join(("voice", *error.faults))) from None
    except OSError as error:
        message = f"the voice cannot be stored: {error.strerror}; make room and try again"
        raise Refusal(503, message, "not_stored") from error


def _only(engine: str) -> str:
    return (
        f"the voice engine of this service, {engine}, speaks with its own voice and cannot copy another; "
        "choose an engine that clones voices in its settings (tts.engine)"
    )


def _unknown(error: voices.VoiceUnknown) -> Refusal:
    return Refusal(404, f"{error}; GET /voices lists those that there are", "no_voice")


def _language(voice: str, able: Skill, engine: str) -> str:
    """Of a voice that somebody brought. Raises Refusal."""
    try:
        found = voices.find(voice)
    except voices.VoiceUnknown as error:
        raise _unknown(error) from None
    if not able.clones:
        raise Refusal(409, _only(engine), "does_not_clone")
    return found.language


async def _spoken(house: House, text: str, voice: str, language: str) -> bytes:
    """The text as a WAV file. Raises Refusal (503)."""
    pcm = bytearray()
    call = answers(lambda: house.stages.voice.speak(text, voice, language, 0), "tts", house.driving)
    async with aclosing(call) as pieces:
        async for piece in pieces:
            pcm += piece.pcm24k
    return wav_of(bytes(pcm), RATE)
