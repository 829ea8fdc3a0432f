"""Published networks of landmarks, by graphs of their signatures: 203 points, and MediaPipe's detector and mesh."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from actors.face.avatars import BUILT_IN, DEFAULT, Entry, describe
from actors.face.ditto.avatar import crop, mesh
from actors.face.ditto.avatar.points import Landmarks
from actors.face.ditto.avatar.prepare import Preparer
from actors.face.ditto.avatar.source import texture
from actors.face.ditto.convert.__main__ import main
from actors.face.ditto.nets.graph import GraphWrong
from actors.face.shelf import Shelf
from tests.actors.face.ditto.stub import write_graph, write_hubert
from tests.actors.face.faces import found

NOWHERE = Shelf(None)
SQUARE = (1, 3, 224, 224)


def template(seed: int = 3) -> np.ndarray:
    """203 points of no particular face, in shares of the square; the lips below the eyes."""
    points = np.random.default_rng(seed).uniform(0.2, 0.8, (203, 2))
    points[[0, 6, 12, 18]] = [[0.3, 0.4], [0.35, 0.38], [0.4, 0.4], [0.35, 0.42]]
    points[[24, 30, 36, 42]] = [[0.6, 0.4], [0.65, 0.38], [0.7, 0.4], [0.65, 0.42]]
    points[[48, 66]] = [[0.4, 0.7], [0.6, 0.7]]
    return points


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a network of 203 points that sees the template wherever it looks, and tells it third."""
    folder = tmp_path / "models"
    folder.mkdir()
    told = {"a": np.zeros((1, 8)), "b": np.zeros((1, 214)), "landmarks": template().reshape(1, 406)}
    write_graph(folder / "landmark203.onnx", SQUARE, told)
    return folder


def test_points_come_back_in_the_portraits_pixels(models: Path) -> None:
    face = found()
    points = Landmarks(models / "landmark203.onnx")(face.pixels[..., ::-1], face.points)
    to_square = crop.to_square(mesh.outline(face.points), mesh.anchors(face.points), crop.LANDMARKS)
    np.testing.assert_allclose(crop.moved(points, to_square) / 224, template(), atol=1e-4)


def test_it_sees_red_green_blue_from_0_to_1(tmp_path: Path) -> None:
    told = {"landmarks": np.zeros((1, 406))}
    network = Landmarks(write_graph(tmp_path / "mean.onnx", SQUARE, told, weight=1.0))
    face = found()
    white = np.full_like(face.pixels, 255)
    to_square = crop.to_square(mesh.outline(face.points), mesh.anchors(face.points), crop.LANDMARKS)
    seen = crop.moved(network(white, face.points), to_square) / 224
    assert np.abs(seen - seen[0, 0]).max() < 1e-3 and 0.9 < seen[0, 0] <= 1.001  # beyond the picture it is black


