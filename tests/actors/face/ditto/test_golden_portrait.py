"""The portrait's part against numbers that the published code gave on made-up inputs: cuts, eyes, mesh and pasting.

Where there are no such numbers, a plain calculation of the same (plain.py) stands in for them.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from actors.face.ditto.avatar import crop, eyes, mesh
from actors.face.ditto.avatar.paste import paste, place, soft_square
from tests.actors.face.ditto.golden import close, golden, unread

PIXELS = 500.0
"""Size of the places that cuts are calculated of."""
CUTS = {
    "lmk": crop.LANDMARKS,
    "src": crop.SOURCE,
    "src_norot": crop.Cut(512, 2.3, -0.125, upright=False),
    "src_vx": crop.SOURCE,  # a shift to the side, which published code takes and does not use
}


@pytest.mark.parametrize("points", ["106", "203"])
def test_a_face_is_cut_out_about_its_points(points: str) -> None:
    given = golden("crop")
    found = crop.anchors(given[f"pts{points}"])
    close(found, given[f"pt2_{points}"])
    for name, cut in CUTS.items():
        to_square = crop.to_square(given[f"pts{points}"], found, cut)
        close(to_square, given[f"M_o2c_{points}_{name}"], of=PIXELS)
        close(np.linalg.inv(to_square), given[f"M_c2o_{points}_{name}"], of=PIXELS)
    square = crop.square(given[f"pts{points}"], found, crop.SOURCE)
    close(square.centre, given[f"rect_center_{points}"])
    close(np.repeat(square.side, 2), given[f"rect_size_{points}"])
    close(np.array(square.turned), given[f"rect_angle_{points}"])
    with pytest.raises(ValueError, match="203 or 106 points, not by 5"):
        crop.anchors(np.zeros((5, 2)))


def test_a_picture_is_cut_out_as_published() -> None:
    given = golden("crop")
    assert str(given["image_formula_note_rgb"]).startswith("r=(x*.6)%256 g=(y*.6)%256 b=((x+y)*.3)%256, H=420 W=400")
    y, x = np.mgrid[:420, :400]
    picture = np.stack([x * 0.6 % 256, y * 0.6 % 256, (x + y) * 0.3 % 256], -1).astype(np.uint8)
    cut = given["M_o2c_203_lmk"][:2].astype(np.float64)
    side = crop.LANDMARKS.side
    out = np.asarray(cv2.warpAffine(picture, cut, (side, side), flags=cv2.INTER_LINEAR), int)
    assert np.abs(out[::4, ::4] - given["crop_203_lmk_every4"]).max() <= 1


def test_pictures_are_made_smaller_as_published() -> None:
    given = golden("crop")
    for (height, width, most), wanted in zip(
        given["check_resize_in_hw_max"].tolist(), given["check_resize_out_h_w_flag"].tolist(), strict=True
    ):
        size = crop.limited(height, width, most, 2)
        assert [*size, size != (height, width)] == wanted


def test_mediapipes_networks_are_read_as_published() -> None:
    given = golden("mediapipe_post")
    close(mesh.cells(), given["anchor_xy"])
    at = given["anchor_xy"][given["raw_sel"]]
    found = mesh.detections(given["raw_boxes_sel"], given["raw_scores_sel"], at)
    found[:, :4] *= 128  # the file's boxes are in pixels of the network's input, its points in shares of it
    close(found, given["detections"])
    x, y, side, height, turned = given["roi"].tolist()
    assert side == height
    close(mesh.projected(given["mesh_in_first5"], mesh.Region(x, y, side, turned)), given["mesh_out_first5"])
    eyes_ = np.array([[-0.1 * np.cos(turned), -0.1 * np.sin(turned)], [0.1 * np.cos(turned), 0.1 * np.sin(turned)]])
    box = [
        x - side / 3,
        y - side / 4,
        x + side / 3,
        y + side / 4,
    ]  # a face that leads to this region, 1.5 times as wide
    face = np.concatenate([np.array(box) / 500, (eyes_ + 0.4).reshape(-1), np.zeros(8), [1]])
    region = mesh.region(face, 500, 500)
    close(np.array([region.x, region.y, region.side, region.side, region.turned]), given["roi"])


def test_eyes_are_open_and_turned_as_the_mesh_says() -> None:
    given = golden("eye_attributes")
    assert set(given["landmark_index"].tolist()) == {*sum(eyes.CORNERS, ()), *sum(sum(eyes.LIDS, ()), ()), *eyes.IRISES}
    for number, some in enumerate(given["landmarks"]):
        mesh = np.zeros((478, 3), np.float32)
        mesh[given["landmark_index"]] = some
        opened, turned = eyes.of_mesh(mesh)
        close(opened, given["LR_open"][number])
        close(turned.reshape(3, 2), given["LR_ball_move"][number])


def test_a_face_is_put_back_with_soft_edges() -> None:
    given = golden("mask_putback")
    mask = soft_square(512, 512)
    close(mask[26], given["mask512_row26"])
    close(mask[5], given["mask512_row5"])
    close(mask[:, 10], given["mask512_col10"])
    close(mask[:64, :64], given["mask512_corner64"])
    close(mask[-64:, -64:], given["mask512_corner64_br"])
    assert mask.sum() == pytest.approx(float(given["mask_sum"]))
    close(soft_square(40, 30, (0.8, 0.9)), given["mask40x30"])
    height, width = given["frame"].shape[:2]
    ramp = np.tile(np.linspace(0, 250, 512, dtype=np.float32), (512, 1))
    out = paste(given["frame"], np.stack([ramp, ramp.T, 255 - ramp], -1), place(given["M_c2o"], 512, width, height))
    assert np.abs(out.astype(int) - given["out_numpy"]).max() <= 1
    assert np.abs(out.astype(int) - given["out_fast"]).max() <= 1


def test_every_array_is_compared(request: pytest.FixtureRequest) -> None:
    assert unread({"crop", "eye_attributes", "mask_putback", "mediapipe_post"}, request) == []
