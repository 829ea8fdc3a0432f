"""Pictures of single poses, and what a broken avatar folder is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from actors.face.avatars import BUILT_IN
from actors.face.portrait.idle import FRAMES, idle_pose
from actors.face.portrait.pose import Pose
from actors.face.portrait.render import Renderer
from actors.face.portrait.rig import AvatarBroken, Portrait, load
from actors.face.portrait.visemes import VISEMES


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return load(BUILT_IN / "default")


@pytest.fixture(scope="module")
def face(portrait: Portrait) -> Renderer:
    return Renderer(portrait, 384, 576)


def mouth(picture: np.ndarray, portrait: Portrait) -> np.ndarray:
    x, y, m = (int(v / 1.5) for v in (*portrait.rig.mouth, portrait.rig.m))
    return picture[y - m // 2 : y + m, x - m : x + m].astype(int)


def test_a_shut_mouth_is_the_portraits_own(portrait: Portrait, face: Renderer) -> None:
    rest = face.draw(Pose())
    barely = face.draw(Pose(lips=np.full(8, 2e-3)))
    assert np.abs(mouth(rest, portrait) - mouth(barely, portrait)).mean() < 0.5


def test_an_open_mouth_is_dark_inside_and_only_the_lower_face_moves(portrait: Portrait, face: Renderer) -> None:
    rest, opened = face.draw(Pose()), face.draw(Pose(lips=VISEMES["A"].target))
    dark = [int((mouth(picture, portrait).max(axis=2) < 115).sum()) for picture in (rest, opened)]
    assert dark[1] > dark[0] + 100
    nose = int(portrait.rig.nose_base[1] / 1.5) - 6
    assert (rest[:nose] == opened[:nose]).all()


def test_nothing_tears_beyond_the_corners(portrait: Portrait, face: Renderer) -> None:
    """Cheeks beside the mouth stay as smooth as they are at rest, in every viseme."""
    rig = portrait.rig
    y, left = int(rig.mouth[1] / 1.5), int((rig.mouth[0] - 1.75 * rig.m) / 1.5)
    right = int((rig.mouth[0] - 1.25 * rig.m) / 1.5)
    at_rest = np.abs(np.diff(face.draw(Pose())[y - 15 : y + 15, left:right].astype(int), axis=0)).max()
    for viseme in VISEMES.values():
        cheek = face.draw(Pose(lips=viseme.target))[y - 15 : y + 15, left:right].astype(int)
        assert np.abs(np.diff(cheek, axis=0)).max() <= at_rest + 12, viseme.name


def test_upper_teeth_stay_with_the_skull(portrait: Portrait, face: Renderer) -> None:
    """The row of teeth lies at the same height however far the jaw drops."""
    x, y, m = (int(v / 1.5) for v in (*portrait.rig.mouth, portrait.rig.m))
    rows = []
    for jaw in (0.35, 0.6):
        lips = np.zeros(8)
        lips[0] = jaw
        column = face.draw(Pose(lips=lips))[y - m // 4 : y + m // 2, x - 6 : x + 6].astype(int).sum(axis=2).mean(axis=1)
        rows.append(int(np.abs(np.diff(column)).argmax()))
    assert abs(rows[0] - rows[1]) <= 1


def test_lids_close_and_eyes_look_aside(portrait: Portrait, face: Renderer) -> None:
    x, y = (int(v / 1.5) for v in portrait.rig.eyes[0].iris_centre)
    eye = (slice(y - 8, y + 8), slice(x - 14, x + 14))
    pictures = [face.draw(pose)[eye].astype(int) for pose in (Pose(), Pose(lid=1), Pose(gaze_x=3), Pose(gaze_x=-3))]
    assert all(np.abs(pictures[0] - other).mean() > 3 for other in pictures[1:])


def test_the_loop_closes_without_a_jump(face: Renderer) -> None:
    across = np.abs(face.draw(idle_pose(FRAMES - 1)).astype(int) - face.draw(idle_pose(FRAMES)).astype(int)).mean()
    inside = np.abs(face.draw(idle_pose(70)).astype(int) - face.draw(idle_pose(71)).astype(int)).mean()
    assert across < 2 * inside + 0.1


def test_a_size_of_another_shape_is_refused(portrait: Portrait) -> None:
    with pytest.raises(ValueError, match="own shape"):
        Renderer(portrait, 384, 384)


@pytest.mark.parametrize(
    ("name", "said"),
    [("rig.toml", "has no rig.toml"), ("closed.png", "closed.png is missing"), ("lids.png", "lids.png is missing")],
)
def test_a_folder_that_lacks_a_file_is_told_which(tmp_path: Path, name: str, said: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(BUILT_IN / "default", folder)
    (folder / name).unlink()
    with pytest.raises(AvatarBroken, match=said):
        load(folder)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(BUILT_IN / "default", folder)
    (folder / "closed.png").write_bytes(b"not a picture")
    with pytest.raises(AvatarBroken, match=r"closed\.png"):
        load(folder)


def test_a_rig_without_a_measure_is_told_which(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(BUILT_IN / "default", folder)
    text = (folder / "rig.toml").read_text("utf-8")
    (folder / "rig.toml").write_text("\n".join(row for row in text.splitlines() if not row.startswith("chin")), "utf-8")
    with pytest.raises(AvatarBroken, match="chin"):
        load(folder)
