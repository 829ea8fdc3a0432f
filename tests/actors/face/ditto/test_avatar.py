"""An avatar's folder made ready: the face is cut out upright and whole, and pasting it back changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from actors.face.avatars import BUILT_IN
from actors.face.ditto.avatar import eyes
from actors.face.ditto.avatar.paste import paste, place
from actors.face.ditto.avatar.source import SourceBroken, read


def test_the_built_in_portrait_is_cut_and_pasted_back() -> None:
    source = read(BUILT_IN / "default", 384, 576)
    assert source.portrait.shape == (576, 384, 3)
    assert source.square.shape == (512, 512, 3)
    face = np.ascontiguousarray(source.square[..., ::-1])
    back = paste(source.portrait, face.astype(np.float32), source.where)
    assert np.abs(paste(source.portrait, face, source.where).astype(int) - back).max() <= 1
    assert np.abs(back.astype(int) - source.portrait).mean() < 2
    assert (0.2 < source.eye_open).all() and (source.eye_open < 1.5).all()
    assert source.eye_ball.shape == (1, 6)


def test_outlines_and_a_mesh_tell_the_same_of_eyes() -> None:
    """An outline that is a mesh's own points."""
    draw = np.random.default_rng(1)
    mesh = np.zeros((478, 3))
    lids = ((160, 159, 158), (144, 145, 153)), ((385, 386, 387), (380, 374, 373))
    outlines = []
    for (outer, inner), (upper, lower), x in zip(eyes.CORNERS, lids, (100, 200), strict=True):
        left, right = (outer, inner) if x == 100 else (inner, outer)
        mesh[left, :2], mesh[right, :2] = (x, 50), (x + 40, 52)
        for place_, (above, below) in enumerate(zip(upper, lower, strict=True)):
            mesh[above, :2] = x + 10 * (place_ + 1), 45 + draw.random()
            mesh[below, :2] = x + 10 * (place_ + 1), 58 + draw.random()
        over, under = [left, *upper, right], [right, *lower[::-1], left]
        outlines.append(mesh[over + under, :2])
    for iris, x in zip(eyes.IRISES, (100, 200), strict=True):
        mesh[iris, :2] = x + 22, 53
    told = eyes.of_outlines(np.stack(outlines), mesh[list(eyes.IRISES), :2])
    opened, turned = eyes.of_mesh(mesh)
    np.testing.assert_allclose(told[0], opened, atol=1e-6)
    np.testing.assert_allclose(told[1], turned, atol=1e-6)


def test_a_face_outside_the_portrait_changes_nothing() -> None:
    portrait = np.full((20, 30, 3), 7, np.uint8)
    away = place(np.array([[1, 0, 100], [0, 1, 100], [0, 0, 1]], float), 8, 30, 20)
    assert away.box[2:] == (0, 0)
    assert np.array_equal(paste(portrait, np.zeros((8, 8, 3), np.float32), away), portrait)


def test_a_folder_that_tells_no_face_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceBroken, match=r"closed\.png is no picture"):
        read(tmp_path, 384, 576)
    shutil.copy(BUILT_IN / "default" / "closed.png", tmp_path)
    with pytest.raises(SourceBroken, match=r"rig\.toml does not tell where the face is"):
        read(tmp_path, 384, 576)
    (tmp_path / "rig.toml").write_text("lip_line = [[1, 2]]\nface_oval = [[1, 2]]\neyes = []\n")
    with pytest.raises(SourceBroken, match="two eyes"):
        read(tmp_path, 384, 576)
    assert cv2.imread(str(tmp_path / "closed.png")) is not None
