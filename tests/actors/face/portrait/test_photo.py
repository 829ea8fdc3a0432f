"""A found face becomes an avatar that speaks; a face that cannot is refused with a sentence."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from actors.face.avatars import BUILT_IN, DEFAULT, describe
from actors.face.landmarks import Found, PictureRefused
from actors.face.portrait.photo import lids, mesh
from actors.face.portrait.photo import make as making
from actors.face.portrait.photo.fit import SIZE, fit
from actors.face.portrait.photo.lips import shut
from actors.face.portrait.photo.make import About, make
from actors.face.portrait.pose import Pose
from actors.face.portrait.render import Renderer
from actors.face.portrait.rig import load
from actors.face.portrait.visemes import JAW, ROUND
from tests.actors.face.faces import found

ABOUT = About("Somebody", "2026-01-01T00:00:00+00:00", True, "0" * 64)


def lips(**amounts: float) -> Pose:
    vector = np.zeros(8)
    for place, amount in ((JAW, "jaw"), (ROUND, "round")):
        vector[place] = amounts.get(amount, 0)
    return Pose(lips=vector)


def moved(face: Found, matrix: np.ndarray, size: tuple[int, int]) -> Found:
    """The same face turned, scaled and shifted into a picture of another size."""
    pixels = np.asarray(cv2.warpAffine(face.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    points = face.points.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    scale = math.hypot(matrix[0, 0], matrix[0, 1])
    points[:, 2] *= scale
    return Found(pixels, points, face.apart * scale)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An avatar made of the built-in portrait; its idle loop is tried in test_avatars.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "write_clip", lambda folder: shutil.copy(BUILT_IN / DEFAULT / "idle.mp4", folder))
        folder = tmp_path_factory.mktemp("avatars") / "own-1"
        assert make(found(), ABOUT, folder) == ()
        yield folder


# ---- a whole avatar ----------------------------------------------------------------------------------------


def test_an_avatar_appears_complete_and_nothing_else_is_left(folder: Path) -> None:
    assert [path.name for path in folder.parent.iterdir()] == ["own-1"]
    patches = {"cavity.png", "lower_teeth.png", "tongue.png", "upper_teeth.png"}
    pictures = {"closed.png", "open.png", "lids.png", "preview.png", "portrait.jpg", "idle.mp4"}
    assert {path.name for path in folder.iterdir()} == {*pictures, *patches, "rig.toml", "mesh.npz", "about.json"}
    assert json.loads((folder / "about.json").read_text())["name"] == "Somebody"
    assert (describe(folder).width, describe(folder).height) == (384, 576)


def test_its_landmarks_are_kept_where_its_measures_say_that_the_eyes_are(folder: Path) -> None:
    eyes = load(folder).rig.eyes
    with np.load(folder / "mesh.npz", allow_pickle=False) as arrays:
        points = arrays["points"]
    assert points.shape == (478, 3) and points.dtype == np.float32
    for iris, eye in zip((468, 473), eyes, strict=True):
        assert np.abs(points[iris, :2] - eye.iris_centre).max() < 0.1
    assert points[4, 2] < points[152, 2] < points[234, 2]  # the nose is nearer than the chin, that than the ears


def test_its_measures_are_those_that_the_painter_gave_the_same_face(folder: Path) -> None:
    made, painted = load(folder).rig, load(BUILT_IN / DEFAULT).rig
    assert np.abs(np.array(made.mouth) - painted.mouth).max() < 24  # it is moved a little to sit well
    assert abs(made.m - painted.m) < 4 and made.unit <= made.m
    assert abs(made.chin[1] - made.mouth[1] - (painted.chin[1] - painted.mouth[1])) < 12
    assert abs(made.face_half_width - painted.face_half_width) < 15
    assert (np.diff(made.lip_line[:, 0]) > 0).all()


def test_it_opens_its_mouth_and_nothing_else_moves(folder: Path) -> None:
    portrait = load(folder)
    face, rig = Renderer(portrait, 384, 576), portrait.rig
    rest, wide, round_ = (face.draw(pose).astype(int) for pose in (Pose(), lips(jaw=0.5), lips(jaw=0.2, round=0.7)))
    x, y = (round(v / 1.5) for v in rig.mouth)
    assert rest[y + 4 : y + 10, x - 4 : x + 4].mean() > 2 * wide[y + 4 : y + 10, x - 4 : x + 4].mean()
    assert not np.array_equal(wide, round_)
    changed = np.abs(wide - rest).max(axis=2) > 2
    assert not changed[: round((rig.nose_base[1] - 10) / 1.5)].any()
    assert not changed[:, : round((rig.mouth[0] - 2.9 * rig.m) / 1.5)].any()


def smiling(face: Found) -> Found:
    """The landmarks of a broad smile: the mouth half as wide again, its corners up."""
    points = face.points.copy()
    mouth = sorted({*mesh.LIP_TOP, *mesh.LIP_BOTTOM, *mesh.INNER_TOP, *mesh.INNER_BOTTOM})
    middle = points[mesh.INNER_TOP[5], 0]
    aside = (points[mouth, 0] - middle) / (points[mesh.CORNERS[1], 0] - middle)
    points[mouth, 0] += 0.5 * (points[mouth, 0] - middle)
    points[mouth, 1] -= 16 * aside**2
    return replace(face, points=points)


def test_a_smile_opens_no_further_and_leaves_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "write_clip", lambda folder: None)
    make(smiling(found()), ABOUT, tmp_path / "own-1")
    portrait = load(tmp_path / "own-1")
    face, rig = Renderer(portrait, 384, 576), portrait.rig
    assert rig.m > 65 and rig.unit < 0.8 * rig.m
    rest, wide = (face.draw(pose).astype(int) for pose in (Pose(), lips(jaw=0.5)))
    changed = np.abs(wide - rest).max(axis=2) > 2
    raised = rig.mouth[1] - rig.lip_line[:, 1].min()
    assert raised > 10 and not changed[: int((rig.nose_base[1] - raised - 2) / 1.5)].any()


def test_it_shuts_its_eyes(folder: Path) -> None:
    portrait = load(folder)
    assert [state for state, _ in portrait.lids] == [0.0, *lids.STATES]
    eye = portrait.rig.eyes[0]
    x, y = (round(v) for v in eye.iris_centre)
    box = (slice(y - 6, y + 7), slice(x - 6, x + 7))
    open_, shut_ = portrait.lids[0][1][box], portrait.lids[-1][1][box]
    assert shut_.mean() > open_.mean() + 40, "skin is brighter than a pupil"


def test_the_same_picture_makes_the_same_avatar(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "write_clip", lambda folder: None)
    make(found(), ABOUT, tmp_path / "own-1")
    for path in (tmp_path / "own-1").iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_two_that_make_the_same_avatar_at_once_both_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(folder: Path) -> None:
        shutil.copytree(BUILT_IN / DEFAULT, tmp_path / "own-1")

    monkeypatch.setattr(making, "write_clip", meanwhile)
    make(found(), ABOUT, tmp_path / "own-1")
    assert [path.name for path in tmp_path.iterdir()] == ["own-1"]


def test_an_avatar_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "write_clip", fails)
    with pytest.raises(OSError, match="No space"):
        make(found(), ABOUT, tmp_path / "own-1")
    assert list(tmp_path.iterdir()) == []


# ---- fitting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "degrees", "size"),
    [(1.0, 0, (576, 864)), (0.6, 0, (900, 600)), (1.4, 18, (1400, 1500)), (0.8, -25, (700, 900))],
)
def test_eyes_are_level_and_apart_as_they_should_be(scale: float, degrees: float, size: tuple[int, int]) -> None:
    matrix = cv2.getRotationMatrix2D((288, 400), degrees, scale)
    matrix[:, 2] += np.array(size) / 2 - (288, 400)
    fitted = fit(moved(found(), matrix, size))
    left, right = (fitted.points[iris] for iris in mesh.IRIS)
    assert fitted.pixels.shape == (SIZE[1], SIZE[0], 3)
    assert abs(left[1] - right[1]) < 0.1 and 128.9 < right[0] - left[0] < 150.1
    assert 250 < (left[0] + right[0]) / 2 < 326 and 290 < left[1] < 380


def test_a_tight_or_small_picture_is_taken_with_a_note() -> None:
    face = found()
    tight = Found(face.pixels[200:700, 120:460], face.points - [120, 200, 0], face.apart)
    fitted = fit(tight)
    assert [note.split(":")[0] for note in fitted.notes] == ["the picture is tightly cut"]
    edge = fitted.pixels[:8].astype(int)
    assert np.abs(np.diff(edge, axis=1)).max() < 12, "what is made up is blurred"
    small = moved(face, np.array([[0.4, 0, 0], [0, 0.4, 0]]), (230, 345))
    assert [note.split(",")[0] for note in fit(small).notes] == ["the face is small"]


def turned(face: Found, degrees: float, axis: int) -> Found:
    """The face's landmarks turned in depth; the picture is left."""
    angle, points = math.radians(degrees), face.points - face.points.mean(axis=0)
    a, b = points[:, axis].copy(), points[:, 2].copy()
    points[:, axis], points[:, 2] = a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)
    return replace(face, points=points + face.points.mean(axis=0))


