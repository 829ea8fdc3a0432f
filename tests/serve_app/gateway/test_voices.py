"""Voices over HTTP, with an engine that clones (a stub) and with one that does not; through the real application."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from actors.tts import SKILLS, Skill, voices
from actors.tts.voices import Brought
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.voices import VoiceRefused
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Spoken, StageError
from tests.serve_app.gateway.test_rest import Clerk, Mirror, refused
from tests.stubs import AVATAR, Ears

FILE = {"file": ("anna.wav", b"a recording", "image/png")}


class Parrot:
    """Clones: speaks with the very samples that were brought."""

    clones = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def speak(self, text: str, voice: str, language: str, seed: int) -> AsyncIterator[Spoken]:
        self.asked.append((text, voice, language))
        if text == "fail":
            raise StageError("hoarse; rest")
        pcm = voices.find(voice).pcm24k() if voice.startswith("voice-") else b"\1\0" * 240
        yield Spoken(pcm[:4])
        yield Spoken(pcm[4:])


def gateway(voice: Any, engine: str) -> TestClient:
    house = House(Stages(Ears(), Clerk(), Mirror(), voice, None, AVATAR), Pace(), Driving())
    return TestClient(build_gateway(house, lambda _: None, None, engine), base_url="http://127.0.0.1:8080")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setitem(SKILLS, "parrot", Skill(clones=Parrot.clones, voices={"polly": "es"}))


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
def client(parrot: Parrot) -> Iterator[TestClient]:
    with gateway(parrot, "parrot") as client:
        yield client


def brought(pcm: bytes = b"\5\0\6\0\7\0", name: str = "Anna", language: str = "en") -> Brought:
    made = Brought(voices.identity(pcm), name, language, "2026-01-01T00:00:00+00:00", "00", True, {"seconds": 9.0})
    voices.store(made, pcm)
    return made


def frames(content: bytes) -> bytes:
    with wave.open(io.BytesIO(content)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (24_000, 1, 2)
        return wav.readframes(wav.getnframes())


def test_a_voice_is_brought_listed_tried_and_erased(
    client: TestClient, parrot: Parrot, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[bytes, str, str]] = []

    def add(recording: bytes, name: str, language: str) -> tuple[Brought, bool]:
        taken.append((recording, name, language))
        return brought(), len(taken) == 1

    monkeypatch.setattr("serve_app.gateway.voices.add", add)
    form = {"name": "Anna", "language": "en", "consent": "true"}
    answer = client.post("/voices", files=FILE, data=form)
    told = answer.json()
    assert (answer.status_code, taken) == (201, [(b"a recording", "Anna", "en")])
    assert {**told, "id": ""} == {
        **{"id": "", "name": "Anna", "language": "en", "own": True, "usable": True, "seconds": 9.0},
        "created": "2026-01-01T00:00:00+00:00",
    }
    assert client.post("/voices", files=FILE, data=form).status_code == 200
    listed = client.get("/voices").json()
    assert (listed["engine"], listed["clones"], listed["reason"]) == ("parrot", True, "")
    assert [(one["id"], one["language"], one["own"]) for one in listed["voices"]] == [
        ("polly", "es", False),
        (told["id"], "en", True),
    ]
    assert frames(client.post(f"/voices/{told['id']}/test").content) == b"\5\0\6\0\7\0"
    assert client.post("/voices/polly/test", json={"text": " ¿Qué? "}).status_code == 200
    assert client.post("/voices/polly/test", json={}).headers["content-type"] == "audio/wav"
    hello, asked, hola = parrot.asked
    assert (hello[0][:6], hello[1:], asked) == ("Hello.", (told["id"], "en"), ("¿Qué?", "polly", "es"))
    assert hola[0].startswith("Hola")
    assert client.delete(f"/voices/{told['id']}").status_code == 204
    refused(client.post(f"/voices/{told['id']}/test"), 404, "GET /voices lists")
    refused(client.delete(f"/voices/{told['id']}"), 404, "no voice is called")
    refused(client.delete("/voices/polly"), 403, "belongs to the engine")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"language": "en"}, "consent=true"),
        ({"language": "en", "consent": "no"}, "consent=true"),
        ({"consent": "true"}, "the field language is missing"),
        ({"language": "de", "consent": "true"}, "one of en, zh, es"),
    ],
)
def test_a_form_that_is_not_whole_is_refused(client: TestClient, form: dict[str, str], sentence: str) -> None:
    refused(client.post("/voices", files=FILE, data=form), 400, sentence)


def test_a_recording_that_is_not_good_enough_is_told_why(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    form = {"language": "en", "consent": "true"}
    error: Exception = VoiceRefused({"seconds": "It is short.", "snr": "It is noisy."})

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("serve_app.gateway.voices.add", fails)
    told = refused(client.post("/voices", files=FILE, data=form), 400, "It is short. It is noisy.")
    assert told["code"] == "voice_seconds_snr"
    error = OSError(28, "No space left on device")
    refused(client.post("/voices", files=FILE, data=form), 503, "No space left on device; make room")


def test_a_trial_is_short_and_its_failure_told(client: TestClient) -> None:
    refused(client.post("/voices/polly/test", json={"text": "x" * 301}), 400, "at most 300 characters")
    refused(client.post("/voices/polly/test", json={"text": "fail"}), 503, "hoarse; rest")


def test_an_engine_with_one_voice_says_so() -> None:
    mine = brought()
    with gateway(Parrot(), "hibari") as client:
        told = client.get("/voices").json()
        assert told["clones"] is False and "hibari, speaks with its own voice" in told["reason"]
        assert [(one["id"], one["language"], one["usable"]) for one in told["voices"]] == [
            ("default", "en", True),
            (mine.id, "en", False),
        ]
        form = {"language": "en", "consent": "true"}
        assert refused(client.post("/voices", files=FILE, data=form), 409, "tts.engine")["code"] == "does_not_clone"
        refused(client.post(f"/voices/{mine.id}/test"), 409, "cannot copy another")
        assert client.post("/voices/default/test").status_code == 200
        assert client.delete(f"/voices/{mine.id}").status_code == 204


def test_every_skill_is_of_an_engine_that_there_is() -> None:
    from actors.tts import ENGINES

    assert set(SKILLS) - {"parrot"} <= set(ENGINES)
