"""Pictures are decoded by a worker apart; what it answers, and how it fails, is told to a person."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.face import landmarks
from actors.face.landmarker import worker
from actors.face.landmarks import LandmarksMissing, PictureRefused, find_face
from tests.actors.face.faces import answer, found, stub


def test_the_worker_is_given_the_bytes_and_gives_back_the_face(tmp_path: Path) -> None:
    face = found()
    got = find_face(b"a picture", stub(tmp_path, answer(face)))
    assert np.array_equal(got.pixels, face.pixels) and np.allclose(got.points, face.points) and got.apart == 131
    asked = json.loads((tmp_path / "asked.json").read_text())
    assert (base64.b64decode(asked["picture"]), asked["most_pixels"]) == (b"a picture", landmarks.MOST_PIXELS)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"refused": "svg"}, "an SVG drawing.*export it as PNG"),
        ({"refused": "not_a_picture"}, "no PNG, JPEG or WebP"),
        ({"refused": "animated"}, "moves; send a still one"),
        ({"refused": "broken"}, "truncated or broken.*export it again"),
        ({"refused": "memory"}, "too much memory.*make it smaller"),
        ({"refused": "no_face"}, "no face was found.*from the front"),
        ({"refused": "two_faces"}, "more than one face.*cut it"),
        ({"refused": "too_large", "width": 9000, "height": 9000}, "9,000 x 9,000 pixels, 40,000,000 are the most"),
    ],
)
def test_every_refusal_says_what_is_wrong_and_what_to_do(tmp_path: Path, told: Any, sentence: str) -> None:
    with pytest.raises(PictureRefused, match=sentence) as refused:
        find_face(b"", stub(tmp_path, json.dumps(told)))
    assert refused.value.code == told["refused"]


def test_a_worker_that_is_killed_at_its_limit_had_too_large_a_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PictureRefused, match="too much memory"):
        find_face(b"", stub(tmp_path, before="os.kill(os.getpid(), signal.SIGKILL)"))
    assert "died with -9" in caplog.text


def test_a_worker_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PictureRefused, match=r"within 0\.3 s"):
        find_face(b"", stub(tmp_path, before="signal.pause()"), time_s=0.3)


@pytest.mark.parametrize(
    ("says", "before", "sentence"),
    [
        ("", "raise SystemExit('no module named mediapipe')", "broke .no module named mediapipe.*portrait setup"),
        ("not JSON", "", "nonsense.*portrait setup"),
        ("[]", "", "nonsense"),
        ('{"refused": "something else"}', "", "nonsense"),
        ('{"width": 2, "height": 2, "rgb": "AAAA", "points": [], "apart": 1}', "", "nonsense"),
    ],
)
def test_an_environment_that_is_broken_is_to_be_made_again(
    tmp_path: Path, says: str, before: str, sentence: str
) -> None:
    with pytest.raises(LandmarksMissing, match=sentence):
        find_face(b"", stub(tmp_path, says, before=before))


def test_without_the_environment_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(LandmarksMissing, match="run once: avatar portrait setup"):
        landmarks.worker(tmp_path)
    with pytest.raises(LandmarksMissing, match=r"does not start.*avatar portrait setup"):
        find_face(b"", (str(tmp_path / "python"),))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "ready").touch()
    command = landmarks.worker(tmp_path)
    assert command[:2] == (str(tmp_path / "bin" / "python"), "-I") and command[2].endswith("landmarker/worker.py")


def test_the_environment_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ran: list[tuple[str, ...]] = []

    def run(*command: str) -> None:
        ran.append(command)
        if "pip" in command:
            raise LandmarksMissing("no such package; mend that, then: avatar portrait setup")

    monkeypatch.setattr(landmarks, "_run", run)
    with pytest.raises(LandmarksMissing, match="no such package"):
        landmarks.setup(tmp_path / "env")
    assert [command[1:3] for command in ran] == [("-m", "venv"), ("-m", "pip")] and "--no-deps" in ran[1]
    assert not (tmp_path / "env" / "ready").exists()
    assert "because MediaPipe needs NumPy 1" in caplog.text


# ---- the worker's own eyes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "png"),
        (b"\xff\xd8\xff\xe0rest", "jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", ""),
        (b"  <?xml version='1.0'?><svg/>", "svg"),
        (b"\xef\xbb\xbf<svg xmlns=''/>", "svg"),
        (b"GIF89a", ""),
        (b"", ""),
    ],
)
def test_a_picture_is_what_its_bytes_say(data: bytes, kind: str) -> None:
    assert worker.kind(data) == kind


def test_what_is_no_picture_is_refused_before_a_decoder_sees_it() -> None:
    def told(data: bytes) -> Any:
        return worker.answer({"picture": base64.b64encode(data).decode(), "most_pixels": 1})

    assert [told(b"<svg/>"), told(b"hello")] == [{"refused": "svg"}, {"refused": "not_a_picture"}]
