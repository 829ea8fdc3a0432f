"""The real service over plain HTTP, with OpenAI's own Python client and with none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from actors.face.video import read_audio, read_video
from serve_app.ports import free_port
from streaming.media import FRAME, RATE
from tests.system.service import running

pytestmark = [pytest.mark.system]

SENTENCE = "The weather is very nice today."


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with running("--local", "--port", str(free_port())) as url:
        yield url.rstrip("/")


def stock(service: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{service}/v1", api_key="none", max_retries=0)


async def said(service: str) -> bytes:
    async with stock(service) as client:
        return (await client.audio.speech.create(model="tts-1", voice="alloy", input=SENTENCE)).content


async def test_what_is_spoken_is_understood(service: str) -> None:
    sound = await said(service)
    async with stock(service) as client:
        heard = await client.audio.transcriptions.create(model="whisper-1", file=("said.wav", sound))
        assert heard.text.strip(" .").lower() == SENTENCE.strip(".").lower()
        told = await client.audio.transcriptions.create(
            model="whisper-1",
            file=("said.wav", sound),
            response_format="verbose_json",
            timestamp_granularities=["word"],
        )
        assert told.language == "en" and 1 < told.duration < 5 and told.words
        assert [word.word.strip(".") for word in told.words] == SENTENCE.strip(".").split()


async def test_pcm_is_streamed(service: str) -> None:
    async with (
        stock(service) as client,
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=SENTENCE, response_format="pcm"
        ) as answer,
    ):
        pcm = b"".join([piece async for piece in answer.iter_bytes()])
    assert 1 < len(pcm) / 2 / RATE < 5


async def test_a_completion_is_streamed(service: str) -> None:
    async with stock(service) as client:
        asked = [{"role": "user", "content": "How do you move your lips?"}]
        stream = await client.chat.completions.create(model="any", messages=asked, stream=True)  # type: ignore[arg-type]
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
        whole = await client.chat.completions.create(model="any", messages=asked)  # type: ignore[arg-type]
    assert len(pieces) > 5 and "".join(pieces) == whole.choices[0].message.content


async def test_a_mistake_is_raised_where_it_was_made(service: str) -> None:
    async with stock(service) as client:
        with pytest.raises(openai.BadRequestError, match="wav or pcm") as refused:
            await client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.", response_format="mp3")
        assert (refused.value.code, refused.value.param) == ("invalid_value", "response_format")
        with pytest.raises(openai.BadRequestError, match="unknown voice 'bob'"):
            await client.audio.speech.create(model="tts-1", voice="bob", input="Hi.")


async def test_a_spoken_question_becomes_a_film(service: str, tmp_path: Path) -> None:
    sound = await said(service)
    async with httpx.AsyncClient(base_url=service, timeout=60) as client:
        answer = await client.post("/conversation", content=sound, headers={"content-type": "audio/wav"})
        lines = [line.split(": ", 1)[1] for line in answer.text.splitlines() if line]
        told = list(zip(lines[::2], map(json.loads, lines[1::2]), strict=True))
        assert [name for name, _ in told][-2:] == ["film", "done"] and told[0][0] == "transcript"
        film = tmp_path / "film.mp4"
        film.write_bytes((await client.get(told[-2][1]["url"])).content)
    length = len(read_audio(film))
    frames = [pts for pts, _ in read_video(film)]
    assert length > RATE and frames == [FRAME * k for k in range(len(frames))]
    assert abs(len(frames) * FRAME - length) < RATE // 4
