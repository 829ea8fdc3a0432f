"""The painted asset set keeps its promises to the renderer; nothing is painted here."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import actors.face.portrait

FOLDER = Path(actors.face.portrait.__file__).parent / "avatars" / "default"
PATCHES = ("cavity", "lower_teeth", "tongue", "upper_teeth")


@pytest.fixture(scope="module")
def rig() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "rig.toml").read_text())


def picture(name: str) -> np.ndarray:
    pixels = cv2.imread(str(FOLDER / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, f"{name}.png is missing or unreadable; paint it again"
    return pixels


def border(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def test_the_whole_set_is_small_and_left_without_half_written_files() -> None:
    assert not list(FOLDER.glob("*.part"))
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1.9e6


def test_the_resting_portrait_is_rgb_at_texture_size(rig: dict[str, Any]) -> None:
    assert picture("closed").shape == (864, 576, 3)
    assert rig["size"] == [576, 864]


def test_the_parted_lips_differ_from_the_resting_ones_only_inside_their_box(rig: dict[str, Any]) -> None:
    x0, y0, x1, y1 = rig["open_box"]
    parted, resting = picture("open"), picture("closed")[y0:y1, x0:x1]
    assert parted.shape == resting.shape
    assert np.array_equal(border(parted), border(resting))
    lip_row = round(rig["mouth_centre"][1]) - y0
    middle = round(rig["mouth_centre"][0]) - x0
    dark, pale = (p[lip_row - 2 : lip_row + 5, middle].mean(axis=1).min() for p in (resting, parted))
    assert pale > dark + 15


def test_each_lid_state_can_be_pasted_without_a_seam_and_hides_more_of_the_eye(rig: dict[str, Any]) -> None:
    x0, y0, x1, y1 = rig["lid_box"]
    resting = picture("closed")[y0:y1, x0:x1]
    states = np.split(picture("lids"), len(rig["lid_states"]))
    assert rig["lid_states"] == [0.2, 0.4, 0.6, 0.8, 0.92, 1.0]
    changed = [np.abs(state.astype(int) - resting).mean() for state in states]
    assert all(state.shape == resting.shape and np.array_equal(border(state), border(resting)) for state in states)
    assert all(later > earlier for earlier, later in pairwise(changed[:5]))


def test_the_lip_line_runs_left_to_right_between_the_outer_edges(rig: dict[str, Any]) -> None:
    line, top, low = (np.array(rig[name]) for name in ("lip_line", "upper_lip_top", "lower_lip_bottom"))
    assert len(line) >= 9 and (np.diff(line[:, 0]) > 0).all()
    assert np.allclose([line[0], line[-1]], rig["mouth_corners"], atol=0.02)
    assert np.isclose(line[-1, 0] - line[0, 0], 2 * rig["m"], atol=0.05)
    inner = slice(1, -1)
    assert (top[inner, 1] < line[inner, 1]).all() and (low[inner, 1] > line[inner, 1]).all()


def test_each_iris_lies_in_its_opening_with_room_to_look_aside(rig: dict[str, Any]) -> None:
    left, right = rig["eyes"]
    assert left["centre"][0] < rig["face_centre"][0] < right["centre"][0]
    for eye in rig["eyes"]:
        opening = np.array(eye["opening"], np.float32)
        (x, y), r = eye["iris_centre"], eye["iris_radius"]
        for look in (-3.0, 0.0, 3.0):
            assert cv2.pointPolygonTest(opening, (x + look, y), False) > 0
        assert opening[:, 0].min() < x - r - 3 and opening[:, 0].max() > x + r + 3


def test_the_mouth_interior_is_wide_enough_and_neither_black_nor_white(rig: dict[str, Any]) -> None:
    m, (x, y) = rig["m"], rig["mouth_centre"]
    for name in PATCHES:
        pixels, patch = picture(name), rig["patches"][name]
        assert pixels.shape == (patch["size"][1], patch["size"][0], 4)
        seen = pixels[pixels[..., 3] > 200][:, :3]
        assert seen.max() < 250 and seen.max(axis=1).min() > 30
        assert abs(patch["anchor"][0] + patch["size"][0] / 2 - x) < 1.5
    cavity = rig["patches"]["cavity"]
    assert cavity["size"][0] >= 2.55 * m
    assert cavity["anchor"][1] < y - 0.3 * m and cavity["anchor"][1] + cavity["size"][1] > y + 1.4 * m
