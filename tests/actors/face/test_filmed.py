"""A film goes in, an avatar with a film is in the library; what is wrong with a film is said, with the second."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from actors.face.avatars import BUILT_IN, DEFAULT, FILM, MESH, find, own_folder
from actors.face.filmed import LEAST, find_faces, is_film
from actors.face.importing import import_picture
from actors.face.landmarker import worker
from actors.face.landmarks import Found, LandmarksMissing, PictureRefused
from actors.face.portrait.photo import make as making
from actors.face.video import read_video
from tests.actors.face.faces import answer, found, stub

MP4 = b"\0\0\0\x20ftypisom and the rest of a film"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(making, "write_clip", lambda folder: shutil.copy(BUILT_IN / DEFAULT / "idle.mp4", folder))
    return tmp_path


def telling(folder: Path, last: str, times: int = 0) -> Sequence[str]:
    """A worker that gives so many frames of the built-in portrait, then one line more."""
    (folder / "frame.json").write_text(answer(found()))
    frame = f"print((open({str(folder / 'frame.json')!r}).read() + '\\n') * {times}, end='')"
    return stub(folder, last, before=frame)


def test_films_are_known_by_their_first_bytes() -> None:
    assert is_film(MP4) and is_film(b"\x1a\x45\xdf\xa3webm")
    assert not is_film(b"\x89PNG\r\n\x1a\n") and not is_film(b"") and not is_film(b"ftyp")


def test_the_film_reaches_the_worker_as_an_open_file(home: Path) -> None:
    before = (
        "import json; print(open(f'/dev/fd/{json.loads(request)[\"film\"]}', 'rb').read(12).hex(), file=sys.stderr)"
    )
    worker = stub(home, json.dumps({"refused": "film_broken"}), before=f"{before}; assert False")
    with pytest.raises(LandmarksMissing, match="AssertionError"):  # it read the file, else it had failed before
        list(find_faces(MP4, worker))
    asked = json.loads((home / "asked.json").read_text())
    assert {name: asked[name] for name in ("most_side", "most_s", "frames")} == {
        "most_side": 1920, "most_s": 10, "frames": 125
    }  # fmt: skip


def test_a_film_becomes_an_avatar_that_every_engine_shows(home: Path) -> None:
    last = answer(found())
    made = import_picture(MP4, "Anna", tuple(telling(home, last, LEAST)))
    entry = find(made.id)
    assert made.new and entry.portrait is not None and entry.idle_clip is not None
    frames = list(read_video(entry.folder / FILM))
    assert len(frames) == LEAST + 1 and frames[0][1].shape == (864, 576, 3)
    with np.load(entry.folder / MESH, allow_pickle=False) as arrays:
        assert arrays["film"].shape == (LEAST + 1, 478, 3)
        np.testing.assert_allclose(arrays["film"][-1], arrays["points"], atol=1e-3)
    assert not import_picture(MP4, "Anna").new  # the worker is not asked again


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"refused": "film_no_face", "second": 1.2}, "no face was found in this film at second 1.2"),
        ({"refused": "film_faces", "second": 0.0}, "more than one face at second 0.0"),
        ({"refused": "film_large", "width": 3840, "height": 2160}, "3840 x 2160 pixels.*1,920 .* are the most"),
        ({"refused": "film_long", "seconds": 31.0}, "takes 31.0 s; 10 s are the most"),
        ({"refused": "film_broken"}, "cannot be read; send MP4 or WebM"),
    ],
)
@pytest.mark.parametrize("frames", [0, 2])
def test_what_is_wrong_with_a_film_is_said_and_leaves_nothing(
    told: dict[str, object], sentence: str, frames: int, home: Path
) -> None:
    with pytest.raises(PictureRefused, match=sentence) as refused:
        import_picture(MP4, "x", tuple(telling(home, json.dumps(told), frames)))
    assert refused.value.code == told["refused"]
    assert not own_folder().exists() or list(own_folder().iterdir()) == []


def test_a_film_of_some_frames_is_too_short(home: Path) -> None:
    with pytest.raises(PictureRefused, match="less than a second") as refused:
        import_picture(MP4, "x", tuple(telling(home, answer(found()), 2)))
    assert refused.value.code == "film_short" and list(own_folder().iterdir()) == []


def test_a_small_face_is_refused_as_in_a_picture(home: Path) -> None:
    small = replace(found(), apart=31.0)
    with pytest.raises(PictureRefused, match="the face is too small, 31 pixels from eye to eye"):
        import_picture(MP4, "x", stub(home, answer(small)))


def test_a_worker_that_dies_or_talks_nonsense_is_told(home: Path) -> None:
    with pytest.raises(PictureRefused, match="too much memory"):
        list(find_faces(MP4, stub(home, before="os.kill(os.getpid(), signal.SIGKILL)")))
    with pytest.raises(LandmarksMissing, match="answered nonsense"):
        list(find_faces(MP4, stub(home, "{}")))
    with pytest.raises(PictureRefused, match=r"not read within 0\.3 s"):
        list(find_faces(MP4, stub(home, before="signal.pause()"), time_s=0.3))
    with pytest.raises(LandmarksMissing, match="said nothing; make it again"):
        import_picture(MP4, "x", stub(home, before="sys.exit(0)"))
    with pytest.raises(LandmarksMissing, match="does not start"):
        list(find_faces(MP4, (str(home / "nothing"),)))


def test_whoever_stops_reading_ends_the_worker(home: Path) -> None:
    frames = find_faces(MP4, tuple(telling(home, answer(found()), 50)))
    assert isinstance(next(frames), Found)
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


# ---- the worker's side, without MediaPipe ------------------------------------------------------------------


def written(path: Path, frames: int, rate: int, size: tuple[int, int] = (64, 96)) -> int:
    """An open film of grey frames, each a little lighter."""
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    for number in range(frames):
        film.write(np.full((size[1], size[0], 3), min(255, 2 * number), np.uint8))
    film.release()
    return os.open(path, os.O_RDONLY)


def asked(film: int, frames: int = 125) -> list[dict[str, Any]]:
    return list(worker.film({"film": film, "most_side": 1920, "most_s": 10, "frames": frames}))


class Meshes:
    """Sees so many faces in each frame."""

    def __init__(self, faces: Sequence[int]) -> None:
        self.faces = list(faces)

    def __enter__(self) -> Meshes:
        return self

    def __exit__(self, *_: object) -> None: ...

    def see(self, image: Any) -> list[np.ndarray]:
        points = np.zeros((478, 3))
        points[468], points[473] = (26, 40, 0), (38, 40, 0)
        return [points] * (self.faces.pop(0) if self.faces else 1)


class Picture:
    """As much of Pillow's as the worker uses, which its own environment has and this one has not."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def resize(self, size: tuple[int, int], how: int, box: tuple[int, int, int, int], reducing_gap: float) -> Picture:
        x0, y0, x1, y1 = box
        return Picture(cv2.resize(self.pixels[y0:y1, x0:x1], size))

    def tobytes(self) -> bytes:
        return self.pixels.tobytes()

    @classmethod
    def fromarray(cls, pixels: np.ndarray) -> Picture:
        return cls(pixels)


