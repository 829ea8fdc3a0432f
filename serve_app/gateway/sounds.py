"""Sound that comes with a request, as a file in a form or as the body itself; and what was understood of it.

Whether it is sound at all is decided in serve_app/wav.py. This file knows no address.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from serve_app.gateway.house import House
from serve_app.gateway.refusals import bad
from serve_app.gateway.streams import answers
from serve_app.wav import AudioFileError, read_question
from streaming.media import MIC_RATE, samples
from streaming.stages import Transcript, Word

IN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "audio/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
"""For the OpenAPI page: how a request brings its sound."""


def longest_s(house: House) -> float:
    """Most sound that one request may bring, in seconds: what one message between replicas holds."""
    return house.pace.utterance_most / MIC_RATE


async def brought(request: Request, house: House) -> bytes:
    """The request's sound as PCM16 mono at 16 kHz. Raises Refusal."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return await decoded(await request.body(), "the body", house)
    async with request.form(max_files=1, max_fields=16) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad("the form has no file; send the sound as the field 'file'", "file", "missing_field")
        return await decoded(await file.read(), file.filename or "", house)


async def decoded(content: bytes, name: str, house: House) -> bytes:
    """A sound file's content as PCM16 mono at 16 kHz. Raises Refusal with the sentence of serve_app/wav.py."""
    try:
        return await asyncio.to_thread(_read, content, name, longest_s(house))
    except AudioFileError as error:
        raise bad(str(error), "file", "invalid_audio") from None


def _read(content: bytes, name: str, most_s: float) -> bytes:
    # The name is the client's: only for the sentence, in a folder of its own.
    bare = re.sub(r"[^\w.\- ]", "", Path(name.replace("\\", "/")).name)[-80:].strip(". ") or "the file"
    with tempfile.TemporaryDirectory(prefix="realtime-avatar-") as folder:
        path = Path(folder) / bare
        path.write_bytes(content)
        return read_question(path, most_s)


async def understood(pcm16k: bytes, language: str | None, house: House, *, words: bool, hints: str = "") -> Transcript:
    """The last transcript of the sound, with its words if wanted. Raises Refusal if recognition fails.

    ``hints``: names and terms that may be said; empty: those of the settings.
    """
    seconds = samples(pcm16k) / MIC_RATE  # recognition may take as long as the sound
    transcriber = house.stages.transcriber
    hints = hints or house.driving.hints
    call = answers(lambda: transcriber.transcribe(pcm16k, language, True, words, hints), "asr", house.driving, seconds)
    last = Transcript("", (), language or "", True)
    async with aclosing(call) as transcripts:
        async for transcript in transcripts:
            last = transcript
    return last


def timed(words: tuple[Word, ...]) -> list[dict[str, Any]]:
    """Words with start and end in seconds from the sound's first sample."""
    return [
        {
            "word": word.text,
            "start": round(word.start / MIC_RATE, 3),
            "end": round((word.start + word.samples) / MIC_RATE, 3),
        }
        for word in words
    ]
