"""The avatar library and the idle clip that is shipped with the built-in face."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest

from actors.face.avatars import BUILT_IN, AvatarUnknown, describe, find, library
from actors.face.portrait.idle import FRAMES, idle_pose, write_clip
from actors.face.portrait.render import Renderer
from actors.face.portrait.rig import load
from actors.face.video import read_video
from streaming.media import FRAME
from streaming.stages import Avatar


def test_the_built_in_face_is_there() -> None:
    assert library()["default"].avatar == Avatar("default", 384, 576, 384, 576, 25, 250)


def test_a_users_avatars_come_beside_it_and_may_replace_it(tmp_path: Path) -> None:
    for name in ("mine", "default"):
        shutil.copytree(BUILT_IN / "default", tmp_path / name)
    (tmp_path / "notes").mkdir()
    entries = library(tmp_path)
    assert sorted(entries) == ["default", "mine"]
    assert entries["default"].folder == tmp_path / "default"


def test_a_missing_user_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert library(tmp_path / "nowhere").keys() == library().keys()


def test_an_unknown_avatar_is_answered_with_those_there_are() -> None:
    with pytest.raises(AvatarUnknown, match="no avatar 'nobody'; there are: default"):
        find("nobody")


@pytest.mark.parametrize("name", ["../up", "Mine", "a b", ""])
def test_names_that_cannot_be_ids_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot name an avatar|is no avatar"):
        describe(tmp_path / name)


def test_the_shipped_idle_clip_shows_this_face() -> None:
    entry = find("default")
    assert entry.idle_clip is not None
    assert entry.idle_clip.stat().st_size < 800_000
    face = Renderer(load(entry.folder), entry.avatar.width, entry.avatar.height)
    shown = list(read_video(entry.idle_clip))
    assert [pts for pts, _ in shown] == [k * FRAME for k in range(FRAMES)]
    for frame in (0, 48, 129, 249):
        assert cv2.PSNR(shown[frame][1], face.draw(idle_pose(frame))) > 33, "run: python -m actors.face.portrait.idle"


def test_an_idle_clip_is_made_for_any_avatar(tmp_path: Path) -> None:
    shutil.copytree(BUILT_IN / "default", tmp_path / "mine", ignore=shutil.ignore_patterns("idle.mp4"))
    clip = write_clip(tmp_path / "mine")
    assert clip == tmp_path / "mine" / "idle.mp4"
    assert sum(1 for _ in read_video(clip)) == FRAMES