@pytest.fixture(autouse=True)
def pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("PIL")
    module.Image = Picture  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PIL", module)


@pytest.mark.parametrize(
    ("frames", "rate", "size", "told"),
    [
        (260, 25, (64, 96), {"refused": "film_long", "seconds": 10.4}),
        (3, 25, (1922, 64), {"refused": "film_large", "width": 1922, "height": 64}),
    ],
)
def test_length_and_size_are_checked_before_a_frame_is_decoded(
    frames: int, rate: int, size: tuple[int, int], told: dict[str, Any], home: Path
) -> None:
    assert asked(written(home / "film.mp4", frames, rate, size)) == [told]


def test_bytes_that_are_no_film_are_refused(home: Path) -> None:
    (home / "film.mp4").write_bytes(MP4)
    assert asked(os.open(home / "film.mp4", os.O_RDONLY)) == [{"refused": "film_broken"}]


@pytest.mark.parametrize(("rate", "frames", "lines"), [(25, 30, 30), (50, 60, 30), (12, 24, 50), (30, 36, 30)])
def test_any_rate_becomes_25_frames_a_second(
    rate: int, frames: int, lines: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_mesh", lambda **how: Meshes([]))
    monkeypatch.setattr(worker, "_seen", lambda mesh, image: mesh.see(image))
    told = asked(written(home / "film.mp4", frames, rate))
    assert len(told) == lines and len({(line["width"], line["height"]) for line in told}) == 1
    greys = [base64.b64decode(line["rgb"])[0] for line in told]
    assert greys == sorted(greys) and greys[-1] == pytest.approx(2 * frames, abs=8)  # from its first frame to its last
    assert len(asked(written(home / "again.mp4", frames, rate), 7)) == 7


def test_a_second_with_no_face_or_two_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_seen", lambda mesh, image: mesh.see(image))
    for faces, refused in ((0, "film_no_face"), (2, "film_faces")):
        monkeypatch.setattr(worker, "_mesh", lambda faces=faces, **how: Meshes([1] * 10 + [faces]))
        told = asked(written(home / "film.mp4", 20, 25))
        assert len(told) == 11 and told[-1] == {"refused": refused, "second": 0.4}
