"""Avatars over HTTP: listed, shown, made by a process apart (here a stub), erased; through the real application."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from actors.face import landmarks
from actors.face.avatars import ABOUT, BUILT_IN, own_folder
from serve_app.gateway import avatars
from serve_app.gateway.app import build_gateway
from serve_app.gateway.auth import Door
from serve_app.gateway.house import House
from serve_app.gateway.keys import KeyFile
from serve_app.gateway.server import idle_clip
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Avatar
from tests.serve_app.gateway.test_rest import Clerk, Mirror, refused
from tests.stubs import Ears, Hum

SHOWN = Avatar("default", 384, 576, 384, 576)
FILE = {"file": ("../../etc/passwd", b"\x89PNG picture", "text/html")}
DEFAULT = {
    "id": "default",
    "name": "Default",
    "width": 384,
    "height": 576,
    "built_in": True,
    "created": None,
    "idle": "/avatars/default/idle.mp4",
    "portrait": "/avatars/default/portrait.jpg",
    "notes": [],
}


def gateway(door: Door | None = None, shown: Avatar = SHOWN) -> TestClient:
    house = House(Stages(Ears(), Clerk(), Mirror(), Hum(), None, shown), Pace(), Driving())
    return TestClient(build_gateway(house, idle_clip, door, "hibari"), base_url="http://127.0.0.1:8080")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with gateway() as client:
        yield client


def set_up() -> None:
    """As if `avatar portrait setup` had been run."""
    folder = landmarks.home()
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / "ready").touch()


def taking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let this code stand for the process that takes pictures in; it knows ``name`` and ``picture``."""
    script = tmp_path / "taking.py"
    script.write_text(f"import sys, json, signal\nname, picture = sys.argv[1], sys.stdin.buffer.read()\n{code}\n")
    monkeypatch.setattr(avatars, "COMMAND", (sys.executable, "-I", "-S", str(script)))


def own(avatar: str = "own-1", **about: Any) -> None:
    shutil.copytree(BUILT_IN / "default", own_folder() / avatar)
    (own_folder() / avatar / ABOUT).write_text(json.dumps(about))


def test_the_avatars_are_listed_with_where_to_see_them(client: TestClient) -> None:
    own(name="Anna", created="2026-01-01T00:00:00+00:00", notes=["soft"])
    told = client.get("/avatars").json()
    mine = {
        **DEFAULT,
        "id": "own-1",
        "name": "Anna",
        "built_in": False,
        "created": "2026-01-01T00:00:00+00:00",
        "idle": "/avatars/own-1/idle.mp4",
        "portrait": "/avatars/own-1/portrait.jpg",
        "notes": ["soft"],
    }
    assert (told["avatars"], told["shown"]) == ([DEFAULT, mine], "default")
    assert told["import"]["ready"] is False and "avatar portrait setup" in told["import"]["reason"]
    assert client.get("/avatars/own-1").json() == mine
    for one in told["avatars"]:
        assert client.get(one["portrait"]).content.startswith(b"\xff\xd8\xff")
        assert client.get(one["idle"]).headers["content-type"] == "video/mp4"
    set_up()
    assert client.get("/avatars").json()["import"] == {"ready": True, "reason": ""}


@pytest.mark.parametrize("address", ["/avatars/nobody", "/avatars/nobody/portrait.jpg", "/avatars/..%2fdefault"])
def test_who_is_not_there_is_not_found(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404
    refused(client.get("/avatars/nobody"), 404, "GET /avatars lists")


def test_a_picture_is_handed_on_as_it_is_and_the_avatar_told(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up()
    own(name="Anna", notes=["soft"])
    keeping = f"open({str(tmp_path / 'kept')!r}, 'wb').write(name.encode() + b'|' + picture)\n"
    taking(tmp_path, monkeypatch, keeping + "print(json.dumps({'id': 'own-1', 'new': True, 'notes': ['soft']}))")
    answer = client.post("/avatars", files=FILE, data={"name": "An\0na\n", "consent": "true"})
    assert (answer.status_code, answer.json()["id"], answer.json()["notes"]) == (201, "own-1", ["soft"])
    assert (tmp_path / "kept").read_bytes() == b"Anna|\x89PNG picture"
    taking(tmp_path, monkeypatch, "print(json.dumps({'id': 'own-1', 'new': False, 'notes': []}))")
    assert client.post("/avatars", files=FILE, data={"consent": "true"}).status_code == 200


@pytest.mark.parametrize("consent", ["", "false", "yes"])
def test_without_consent_nothing_is_made(client: TestClient, consent: str) -> None:
    set_up()
    data = {"consent": consent} if consent else {}
    assert refused(client.post("/avatars", files=FILE, data=data), 400, "consent=true")["param"] == "consent"


def test_without_the_environment_the_command_is_told(client: TestClient) -> None:
    answer = client.post("/avatars", files=FILE, data={"consent": "true"})
    assert refused(answer, 503, "avatar portrait setup")["code"] == "not_set_up"


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("print(json.dumps({'refused': 'two_faces', 'message': 'more than one face'}))", 400, "more than one face"),
        ("print(json.dumps({'refused': 'not_set_up', 'message': 'run setup'}))", 503, "run setup"),
        ("print(json.dumps({'refused': 'not_stored', 'message': 'make room'}))", 503, "make room"),
        ("raise RuntimeError('ours')", 500, "the service's log says how"),
        ("signal.pause()", 503, "in time"),
    ],
)
def test_a_picture_that_is_refused_is_told_in_a_sentence(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, status: int, sentence: str
) -> None:
    set_up()
    taking(tmp_path, monkeypatch, code)
    if code == "signal.pause()":
        monkeypatch.setattr(avatars, "LONGEST_S", 0.2)
    refused(client.post("/avatars", files=FILE, data={"consent": "true"}), status, sentence)


def test_forms_that_are_none_and_pictures_that_are_too_many(client: TestClient) -> None:
    set_up()
    refused(client.post("/avatars", data={"consent": "true"}), 400, "the field file is missing")
    large = {"file": ("a.png", b"x" * 25_000_001)}
    refused(client.post("/avatars", files=large, data={"consent": "true"}), 413, "25,000,000")


async def test_a_fifth_picture_waits_no_more() -> None:
    studio = avatars.Studio(waiting=5)
    with pytest.raises(avatars.Refusal, match="other pictures are being taken in"):
        await studio.take(b"", "")


def test_ones_own_are_erased_and_the_others_stay(client: TestClient) -> None:
    own()
    refused(client.delete("/avatars/default"), 403, "came with the program")
    with gateway(shown=Avatar("own-1", 384, 576, 384, 576)) as elsewhere:
        refused(elsewhere.delete("/avatars/own-1"), 409, "the face that this service shows")
    assert client.delete("/avatars/own-1").status_code == 204
    refused(client.delete("/avatars/own-1"), 404, "no avatar is called 'own-1'")
    assert list(own_folder().iterdir()) == []


def test_a_key_is_asked_for_but_not_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = KeyFile(tmp_path / "keys.toml")
    key = {"Authorization": f"Bearer {file.add('anna')}"}
    with gateway(Door(file)) as client:
        for method, path in (("GET", ""), ("GET", "/default"), ("POST", ""), ("DELETE", "/default")):
            assert client.request(method, f"/avatars{path}").status_code == 401
        assert client.get("/avatars/default/portrait.jpg").status_code == 200
        assert client.get("/avatars/default/idle.mp4").status_code == 200
        assert client.get("/avatars", headers=key).status_code == 200
        assert client.get("/voices").status_code == 401
