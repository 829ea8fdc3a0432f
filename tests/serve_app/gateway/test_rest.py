"""Requests over plain HTTP to the real application, with stub stages behind it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from serve_app import reels
from serve_app.gateway import refusals, rest
from serve_app.gateway.app import build_gateway
from serve_app.gateway.films import Films
from serve_app.gateway.house import House
from serve_app.gateway.streams import Streamed, answers
from serve_app.recording import Film
from serve_app.store import Store
from serve_app.wav import wav_of
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import (
    BadInput,
    History,
    Spoken,
    StageError,
    StageLost,
    TextDelta,
    Tool,
    ToolCall,
    Transcript,
    Word,
)
from tests.serve_app.test_cli import Grey, synthetic
from tests.stubs import AVATAR, Ears, Hum, Scribe

AUDIO = {"content-type": "audio/wav"}


class Clerk:
    """Understands two words, half a second each."""

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        yield Transcript("Hello", (), "en", False)
        yield Transcript("Hello there", (Word("Hello", 0, 8000), Word("there", 8000, 8000)), "en", final)


class Mirror:
    """Repeats the last message; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[History, str, Sequence[Tool]]] = []

    async def reply(
        self, history: History, instructions: str, tools: Sequence[Tool]
    ) -> AsyncIterator[TextDelta | ToolCall]:
        self.asked.append((history, instructions, tools))
        yield TextDelta("You said: ")
        yield TextDelta(f"{history[-1].text}.")
        for tool in tools:
            yield ToolCall("call_1", tool.name, "{}")


class Broken:
    """Fails as it was told to, after so many answers, in every role."""

    def __init__(self, error: Exception | None, after: int = 0) -> None:
        self.error, self.after, self.calls = error, after, 0

    async def fail(self) -> None:
        self.calls += 1
        if self.error is None:
            await asyncio.Event().wait()
        elif not (isinstance(self.error, StageLost) and self.calls > 1):
            raise self.error

    async def transcribe(
        self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
    ) -> AsyncIterator[Transcript]:
        await self.fail()
        yield Transcript("found again", (), "en", final)

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        for _ in range(self.after):
            yield TextDelta("Well, ")
        await self.fail()

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        for _ in range(self.after):
            yield Spoken(b"\1\0" * 2400)
        await self.fail()


def house(**others: Any) -> House:
    stages = replace(Stages(Ears(), Clerk(), Mirror(), Hum(), None, AVATAR), **others)
    return House(stages, Pace(), Driving(instructions="Be kind.", first_s=0.2, next_s=0.2))


def service(**others: Any) -> TestClient:
    return TestClient(build_gateway(house(**others), lambda avatar: None))


@pytest.fixture
def client() -> Iterator[TestClient]:
    with service() as client:
        yield client


def recording(seconds: float = 1.0, level: int = 1000) -> bytes:
    return wav_of(level.to_bytes(2, "little") * round(16_000 * seconds), 16_000)


def events(text: str) -> list[tuple[str, Any]]:
    """Server-sent events as (name, content)."""
    told = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        told.append((fields.get("event", ""), json.loads(fields["data"]) if fields["data"] != "[DONE]" else "[DONE]"))
    return told