def eyes_shut(face: Found) -> Found:
    points = face.points.copy()
    for upper, lower in zip(mesh.UPPER_LIDS, mesh.LOWER_LIDS, strict=True):
        points[list(upper)] = points[list(lower)]
    return replace(face, points=points)


def mouth_open(face: Found) -> Found:
    points = face.points.copy()
    points[list(mesh.INNER_BOTTOM), 1] += 40
    return replace(face, points=points)


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (lambda face: turned(face, 45, 0), "profile", "from the side"),
        (lambda face: turned(face, 45, 1), "looks_away", "up or down"),
        (lambda face: moved(face, cv2.getRotationMatrix2D((288, 400), 60, 1), (576, 864)), "tilted", "on its side"),
        (lambda face: moved(face, np.array([[0.2, 0, 0], [0, 0.2, 0]]), (115, 173)), "too_small", "26 pixels"),
        (lambda face: Found(face.pixels[:, 200:], face.points - [200, 0, 0], face.apart), "cut_off", "edge"),
        (lambda face: Found(face.pixels[:610], face.points, face.apart), "too_tight", "neck and shoulders"),
        (eyes_shut, "eyes_shut", "open ones"),
        (mouth_open, "mouth_open", "lips together"),
    ],
)
def test_a_face_that_cannot_speak_is_refused(change: Callable[[Found], Found], code: str, sentence: str) -> None:
    with pytest.raises(PictureRefused, match=sentence) as refused:
        fit(change(found()))
    assert refused.value.code == code