def test_with_that_network_the_renderers_square_goes_about_its_points(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    entry = Entry(describe(BUILT_IN / DEFAULT), BUILT_IN / DEFAULT)
    placed = Preparer(models, 512).place(entry, NOWHERE)
    assert "ditto cuts default by 203 points, the mesh stored in its folder" in caplog.text
    face = found()
    points = Landmarks(models / "landmark203.onnx")(texture(entry.folder)[..., ::-1], face.points)
    wanted = crop.to_square(points, crop.anchors(points), crop.SOURCE)
    np.testing.assert_allclose(placed.cut, wanted, atol=1e-2)
    assert not np.allclose(placed.cut, Preparer(None, 512).place(entry, NOWHERE).cut, atol=1)


def test_an_output_without_its_published_name_is_the_third(tmp_path: Path) -> None:
    told = {"x": np.zeros((1, 8)), "y": np.zeros((1, 214)), "853": template().reshape(1, 406)}
    face = found()
    named = Landmarks(write_graph(tmp_path / "n.onnx", SQUARE, {**told, "landmarks": told["853"]}))
    unnamed = Landmarks(write_graph(tmp_path / "u.onnx", SQUARE, told))
    one, other = (net(face.pixels, face.points) for net in (named, unnamed))
    np.testing.assert_array_equal(one, other)


def test_another_network_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(GraphWrong, match=r"narrow\.onnx gives \(1, 214\), not 203 points"):
        Landmarks(write_graph(tmp_path / "narrow.onnx", SQUARE, {"landmarks": np.zeros((1, 214))}))
    with pytest.raises(GraphWrong, match=r"takes \['input'\] and gives \['box'\], not input and landmarks"):
        Landmarks(write_graph(tmp_path / "box.onnx", SQUARE, {"box": np.zeros((1, 4))}))
    with pytest.raises(GraphWrong, match="cannot take an input of shape"):
        Landmarks(write_graph(tmp_path / "size.onnx", (1, 3, 192, 192), {"landmarks": np.zeros((1, 406))}))
    (tmp_path / "landmark203.onnx").write_bytes(b"no graph")
    with pytest.raises(GraphWrong, match="no graph that ONNX Runtime can open"):
        Preparer(tmp_path, 512)


# ---- MediaPipe's networks ----------------------------------------------------------------------------------


def finders(folder: Path, faces: list[tuple[float, float]]) -> Path:
    """A detector that sees faces of a third of the sides about these places, and a mesh that is a diagonal."""
    cells = mesh.cells()
    raw, scores = np.zeros((896, 16)), np.full((896, 1), -9.0)
    for x, y in faces:
        number = int(np.abs(cells - (x, y)).sum(1).argmin())
        off = np.array([x, y]) - cells[number]
        points = np.tile(off, 6)
        points[:4] += -0.1, 0.02, 0.1, -0.02  # the eyes, a little tilted
        raw[number] = 128 * np.concatenate([off, [1 / 3, 1 / 3], points])
        scores[number] = 5
    write_graph(folder / mesh.DETECTOR, (1, 128, 128, 3), {"regressors": raw[None], "classificators": scores[None]})
    line = np.stack([np.linspace(0, 256, 478)] * 3, -1)
    write_graph(folder / mesh.MESH, (1, 256, 256, 3), {"Identity": line.reshape(1, 1, 1, 1434)})
    return folder


def test_a_mesh_is_found_without_mediapipe_and_turned_like_the_face(tmp_path: Path) -> None:
    points = mesh.Finder(finders(tmp_path, [(0.5, 0.4)]))(np.zeros((400, 300, 3), np.uint8))
    assert points is not None and points.shape == (478, 3)
    side, tilt = 400 / 3 * 1.5, np.arctan2(-0.04 * 400, 0.2 * 300)
    np.testing.assert_allclose((points[0, :2] + points[-1, :2]) / 2, [150, 160], atol=0.01)
    across = points[-1] - points[0]
    assert np.hypot(*across[:2]) == pytest.approx(side * np.sqrt(2), rel=1e-4) and across[2] == pytest.approx(side)
    assert np.arctan2(across[1], across[0]) == pytest.approx(np.pi / 4 + tilt, abs=1e-4)


@pytest.mark.parametrize("faces", [[], [(0.25, 0.3), (0.75, 0.3)]])
def test_no_face_and_several_are_nobodys(faces: list[tuple[float, float]], tmp_path: Path) -> None:
    assert mesh.Finder(finders(tmp_path, faces))(np.zeros((400, 300, 3), np.uint8)) is None


def test_an_avatar_without_landmarks_is_found_by_the_models(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = shutil.copytree(BUILT_IN / DEFAULT, tmp_path / "own-1")
    (folder / "mesh.npz").unlink()
    (tmp_path / "models").mkdir()
    Preparer(finders(tmp_path / "models", [(0.5, 0.4)]), 512).place(Entry(describe(folder), folder), NOWHERE)
    assert "the mesh found by the models' networks" in caplog.text


# ---- taken along -------------------------------------------------------------------------------------------


def test_a_conversion_takes_the_landmark_networks_along_and_leaves_those_that_are_not_free(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finders(models, [])
    write_hubert(models / "hubert.onnx")
    (models / "landmark106.onnx").write_bytes(b"x")
    out = tmp_path / "out"
    assert main([*map(str, sorted(models.iterdir())), "--to", str(out)]) == 1
    assert {path.name for path in out.iterdir()} == {
        "blaze_face.onnx", "face_mesh.onnx", "hubert.onnx", "landmark203.onnx"
    }  # fmt: skip
    assert (out / "landmark203.onnx").read_bytes() == (models / "landmark203.onnx").read_bytes()
    told = capsys.readouterr().out
    assert "landmark106.onnx was not converted: InsightFace's networks may not be used commercially" in told