def refused(answer: httpx.Response | Any, status: int, *words: str) -> dict[str, Any]:
    """One error in OpenAI's shape, whose sentence has these words."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    for word in words:
        assert word in error["message"]
    return error


# ---- transcribe --------------------------------------------------------------------------------------------

HEARD = {
    "text": "Hello there",
    "language": "en",
    "duration": 1.0,
    "words": [{"word": "Hello", "start": 0.0, "end": 0.5}, {"word": "there", "start": 0.5, "end": 1.0}],
}


def test_a_file_in_a_form_becomes_text_with_word_times(client: TestClient) -> None:
    assert client.post("/transcribe", files={"file": ("a.wav", recording())}).json() == HEARD


def test_a_file_as_the_body_becomes_the_same(client: TestClient) -> None:
    assert client.post("/transcribe", content=recording(), headers=AUDIO).json() == HEARD


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty (0 bytes)"),
        (b"not a sound", "not a sound file that can be read"),
        (recording()[:2000], "is truncated"),
        (recording(level=0), "is silent"),
        (recording(0), "holds no sound at all"),
        (recording(61), "longer than 60 s"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/hostname\n#EXT-X-ENDLIST\n", "not a sound file"),
    ],
)
@pytest.mark.parametrize("path", ["/transcribe", "/conversation", "/v1/audio/transcriptions"])
def test_what_is_no_question_is_one_sentence(client: TestClient, path: str, content: bytes, sentence: str) -> None:
    answer = client.post(path, files={"file": ("../../my question.wav", content)})
    assert refused(answer, 400, sentence)["code"] == "invalid_audio"
    assert "my question.wav" in answer.text and ".." not in answer.text


def test_a_form_without_a_file_is_told_which_field_is_missing(client: TestClient) -> None:
    answer = client.post("/transcribe", files={"sound": ("a.wav", recording())})
    assert refused(answer, 400, "field 'file'")["param"] == "file"
    answer = client.post("/v1/audio/transcriptions", data={"model": "whisper-1"})
    assert refused(answer, 400, "the field file is missing")["param"] == "file"


def test_a_broken_form_is_one_sentence(client: TestClient) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    refused(client.post("/transcribe", content=b"nonsense", headers=headers), 400)
    headers = {"content-type": "multipart/form-data"}
    refused(client.post("/transcribe", content=b"nonsense", headers=headers), 400, "cannot be read")


def test_a_large_body_is_refused_before_it_is_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "SOUND_MOST", 1000)
    monkeypatch.setattr(refusals, "TEXT_MOST", 100)
    refused(client.post("/transcribe", content=recording(), headers=AUDIO), 413, "1,000 bytes")
    refused(client.post("/v1/audio/transcriptions", files={"file": ("a.wav", recording())}), 413, "1,000 bytes")
    refused(client.post("/chat", json={"text": "x" * 200}), 413, "100 bytes")
    pieces = iter([b"x" * 600, b"x" * 600])
    refused(client.post("/transcribe", content=pieces, headers=AUDIO), 413, "1,000 bytes")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StageError("out of ears; buy some"), "out of ears; buy some"),
        (RuntimeError("a bug"), "asr broke: RuntimeError: a bug"),
        (None, "gave no answer in time"),
    ],
)
def test_a_stage_that_fails_is_a_503_with_its_sentence(error: Exception | None, sentence: str) -> None:
    with service(transcriber=Broken(error)) as client:
        answer = client.post("/transcribe", content=recording(0.1), headers=AUDIO)
        assert refused(answer, 503, sentence)["code"] == "asr_failed"


@pytest.mark.parametrize(
    ("path", "role", "sent", "code"),
    [
        ("/transcribe", "transcriber", {"files": {"file": ("a.wav", recording())}}, "asr_refused"),
        ("/v1/audio/transcriptions", "transcriber", {"files": {"file": ("a.wav", recording())}}, "asr_refused"),
        ("/v1/audio/speech", "voice", {"json": {"input": "Hello.", "voice": "bob"}}, "tts_refused"),
        (
            "/v1/chat/completions",
            "responder",
            {"json": {"messages": [{"role": "user", "content": "hi"}]}},
            "llm_refused",
        ),
    ],
)
def test_what_a_stage_refuses_is_the_clients_to_mend(path: str, role: str, sent: Any, code: str) -> None:
    with service(**{role: Broken(BadInput("not that; another"))}) as client:
        assert refused(client.post(path, **sent), 400, "not that; another")["code"] == code


def test_a_lost_replica_costs_one_repeated_call() -> None:
    broken = Broken(StageLost("the replica died"))
    with service(transcriber=broken) as client:
        assert client.post("/transcribe", content=recording(), headers=AUDIO).json()["text"] == "found again"
    assert broken.calls == 2


# ---- chat --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", [{"text": "hi"}, {"messages": [{"role": "assistant", "content": "Hm."}, {"role": "user", "content": "hi"}]}]
)
def test_a_chat_streams_the_reply(client: TestClient, said: dict[str, Any]) -> None:
    answer = client.post("/chat", json=said)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events(answer.text) == [
        ("delta", {"text": "You said: "}),
        ("delta", {"text": "hi."}),
        ("done", {"text": "You said: hi."}),
    ]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "either text or messages"),
        ({"text": "hi", "messages": []}, "either text or messages"),
        ({"text": " "}, "nothing to answer"),
        ({"messages": []}, "nothing to answer"),
        ({"text": "x" * 40_000}, "40,000 characters together, 32,000 are the most"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages.0.role is wrong"),
        ({"messages": [{"role": "user"}]}, "messages.0.content is missing"),
        ({"text": 7}, "the field text is wrong"),
        (7, "one JSON object"),
    ],
)
def test_a_chat_that_says_nothing_is_one_sentence(client: TestClient, said: Any, sentence: str) -> None:
    refused(client.post("/chat", json=said), 400, sentence)


def test_what_is_no_json_is_one_sentence(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    refused(client.post("/chat", content=b"{'text'", headers=headers), 400, "the body is not JSON")


def test_a_chat_that_fails_ends_with_one_error() -> None:
    with service(responder=Broken(StageError("out of words"), after=1)) as client:
        told = events(client.post("/chat", json={"text": "hi"}).text)
    assert [name for name, _ in told] == ["delta", "error"]
    assert told[-1][1]["error"] == {
        "message": "out of words",
        "type": "server_error",
        "code": "llm_failed",
        "param": None,
    }


class Endless:
    """Talks until it is stopped."""

    stopped = False

    async def reply(self, history: History, instructions: str, tools: Sequence[Tool]) -> AsyncIterator[TextDelta]:
        try:
            while True:
                yield TextDelta("and ")
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)  # a stage may need to say goodbye
            self.stopped = True


@pytest.mark.parametrize("leaves", ["while the stage thinks", "while a piece is sent"])
async def test_a_client_that_leaves_stops_the_stage(leaves: str) -> None:
    endless = Endless()
    stages = house(responder=endless).stages
    sent = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.set()
            if leaves == "while a piece is sent":
                await asyncio.Event().wait()

    async def pieces():
        stream = answers(lambda: stages.responder.reply((), "", ()), "llm", Driving())
        try:
            async for piece in stream:
                assert isinstance(piece, TextDelta)
                yield piece.text.encode()
        finally:
            await stream.aclose()

    await Streamed(pieces(), "text/plain")({"type": "http"}, receive, send)
    assert endless.stopped


# ---- conversation ------------------------------------------------------------------------------------------


def test_a_spoken_question_is_answered_in_events(client: TestClient) -> None:
    told = events(client.post("/conversation", content=recording(), headers=AUDIO).text)
    names = [name for name, _ in told]
    assert names[0] == "transcript" and names[-1] == "done" and {"text", "audio"} < set(names)
    assert told[0][1] == {"text": "Hello there"}
    assert "".join(content["delta"] for name, content in told if name == "text") == "You said: Hello there."
    sound = [content for name, content in told if name == "audio"]
    at = 0
    for piece in sound:
        assert piece["pts"] == at
        at += len(base64.b64decode(piece["delta"])) // 2
    assert at == 12_000
    assert told[-1][1] == {"transcript": "Hello there", "text": "You said: Hello there."}


def test_the_film_can_be_fetched_until_the_service_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.stubs import Mask

    monkeypatch.setattr("serve_app.gateway.films.write_mp4", lambda path, packets, sound: path.write_bytes(b"a film"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with service(face=Mask()) as client:
        told = events(client.post("/conversation", files={"file": ("a.wav", recording())}).text)
        assert [name for name, _ in told][-2:] == ["film", "done"]
        url = told[-2][1]["url"]
        answer = client.get(url)
        assert (answer.content, answer.headers["content-type"]) == (b"a film", "video/mp4")
        refused(client.get("/films/another.mp4"), 404, "no such film")
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_the_film_says_that_it_is_synthetic(tmp_path: Path) -> None:
    with service(face=Grey()) as client:
        told = events(client.post("/conversation", files={"file": ("a.wav", recording())}).text)
        film = tmp_path / "film.mp4"
        film.write_bytes(client.get(told[-2][1]["url"]).content)
    assert synthetic(film)


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_films_are_few_and_go_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.gateway.films.write_mp4", lambda path, packets, sound: path.write_bytes(b"a film"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    now = [0.0]
    films = Films(most=2, keep_s=60, clock=lambda: now[0])
    film = Film(b"", (), (), (), "")
    names = [await films.keep(film) for _ in range(3)]
    assert len(set(names)) == 3 and [await films.path(name) is not None for name in names] == [False, True, True]
    assert len(kept(tmp_path)) == 2
    now[0] = 61
    assert await films.path(names[2]) is None and not kept(tmp_path)
    films.close()
    assert not kept(tmp_path)


async def test_a_film_can_be_fetched_from_every_replica_that_shares_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.gateway.films.write_mp4", lambda path, packets, sound: path.write_bytes(b"a film"))
    now = [0]
    store = Store(f"sqlite:///{tmp_path / 'avatar.db'}", clock_ms=lambda: now[0])
    await store.open()
    here, there, alone = Films(store, most=2, keep_s=60), Films(store, most=2, keep_s=60), Films()
    names = []
    for _ in range(3):
        now[0] += 1
        names.append(await here.keep(Film(b"", (), (), (), "")))
    assert [await there.path(name) is not None for name in names] == [False, True, True], "two are the most"
    assert await alone.path(names[2]) is None
    fetched = await there.path(names[2])
    assert fetched is not None and fetched.read_bytes() == b"a film"
    there.close()
    assert not fetched.exists()
    now[0] += 60_001
    assert await there.path(names[2]) is None
    await reels.expire(store)
    async with store.transaction() as base:
        assert list(await base.scalars(select(reels.reels.c.name))) == []
    here.close()
    await store.close()


async def test_without_a_store_the_refusal_says_where_films_are() -> None:
    with service() as client:
        refused(client.get("/films/another.mp4"), 404, "without a store each has only its own")


@pytest.mark.parametrize("role", ["transcriber", "responder", "voice"])
def test_a_conversation_that_fails_ends_with_one_error(role: str) -> None:
    with service(**{role: Broken(StageError("out of paint"), after=1)}) as client:
        told = events(client.post("/conversation", content=recording(), headers=AUDIO).text)
    assert [name for name, _ in told].count("error") == 1
    assert told[-1][0] == "error" and told[-1][1]["error"]["message"] == "out of paint"


def test_a_film_that_cannot_be_written_is_one_error() -> None:
    from tests.stubs import Mask  # its pictures are no H.264

    with service(face=Mask()) as client:
        told = events(client.post("/conversation", content=recording(), headers=AUDIO).text)
    assert told[-1][0] == "error" and told[-1][1]["error"]["code"] == "broken"


def test_a_conversation_without_words_or_end_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(Scribe):
        async def transcribe(
            self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
        ) -> AsyncIterator[Transcript]:
            yield Transcript("", (), "en", final)

    with service(transcriber=Deaf()) as client:
        told = events(client.post("/conversation", content=recording(), headers=AUDIO).text)
        error = told[-1][1]["error"]
        assert error["message"].startswith("no words were understood")
        assert (error["type"], error["code"]) == ("invalid_request_error", "no_words")
    monkeypatch.setattr(rest, "LONGEST_S", 0.05)
    with service(transcriber=Broken(None)) as client:
        told = events(client.post("/conversation", content=recording(), headers=AUDIO).text)
        assert told[-1][1]["error"]["code"] == "too_slow"


# ---- OpenAI's shapes ---------------------------------------------------------------------------------------


def write_down(client: TestClient, **fields: Any) -> Any:
    return client.post("/v1/audio/transcriptions", files={"file": ("a.wav", recording())}, data=fields)


def test_transcriptions_come_in_three_forms(client: TestClient) -> None:
    assert write_down(client).json() == {"text": "Hello there"}
    assert write_down(client, response_format="text").text == "Hello there\n"
    told = {"task": "transcribe", "language": "en", "duration": 1.0, "text": "Hello there"}
    assert write_down(client, response_format="verbose_json").json() == told
    word = {"timestamp_granularities[]": "word"}
    assert write_down(client, response_format="verbose_json", **word).json() == {**told, "words": HEARD["words"]}


def test_names_that_may_be_said_go_with_the_sound() -> None:
    class Hinted(Clerk):
        async def transcribe(
            self, pcm16k: bytes, language: str | None, final: bool, words: bool = False, hints: str = ""
        ) -> AsyncIterator[Transcript]:
            yield Transcript(f"hinted: {hints}", (), "en", final)

    with service(transcriber=Hinted()) as client:
        assert write_down(client).json() == {"text": "hinted: "}
        assert write_down(client, prompt="Hibari").json() == {"text": "hinted: Hibari"}
        refused(write_down(client, prompt="x" * 2_001), 400, "prompt", "at most 2000")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"response_format": "srt"}, "json, text, verbose_json"),
        ({"response_format": "json", "timestamp_granularities[]": "word"}, "response_format=verbose_json"),
        ({"response_format": "verbose_json", "timestamp_granularities[]": "segment"}, "times come for words only"),
        ({"stream": "true"}, "in one piece"),
        ({"language": "English"}, "two letters"),
    ],
)
def test_other_forms_of_transcriptions_are_refused(client: TestClient, fields: Any, sentence: str) -> None:
    refused(write_down(client, **fields), 400, sentence)


def test_speech_comes_as_wav_or_pcm(client: TestClient) -> None:
    wanted = {"model": "tts-1", "voice": "alloy", "input": "One short sentence."}
    answer = client.post("/v1/audio/speech", json=wanted)
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getnframes()) == (24_000, 1, 12_000)
        pcm = wav.readframes(12_000)
    answer = client.post("/v1/audio/speech", json={**wanted, "response_format": "pcm"})
    assert (answer.content, answer.headers["content-type"]) == (pcm, "audio/pcm")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"response_format": "mp3"}, "wav or pcm, not 'mp3'"),
        ({"input": ""}, "nothing to say"),
        ({"input": "x" * 6000}, "6,000 characters, 5,000 are the most"),
        ({"input": "**"}, "no words that can be spoken"),
        ({"input": "**", "response_format": "pcm"}, "no words that can be spoken"),
        ({"speed": 2}, "one speed"),
        ({"stream_format": "sse"}, "leave stream_format out"),
        ({"input": None}, "the field input is wrong"),
    ],
)
def test_speech_that_cannot_be_is_refused(client: TestClient, fields: Any, sentence: str) -> None:
    refused(client.post("/v1/audio/speech", json={"voice": "alloy", "input": "Hello.", **fields}), 400, sentence)


@pytest.mark.parametrize("form", ["wav", "pcm"])
def test_a_voice_that_fails_at_once_is_a_503(form: str) -> None:
    with service(voice=Broken(StageError("hoarse; rest"))) as client:
        answer = client.post("/v1/audio/speech", json={"input": "Hello.", "response_format": form})
        assert refused(answer, 503, "hoarse; rest")["code"] == "tts_failed"


def test_pcm_that_breaks_off_is_no_whole_answer() -> None:
    with service(voice=Broken(StageError("hoarse"), after=1)) as client, pytest.raises(Exception, match="hoarse"):
        client.post("/v1/audio/speech", json={"input": "Hello.", "response_format": "pcm"})


# ---- the page ----------------------------------------------------------------------------------------------


def test_the_addresses_are_described_without_any_script(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    paths = set(schema["paths"])
    assert set(schema["paths"]["/chat"]["post"]["responses"]) == {"200", "4XX", "503"}, (
        "a mistake is a 400, never a 422"
    )
    assert {"/transcribe", "/chat", "/conversation", "/v1/audio/speech", "/v1/chat/completions"} < paths
    page = client.get("/docs").text
    assert all(path in page for path in paths)
    assert "<script" not in page and "http" not in page.replace("plain HTTP", "")
