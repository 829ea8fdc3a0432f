"""Recognition and voice under the addresses and in the shapes that OpenAI's clients know.

Names of models are taken and change nothing: there is one of each kind here. Chat is in completions.py. What we do
not have is refused in one sentence, never left out silently, if the answer would be another than was asked for.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from serve_app.gateway.house import House
from serve_app.gateway.refusals import REFUSED, Bounded, bad
from serve_app.gateway.sounds import decoded, timed, understood
from serve_app.gateway.streams import Streamed, answers, begun, unless_left
from serve_app.gateway.wishes import HINTS_MOST, THEIR_VOICES
from serve_app.talk import MOST_CHARACTERS
from serve_app.wav import wav_of
from streaming.clips import Clips
from streaming.commands import Speak
from streaming.media import MIC_RATE, RATE, samples
from streaming.written import Written

SPOKEN_AS = ("wav", "pcm")
WRITTEN_AS = ("json", "text", "verbose_json")


class Speech(BaseModel):
    """What shall be spoken."""

    input: str
    model: str = ""
    voice: str = "default"
    response_format: str = "wav"
    speed: float = 1.0
    stream_format: str = "audio"


def twins(house: House) -> APIRouter:
    """Routes for /v1/audio/transcriptions and /v1/audio/speech."""
    router = APIRouter(prefix="/v1", route_class=Bounded, tags=["as OpenAI's"], responses=REFUSED)

    @router.post("/audio/transcriptions", response_class=Response)
    async def transcriptions(
        request: Request,
        file: Annotated[UploadFile, File()],
        language: Annotated[str | None, Form()] = None,
        prompt: Annotated[str, Form(max_length=HINTS_MOST)] = "",
        response_format: Annotated[str, Form()] = "json",
        granularities: Annotated[list[str] | None, Form(alias="timestamp_granularities[]")] = None,
        stream: Annotated[bool, Form()] = False,
    ) -> Response:
        """What is said in a sound file, as json, text or verbose_json, the last with word times if asked for."""
        wanted = set(granularities or ())
        _check_writing(language, response_format, wanted, stream)
        pcm = await decoded(await file.read(), file.filename or "", house)
        found = await unless_left(request, understood(pcm, language, house, words=bool(wanted), hints=prompt))
        if response_format == "text":
            return PlainTextResponse(found.text + "\n")
        if response_format == "json":
            return JSONResponse({"text": found.text})
        seconds = round(samples(pcm) / MIC_RATE, 3)
        told = {"task": "transcribe", "language": found.language, "duration": seconds, "text": found.text}
        return JSONResponse({**told, "words": timed(found.words)} if wanted else told)

    @router.post("/audio/speech", response_class=Response, responses={200: {"content": {"audio/*": {}}}})
    async def speech(request: Request, wanted: Speech) -> Response:
        """A text as sound: wav, or pcm (16 bit mono, 24 kHz) that is sent while it is spoken."""
        _check_speech(wanted)
        sound = _spoken(house, wanted)
        if wanted.response_format == "wav":
            return Response(wav_of(await unless_left(request, _whole(sound)), RATE), media_type="audio/wav")
        return Streamed(sound, "audio/pcm", first=await begun(request, sound, _first(sound)))

    return router


# ---- transcriptions ----------------------------------------------------------------------------------------


def _check_writing(language: str | None, written_as: str, wanted: set[str], stream: bool) -> None:
    if written_as not in WRITTEN_AS:
        raise bad(f"response_format is one of {', '.join(WRITTEN_AS)}, not {written_as!r}", "response_format")
    if wanted - {"word"}:
        raise bad("times come for words only: send timestamp_granularities[]=word", "timestamp_granularities")
    if wanted and written_as != "verbose_json":
        raise bad("times of words come with response_format=verbose_json", "timestamp_granularities")
    if stream:
        raise bad("a transcription comes in one piece; leave stream out", "stream")
    if language and not re.fullmatch("[a-z]{2}", language):
        raise bad(f"language is a code of two letters like en, not {language!r}", "language")


# ---- speech ------------------------------------------------------------------------------------------------


def _check_speech(wanted: Speech) -> None:
    if wanted.response_format not in SPOKEN_AS:
        raise bad(f"speech comes as {' or '.join(SPOKEN_AS)}, not {wanted.response_format!r}", "response_format")
    if wanted.stream_format != "audio":
        raise bad("speech comes as sound, not as events; leave stream_format out", "stream_format")
    if wanted.speed != 1:
        raise bad("the voice has one speed; leave speed out, or send 1", "speed")
    if not wanted.input.strip():
        raise bad("there is nothing to say: the input is empty; write at least a word", "input")
    if len(wanted.input) > MOST_CHARACTERS:
        length = len(wanted.input)
        raise bad(f"the input has {length:,} characters, {MOST_CHARACTERS:,} are the most; say it in parts", "input")


async def _spoken(house: House, wanted: Speech) -> AsyncGenerator[bytes]:
    """The text as PCM16 mono at 24 kHz, clip by clip as in a conversation. Raises Refusal."""
    driving, voice = house.usual, house.stages.voice
    named = driving.voice if wanted.voice in THEIR_VOICES or wanted.voice == "default" else wanted.voice
    cut, written = Clips(), Written("")
    for number, clip in enumerate(cut.add(wanted.input) + cut.end()):
        text, language = driving.voiced(written.order(Speak(0, number, clip, 0)))
        if not text:
            continue
        call = answers(lambda text=text, language=language: voice.speak(text, named, language, 0), "tts", driving)
        async with aclosing(call) as pieces:
            async for piece in pieces:
                if piece.pcm24k:
                    yield piece.pcm24k


async def _first(sound: AsyncGenerator[bytes]) -> bytes:
    first = await anext(sound, b"")
    if not first:
        raise bad("the input has no words that can be spoken; write words, in the language of the voice", "input")
    return first


async def _whole(sound: AsyncGenerator[bytes]) -> bytes:
    async with aclosing(sound):
        pcm = bytearray(await _first(sound))
        async for piece in sound:
            pcm += piece
    return bytes(pcm)
