"""Pictures of every kind meet the real MediaPipe, in an environment made as a person makes it; one becomes a face.

It installs some 330 MB of packages into the tests' own data folder; where that cannot be done these tests are skipped.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from actors.face import landmarks
from actors.face.avatars import BUILT_IN, DEFAULT
from actors.face.filmed import find_faces
from actors.face.landmarks import LandmarksMissing, PictureRefused, find_face
from actors.face.portrait.photo import mesh
from actors.face.portrait.photo.fit import fit
from actors.face.video import read_video
from serve_app import inspect
from serve_app.inspecting.labels import read_labels
from serve_app.ports import free_port
from streaming.media import FRAME
from tests.system.service import running

pytestmark = [pytest.mark.system, pytest.mark.timeout(280)]

TEXT = (
    "My mother made very big plans for us, and we all sat below the blue moon before Peter came home. "
    "Maybe we will make some music tomorrow, or build a small boat for the pond behind the barn. "
    "Bernard the beekeeper moved his hives up the mountain by mule, and people from both villages brought him pepper, "
    "plums, and empty bottles. He filled them, one by one. Nobody ever paid. Instead, somebody mended the pump, or "
    "simply patched a broken lamp. Then the bell rang, and both of them jumped up from the bench."
)


@pytest.fixture(scope="module")
def worker() -> tuple[str, ...]:
    command = [sys.executable, "-m", "serve_app.cli", "portrait", "setup"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=270, check=False)
    if made.returncode:
        pytest.skip(f"MediaPipe's environment cannot be made here: {made.stderr.strip().splitlines()[-1]}")
    return landmarks.worker()


def portrait() -> np.ndarray:
    pixels = cv2.imread(str(BUILT_IN / DEFAULT / "closed.png"), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels


def encoded(pixels: np.ndarray, ending: str = ".png", *how: int) -> bytes:
    done, data = cv2.imencode(ending, pixels, how)
    assert done
    return data.tobytes()


def moving(ending: str, folder: Path) -> bytes:
    """Two frames that follow one another."""
    film = cv2.Animation()
    film.frames = [portrait(), cv2.flip(portrait(), 1)]
    film.durations = [100, 100]
    assert cv2.imwriteanimation(str(folder / f"moving{ending}"), film)
    return (folder / f"moving{ending}").read_bytes()


def film(folder: Path, faces: int = 1) -> bytes:
    """Two seconds of the built-in portrait that listens, at twice its size and 30 frames a second."""
    path = folder / "film.mp4"
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (768 * faces, 1152))
    for number, (_, pixels) in zip(range(60), read_video(BUILT_IN / DEFAULT / "idle.mp4"), strict=False):
        del number
        out.write(np.hstack([cv2.resize(pixels, (768, 1152))] * faces))
    out.release()
    return path.read_bytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def turned(pixels: np.ndarray) -> bytes:
    """JPEG that lies on its side and says so in its Exif."""
    data = encoded(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), ".jpg")
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


# ---- pictures with a face ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_a_face_is_found_in_every_form(worker: tuple[str, ...], ending: str) -> None:
    found = find_face(encoded(portrait(), ending), worker)
    assert found.pixels.shape == (864, 576, 3) and found.apart == pytest.approx(131, abs=3)
    assert cv2.PSNR(found.pixels, portrait().astype(np.uint8)) > 30, "colours and their order are kept"
    assert np.allclose(found.points[mesh.CHIN][:2], (288, 579), atol=8)


def test_pictures_of_other_kinds_come_out_upright_and_in_colour(worker: tuple[str, ...]) -> None:
    grey = cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY)
    clear = np.dstack([portrait(), np.full((864, 576), 255, np.uint8)])
    deep = portrait().astype(np.uint16) * 257
    deep_grey = grey.astype(np.uint16) * 257
    for data in (turned(portrait()), encoded(grey), encoded(clear), encoded(deep), encoded(deep_grey)):
        found = find_face(data, worker)
        assert found.points[mesh.CHIN][1] > found.points[mesh.FOREHEAD][1] + 200
        assert found.pixels.mean() == pytest.approx(portrait().mean(), abs=6)


def test_a_large_picture_is_sent_on_around_the_face_only(worker: tuple[str, ...]) -> None:
    wide = cv2.copyMakeBorder(portrait(), 1500, 1500, 3000, 1500, cv2.BORDER_REPLICATE)
    found = find_face(encoded(wide, ".jpg"), worker)
    assert found.pixels.shape[0] < 1800 and found.pixels.shape[1] < 1800 and found.apart == pytest.approx(131, abs=3)
    assert fit(found).notes == ()


# ---- pictures without ---------------------------------------------------------------------------------------


def bad(folder: Path) -> dict[str, bytes]:
    """A picture for every refusal, by the refusal's code and a remark."""
    whole = encoded(portrait())
    slope = np.repeat(np.linspace(0, 255, 400, dtype=np.uint8)[None, :, None], 400, 0).repeat(3, 2)
    return {
        "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "not_a_picture text": b"hello" * 100,
        "not_a_picture gif": b"GIF89a" + bytes(100),
        "not_a_picture empty": b"",
        "broken truncated": whole[: len(whole) // 2],
        "broken head only": whole[:40],
        "broken jpeg": encoded(portrait(), ".jpg")[:9000],
        "broken webp": encoded(portrait(), ".webp")[:9000],
        "broken content": png(64, 64, b"too short"),
        "too_large bomb": png(30_000, 30_000, bytes(90_001 * 2_000)),
        "animated webp": moving(".webp", folder),
        "animated png": moving(".png", folder),
        "two_faces": encoded(np.hstack([portrait(), portrait()]), ".jpg"),
        "no_face slope": encoded(slope),
        "no_face back of the head": encoded(portrait()[:180]),
    }


def test_every_bad_picture_is_refused_for_what_it_is(worker: tuple[str, ...], tmp_path: Path) -> None:
    told: dict[str, str] = {}
    for name, data in bad(tmp_path).items():
        with pytest.raises(PictureRefused) as refused:
            find_face(data, worker)
        told[name] = refused.value.code
    assert told == {name: name.split()[0] for name in told}


def test_a_film_is_followed_frame_by_frame(worker: tuple[str, ...], tmp_path: Path) -> None:
    frames = list(find_faces(film(tmp_path), worker))
    assert len(frames) == 50 and len({frame.pixels.shape for frame in frames}) == 1
    apart = [np.hypot(*(frame.points[473] - frame.points[468])[:2]) for frame in frames]
    assert 110 < min(apart) and max(apart) < 150 and frames[0].apart > 150
    steps = np.abs(np.diff([frame.points[4, :2] for frame in frames], axis=0))
    assert 0 < steps.max() < 4
    with pytest.raises(PictureRefused, match="more than one face"):
        list(find_faces(film(tmp_path, 2), worker))


def test_the_worker_is_stopped_at_its_limits(worker: tuple[str, ...]) -> None:
    *start, _, seconds = worker
    wide = encoded(np.zeros((5000, 7000, 3), np.uint8))
    with pytest.raises(PictureRefused, match="too much memory"):
        find_face(wide, (*start, "220", seconds))
    with pytest.raises(PictureRefused, match="not read within"):
        find_face(wide, worker, time_s=0.05)


def test_the_worker_knows_nothing_of_ours(worker: tuple[str, ...]) -> None:
    look = "import importlib.util as u; print([n for n in ('actors', 'streaming', 'fastapi') if u.find_spec(n)])"
    seen = subprocess.run([worker[0], "-I", "-c", look], capture_output=True, text=True, check=True, cwd="/")
    assert seen.stdout.strip() == "[]"


# ---- the whole way ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(worker: tuple[str, ...]) -> Iterator[str]:
    with running("--local", "--port", str(free_port())) as url:
        yield url.rstrip("/")


def test_a_portrait_is_sent_seen_and_speaks(service: str, tmp_path: Path) -> None:
    data: dict[str, Any] = {"name": "Anna", "consent": "true"}
    with httpx.Client(base_url=service, timeout=100) as client:
        picture = turned(cv2.flip(portrait(), 1))
        answer = client.post("/avatars", files={"file": ("x.txt", picture, "text/plain")}, data=data)
        assert answer.status_code == 201, answer.text
        avatar = answer.json()
        assert [one["name"] for one in client.get("/avatars").json()["avatars"]] == ["Default", "Anna"]
        assert client.get(avatar["portrait"]).content.startswith(b"\xff\xd8\xff")
        idle = tmp_path / "idle.mp4"
        idle.write_bytes(client.get(avatar["idle"]).content)
        assert [pts for pts, _ in read_video(idle)] == [k * FRAME for k in range(250)]
        filmed = client.post("/avatars", files={"file": ("a.mp4", film(tmp_path))}, data=data)
        assert filmed.status_code == 201, filmed.text
        assert client.delete(f"/avatars/{filmed.json()['id']}").status_code == 204
        two = encoded(np.hstack([portrait(), portrait()]), ".webp")
        answer = client.post("/avatars", files={"file": ("a.webp", two)}, data=data)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "two_faces")
        clip, labels = tmp_path / "clip.mp4", tmp_path / "labels.json"
        command = [sys.executable, "-m", "serve_app.cli", "say", TEXT, "--out", str(clip), "--labels", str(labels)]
        environment = {**os.environ, "AVATAR_FACE__AVATAR": avatar["id"]}
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=120)
        report = inspect.measure(clip, read_labels(labels))
        print(inspect.table(report))
        assert report.closures and report.closures.shut / report.closures.counted >= 0.95
        assert client.delete(f"/avatars/{avatar['id']}").status_code == 204
        assert client.get(avatar["idle"]).status_code == 404


def test_without_the_environment_everything_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(LandmarksMissing, match="avatar portrait setup"):
        landmarks.worker()