def test_an_open_mouth_is_shut_and_what_was_in_it_is_gone() -> None:
    face = fit(found())
    closed = shut(face.pixels, face.points)
    assert closed.closed is closed.open, "lips that are together are left as they are"
    points, pixels = face.points.copy(), face.pixels.copy()
    between = np.interp(np.arange(576.0), closed.line[:, 0], closed.line[:, 1], 0, 0)
    shape = np.sin(np.linspace(0, math.pi, 11))
    lower = [*mesh.INNER_BOTTOM], [*mesh.LIP_BOTTOM]
    for row in lower:
        points[row, 1] += 14 * shape
    x0, x1 = int(closed.line[0, 0]) + 14, int(closed.line[-1, 0]) - 14
    for x in range(x0, x1):
        rows = np.linspace(0, 1, x1 - x0)[x - x0]
        pixels[int(between[x]) + 1 : int(between[x] + 1 + 13 * math.sin(math.pi * rows)), x] = 255
    teeth = (pixels == 255).all(axis=2).sum()
    mended = shut(pixels, points)
    assert teeth > 300 and (mended.open >= 250).all(axis=2).sum() < 0.03 * teeth
    dark = mended.open.astype(int).sum(axis=2) - mended.closed.astype(int).sum(axis=2)
    row, column = np.unravel_index(dark.argmax(), dark.shape)
    assert dark.max() > 60 and abs(row - np.interp(column, *mended.line.T)) < 2, "a line is drawn where the lips meet"
