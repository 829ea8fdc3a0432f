"""The idle loop over HTTP: the face's own where it draws one, the folder's until then and otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi.responses import FileResponse
from starlette.testclient import TestClient

from actors.face.avatars import find
from serve_app.gateway import loops
from serve_app.gateway.app import build_gateway
from serve_app.gateway.house import House
from serve_app.gateway.loops import Loops
from streaming.pace import Pace
from streaming.session import Driving, Stages
from streaming.stages import Avatar, StageError, StageLost
from tests.stubs import AVATAR, Ears, Echo, Hum, Mask, Scribe


class Drawing(Mask):
    """A face that draws its own loops, when it is let."""

    def __init__(self, *answers: bytes | Exception) -> None:
        super().__init__()
        self.answers, self.asked = list(answers), list[str]()
        self.let = asyncio.Event()
        self.let.set()

    async def idle(self, avatar: Avatar) -> bytes:
        self.asked.append(avatar.id)
        await self.let.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "default.mp4").write_bytes(b"the folder's")
    return tmp_path


def of(face: object, folder: Path) -> Loops:
    return Loops(face, lambda name: path if (path := folder / f"{name}.mp4").is_file() else None)


async def read(of: Loops, avatar: str = "default") -> tuple[bytes, str | None]:
    """What a client gets, and how long it may keep it."""
    answer = await of.answer(avatar)
    assert isinstance(answer, FileResponse) and answer.headers["access-control-allow-origin"] == "*"
    return await asyncio.to_thread(Path(answer.path).read_bytes), answer.headers.get("cache-control")


async def test_a_face_that_draws_its_own_loop_is_asked_once(folder: Path) -> None:
    face = Drawing(b"drawn")
    served = of(face, folder)
    assert [await read(served) for _ in range(3)] == [(b"drawn", "no-cache")] * 3
    assert face.asked == ["default"]


async def test_until_it_is_drawn_the_folders_is_played_and_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "WAIT_S", 0.0)
    face = Drawing(b"drawn")
    face.let.clear()
    served = of(face, folder)
    assert await read(served) == (b"the folder's", "no-store")
    face.let.set()
    monkeypatch.setattr(loops, "WAIT_S", 5.0)
    assert await read(served) == (b"drawn", "no-cache") and face.asked == ["default"]


@pytest.mark.parametrize("answer", [b"", StageError("the face cannot be 'default'"), OSError("no space")])
async def test_where_the_face_draws_none_the_folders_is_played(answer: bytes | Exception, folder: Path) -> None:
    face = Drawing(answer)
    served = of(face, folder)
    assert [(await read(served))[0] for _ in range(2)] == [b"the folder's"] * 2
    assert face.asked == ["default"]


async def test_a_replica_that_was_lost_is_asked_again(folder: Path) -> None:
    face = Drawing(StageLost("gone"), b"drawn")
    served = of(face, folder)
    assert [(await read(served))[0] for _ in range(2)] == [b"the folder's", b"drawn"]


async def test_a_face_that_takes_for_ever_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loops, "LONGEST_S", 0.0)
    face = Drawing()
    face.let.clear()
    assert (await read(of(face, folder)))[0] == b"the folder's"
    assert "the face drew none: too slow" in caplog.text


async def test_an_avatar_that_there_is_not_has_no_loop(folder: Path) -> None:
    for face in (Drawing(), Mask(), None):
        assert await of(face, folder).answer("nobody") is None


async def test_the_oldest_clips_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "KEPT", 1)
    default = find("default")
    monkeypatch.setattr(loops, "find", lambda name: default)
    served = of(Drawing(b"one", b"two", b"one again"), folder)
    assert [(await read(served, name))[0] for name in ("a", "b", "b", "a")] == [b"one", b"two", b"two", b"one again"]


def test_the_gateway_gives_parts_of_a_drawn_loop_as_browsers_ask_for_them(folder: Path) -> None:
    face = Drawing(b"0123456789")
    house = House(Stages(Ears(), Scribe(), Echo(), Hum(), face, AVATAR), Pace(), Driving())
    with TestClient(build_gateway(house, lambda avatar: None)) as client:
        part = client.get("/avatars/default/idle.mp4", headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.content) == (206, b"234")
        assert client.get("/avatars/nobody/idle.mp4").status_code == 404
