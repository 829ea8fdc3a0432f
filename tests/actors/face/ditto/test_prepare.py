"""Where Ditto finds a face: in stored landmarks, by MediaPipe's process, or by measures if nothing else does."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from actors.face import landmarks
from actors.face.avatars import BUILT_IN, DEFAULT, Entry, describe
from actors.face.ditto.avatar import crop, mesh, prepare
from actors.face.ditto.avatar.paste import paste
from actors.face.ditto.avatar.prepare import Preparer
from actors.face.ditto.avatar.source import Placed, SourceBroken, cut_out, measured, texture
from actors.face.shelf import Shelf
from tests.actors.face.faces import answer, found, stub

NOWHERE = Shelf(None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """The built-in portrait as somebody's own."""
    folder = shutil.copytree(BUILT_IN / DEFAULT, tmp_path / "own-1")
    return Entry(describe(folder), folder)


def upright(placed: Placed, points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle of the eyes and of the lips in the square, in shares of its side."""
    eyes, lips = crop.moved(mesh.anchors(points), placed.cut) / side
    return eyes, lips


def test_stored_landmarks_place_the_face_and_the_log_says_so(entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    placed = Preparer(None, 512).place(entry, NOWHERE)
    assert "ditto cuts own-1 by the mesh (landmark203.onnx is not among the models), the mesh stored" in caplog.text
    eyes, lips = upright(placed, found().points, 512)
    assert abs(eyes[0] - lips[0]) < 1e-5 and 0.4 < eyes[0] < 0.6  # it stands upright, in the middle
    assert 0.35 < eyes[1] < 0.5 < lips[1] < 0.7
    assert (0.2 < placed.eye_open).all() and (placed.eye_open < 1.5).all()
    assert np.abs(placed.eye_ball).max() < 0.05  # in shares of the square's side, not in pixels


def test_the_square_is_pasted_back_where_it_was(entry: Entry) -> None:
    source = cut_out(texture(entry.folder), Preparer(None, 512).place(entry, NOWHERE), 384, 576, 512)
    back = paste(source.portrait, source.square[..., ::-1].astype(np.float32), source.where)
    assert np.abs(back.astype(int) - source.portrait).mean() < 2


def test_what_is_told_of_the_eyes_does_not_depend_on_the_squares_size(entry: Entry) -> None:
    large, small = (Preparer(None, side).place(entry, NOWHERE) for side in (512, 64))
    for part in ("eye_open", "eye_ball"):
        np.testing.assert_allclose(getattr(large, part), getattr(small, part), atol=1e-6)
    by_measures = measured(entry.folder)
    np.testing.assert_allclose(by_measures.eye_open, large.eye_open, atol=0.12)
    np.testing.assert_allclose(by_measures.eye_ball, large.eye_ball, atol=0.02)


def test_a_folder_without_landmarks_asks_mediapipes_process(
    entry: Entry, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stored = Preparer(None, 512).place(entry, NOWHERE)
    (entry.folder / "mesh.npz").unlink()
    monkeypatch.setattr(prepare, "worker", lambda: stub(home, answer(found())))
    asked = Preparer(None, 512).place(entry, NOWHERE)
    np.testing.assert_allclose(asked.cut, stored.cut, atol=1e-3)
    assert "the mesh found by MediaPipe's process" in caplog.text
    assert "picture" in json.loads((home / "asked.json").read_text())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "is not set up; run once: avatar portrait setup"),
        (json.dumps({"refused": "no_face"}), "no face was found in this picture"),
        (json.dumps({"refused": "two_faces"}), "more than one face"),
        ("small", "too small a part"),
    ],
)
def test_where_nothing_finds_a_mesh_the_measures_do(
    said: str, told: str, entry: Entry, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (entry.folder / "mesh.npz").unlink()
    if said == "small":
        part = found()
        said = answer(landmarks.Found(part.pixels[:400], part.points, part.apart))
    if said:
        monkeypatch.setattr(prepare, "worker", lambda: stub(home, said))
    placed = Preparer(None, 512).place(entry, NOWHERE)
    np.testing.assert_array_equal(placed.cut, measured(entry.folder).cut)
    assert "ditto cuts own-1 by its folder's measures" in caplog.text and told in caplog.text


def test_a_face_is_looked_for_once(entry: Entry, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Shelf(home / "shelf")
    first = Preparer(None, 512).place(entry, kept)
    monkeypatch.setattr(prepare, "texture", lambda folder: pytest.fail("it was looked for again"))
    again = Preparer(None, 512).place(entry, kept)
    for part in ("cut", "eye_open", "eye_ball"):
        np.testing.assert_array_equal(getattr(again, part), getattr(first, part))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    (entry.folder / "mesh.npz").unlink()  # another folder: looked for anew
    assert not np.array_equal(Preparer(None, 512).place(entry, kept).cut, first.cut)
    assert len(list((home / "shelf").iterdir())) == 2
    Preparer(None, 512, "other weights").place(entry, kept)
    assert len(list((home / "shelf").iterdir())) == 3


@pytest.mark.parametrize("points", [np.zeros((468, 3)), np.full((478, 3), np.nan)])
def test_landmarks_that_are_none_are_refused(points: np.ndarray, entry: Entry) -> None:
    np.savez(entry.folder / "mesh.npz", points=points)
    with pytest.raises(SourceBroken, match=r"mesh\.npz holds no landmarks; make the avatar again"):
        Preparer(None, 512).place(entry, NOWHERE)
    (entry.folder / "mesh.npz").write_bytes(b"no arrays")
    with pytest.raises(SourceBroken, match=r"mesh\.npz cannot be read"):
        Preparer(None, 512).place(entry, NOWHERE)


def test_the_built_in_portraits_landmarks_are_those_that_mediapipe_gave() -> None:
    stored = prepare.stored_mesh(BUILT_IN / DEFAULT)
    assert stored is not None
    np.testing.assert_allclose(stored["points"], found().points, atol=1e-4)
