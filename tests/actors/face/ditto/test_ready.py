"""Ditto's own idle loop, films and odd sizes, with small networks: loop, reply and clip are of one piece."""

from __future__ import annotations

import tests.actors.face.ditto.needs  # isort: skip  # noqa: F401  # skips this file where torch is missing

import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from actors.face import shelf
from actors.face.avatars import BUILT_IN, DEFAULT, find
from actors.face.coders import Picture
from actors.face.ditto import loop
from actors.face.ditto.engine import Ditto
from actors.face.ditto.motion.vector import keypoints
from actors.face.ditto.ready import Ready
from actors.face.video import read_video
from streaming.media import FRAME, FramePacket, frames_for
from streaming.stages import FaceState, StageError
from tests.actors.face.ditto.films import filmed
from tests.actors.face.ditto.tiny import ditto
from tests.actors.face.speech import sound, span

PCM = sound()
TOTAL = frames_for(len(PCM) // 2)


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with a film and a portrait of odd height."""
    root = tmp_path_factory.mktemp("avatars")
    filmed(root)
    odd = shutil.copytree(BUILT_IN / DEFAULT, root / "odd")
    (odd / "rig.toml").write_text("shown = [384, 579]\n" + (odd / "rig.toml").read_text())
    return root


@pytest.fixture(scope="module")
def face(home: Path, folder: Path) -> Ditto:
    return ditto(folder=folder, weights="tiny")


def ready(face: Ditto, name: str, folder: Path) -> Ready:
    return face._face(find(name, folder).avatar)


def drawn(face: Ditto, name: str, folder: Path, idle_frame: int = 0) -> list[np.ndarray]:
    items = list(face.draw(span(PCM, idle_frame=idle_frame), find(name, folder).avatar, None))
    return [item.pixels for item in items if isinstance(item, Picture) and item.pixels is not None]


# ---- the idle loop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "film-1"])
def test_the_loop_closes_within_two_pixels(name: str, face: Ditto, folder: Path) -> None:
    made = ready(face, name, folder)
    assert len(made.idle) == 250
    places = keypoints(made.idle)[..., :2] * 256  # in pixels of the square of 512
    steps = np.abs(np.roll(places, -1, 0) - places).max((1, 2))
    assert steps[-1] <= max(2.0, float(np.quantile(steps, 0.95)))
    if name == "film-1":
        edges = [made.shot(frame).source.portrait for frame in (249, 0, 250)]
        assert all(np.array_equal(edges[0], edge) for edge in edges[1:])


async def test_the_clip_is_250_frames_drawn_once_for_these_weights(
    face: Ditto, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    avatar = find("default", folder).avatar
    clip = await face.idle(avatar)
    path = folder / "clip.mp4"
    path.write_bytes(clip)
    frames = list(read_video(path))
    assert [pts for pts, _ in frames] == [k * FRAME for k in range(250)]
    assert frames[0][1].shape == (576, 384, 3)
    made = ready(face, "default", folder)
    for frame in (0, 100, 249):
        exact = face._drawn(made, frame, made.idle.frame(frame))
        assert cv2.PSNR(frames[frame][1], exact) > 24  # such networks draw noise, which codes badly
    monkeypatch.setattr(loop, "clip", lambda *_: pytest.fail("drawn again"))
    assert await face.idle(avatar) == clip
    assert await ditto(folder=folder, weights="tiny").idle(avatar) == clip  # another process of the same weights
    with pytest.raises(BaseException, match="drawn again"):
        await ditto(seed=1, folder=folder, weights="others").idle(avatar)


def test_a_reply_starts_and_ends_on_frames_of_the_clip(face: Ditto, folder: Path) -> None:
    made = ready(face, "default", folder)
    pictures = drawn(face, "default", folder, idle_frame=240)
    last = (240 + TOTAL - 1) % 250
    assert np.array_equal(pictures[-1], face._drawn(made, last, made.idle.frame(last)))
    first = face._drawn(made, 240, made.idle.frame(240)).astype(int)
    off = [np.abs(picture - first).mean() for picture in pictures]
    assert off[0] < 0.6 * np.median(off)  # one ninth of the reply's own motion


def test_what_is_kept_lies_under_the_avatars_name_and_goes_with_it(face: Ditto, home: Path, folder: Path) -> None:
    ready(face, "film-1", folder)
    kept = {path.name.partition("-")[0] for path in (home / "realtime-avatar" / "prepared" / "film-1").iterdir()}
    assert kept == {"film", "seen", "idle"}
    shelf.clear("film-1")
    assert not (home / "realtime-avatar" / "prepared" / "film-1").exists()


def test_without_a_name_for_the_weights_nothing_is_kept(home: Path, folder: Path) -> None:
    shelf.clear("odd")
    ready(ditto(folder=folder), "odd", folder)
    assert not (home / "realtime-avatar" / "prepared" / "odd").exists()


# ---- films -------------------------------------------------------------------------------------------------


def test_speech_goes_on_top_of_the_films_own_frames(face: Ditto, folder: Path) -> None:
    pictures = drawn(face, "film-1", folder, idle_frame=120)
    made = ready(face, "film-1", folder)
    for number in (0, 3, 9, 20):
        under = made.shot(120 + number).source
        x, y, across, down = under.where.box
        outside = np.ones(under.portrait.shape[:2], bool)
        outside[y : y + down, x : x + across] = False
        assert np.array_equal(pictures[number][outside], under.portrait[outside])
    assert len({picture.tobytes() for picture in pictures}) > TOTAL // 2


def test_of_the_speech_a_film_takes_only_the_expression(face: Ditto, folder: Path) -> None:
    made = ready(face, "film-1", folder)
    vectors = np.random.default_rng(1).normal(size=(3, 265)).astype(np.float32)
    moved = made.moved(123, vectors, np.zeros(265, np.float32))
    for number, place in enumerate((123, 124, 124)):  # it turns back at its end
        for part in ("scale", "pitch", "yaw", "roll", "t", "kp"):
            np.testing.assert_array_equal(getattr(moved, part)[number], getattr(made.own, part)[place])
        assert not np.array_equal(moved.exp[number], made.own.exp[place])
    assert made.mind.eye_open.shape == (125, 2) and made.mind.eye_ball.shape == (125, 6)


def test_a_film_that_cannot_be_shown_is_refused_in_one_sentence(face: Ditto, folder: Path) -> None:
    entry = filmed(folder, 30, name="broken")
    (entry.folder / "source.mp4").write_bytes(b"no film")
    with pytest.raises(StageError, match=r"the face cannot be 'broken': .*source\.mp4 cannot be read as video"):
        next(iter(face.draw(span(PCM), entry.avatar, None)))


# ---- odd sizes ---------------------------------------------------------------------------------------------


async def test_an_odd_portrait_is_shown_as_it_is_and_coded_even(face: Ditto, folder: Path) -> None:
    avatar = find("odd", folder).avatar
    assert (avatar.width, avatar.height, avatar.coded_width, avatar.coded_height) == (384, 579, 384, 580)
    pictures = drawn(face, "odd", folder)
    assert {picture.shape for picture in pictures} == {(579, 384, 3)}
    packets = [item async for item in face.animate(span(PCM), avatar, None)]
    assert isinstance(packets[0], FramePacket) and isinstance(packets[-1], FaceState)
    codec = av.CodecContext.create("h264", "r")
    [frame] = codec.decode(av.Packet(packets[0].data)) or codec.decode(None)
    shown = frame.to_ndarray(format="bgr24")
    assert shown.shape == (580, 384, 3)
    assert cv2.PSNR(shown[540:579], pictures[0][540:]) > 28
    assert np.abs(shown[579].astype(int) - shown[578]).mean() < 6  # the last row again, but for the coding
