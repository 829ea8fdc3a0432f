"""Somebody's picture to a face with its landmarks: asked of a worker that runs apart, in MediaPipe's environment.

The bytes are decoded over there and nowhere else: a process for each picture, with limits of memory and time, that
answers one line of JSON (landmarker/worker.py). Here is told where that environment lies, how it is made, and what
each refusal means for a person. It knows no avatar.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actors.data import data_folder

log = logging.getLogger(__name__)

SETUP = "avatar portrait setup"
MOST_PIXELS = 40_000_000
"""Of a picture: what the usual telephones make. 40 million take 120 MB as RGB."""
MEMORY_MB = 2_048
"""Address space of the worker. Measured on a small picture: 540 MB, 115 MB of it in use."""
TIME_S = 30.0
POINTS = 478
"""Of MediaPipe's mesh with irises."""

_HERE = Path(__file__).resolve().parent / "landmarker"
_PYTHONS = ((3, 11), (3, 12), (3, 10), (3, 9))
"""That the pinned MediaPipe has wheels for, the best first."""

SENTENCES = {
    "svg": "this is an SVG drawing, not a picture of pixels; export it as PNG",
    "not_a_picture": "this is no PNG, JPEG or WebP picture; export it as one of these and send that",
    "animated": "this picture moves; send a still one: a single frame as PNG, JPEG or WebP",
    "broken": "this picture is truncated or broken and cannot be read; copy or export it again",
    "memory": "this picture takes too much memory to read; make it smaller, 2,000 pixels on the longer side are plenty",
    "no_face": "no face was found in this picture; send one face seen from the front, well lit and large",
    "film_broken": "this film cannot be read; send MP4 or WebM, as telephones and browsers make them",
    "film_no_face": "no face was found in this film at second {second}; send one in which one face is seen throughout",
    "film_faces": "this film shows more than one face at second {second}; send one of the person alone",
    "film_large": "this film has {width} x {height} pixels; make it smaller, 1,920 on the longer side are the most",
    "film_long": "this film takes {seconds} s; 10 s are the most, and of those the first 5 are used",
    "film_short": "this film takes less than a second; send 2 to 5 seconds of somebody who listens, or a picture",
    "two_faces": "there is more than one face in this picture; cut it to the one that shall speak",
}


class PictureRefused(ValueError):
    """A picture that no avatar can be made of; the message is a sentence for the person who sent it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """What is wrong, for programs: ``svg``, ``animated``, ``broken``, ``no_face``, ``two_faces``..."""


class LandmarksMissing(RuntimeError):
    """MediaPipe's environment is not there, or does not work; the message says which command makes it."""


@dataclass(frozen=True, slots=True)
class Found:
    """The one face of a picture and what is around it."""

    pixels: NDArray[np.uint8]
    """BGR (height, width, 3)."""
    points: NDArray[np.float64]
    """(478, 3): x, y and nearness of MediaPipe's landmarks in these pixels."""
    apart: float
    """Pixels between the irises in the picture as it was sent."""


def home() -> Path:
    """Folder of MediaPipe's environment."""
    return data_folder() / "portrait-import"


def worker(folder: Path | None = None) -> tuple[str, ...]:
    """The command that starts a worker. Raises LandmarksMissing."""
    folder = folder or home()
    python = folder / "bin" / "python"
    if not (folder / "ready").is_file() or not python.exists():
        raise LandmarksMissing(
            f"portraits cannot be taken in yet: the part that finds faces is not set up; run once: {SETUP}"
        )
    return str(python), "-I", str(_HERE / "worker.py"), str(MEMORY_MB), str(round(TIME_S))


def find_face(picture: bytes, command: tuple[str, ...], time_s: float = TIME_S) -> Found:
    """The one face of a picture, given as a file's bytes. ``command`` is ``worker()``.

    Blocks up to ``time_s`` seconds. Raises PictureRefused, or LandmarksMissing if the worker cannot be started.
    """
    request = json.dumps({"picture": base64.b64encode(picture).decode(), "most_pixels": MOST_PIXELS}) + "\n"
    try:
        done = subprocess.run(
            command, input=request.encode(), capture_output=True, timeout=time_s, env=bare(), check=False
        )
    except OSError as error:
        raise LandmarksMissing(f"the part that finds faces does not start ({error}); make it again: {SETUP}") from error
    except subprocess.TimeoutExpired:
        raise PictureRefused("too_slow", f"this picture was not read within {time_s:g} s; make it smaller") from None
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        return died(done.returncode, said)
    try:
        return read(json.loads(done.stdout))
    except PictureRefused as error:
        log.info("picture of %d bytes refused: %s", len(picture), said.splitlines()[-1] if said else error.code)
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LandmarksMissing(
            f"the part that finds faces answered nonsense ({error!r}); make it again: {SETUP}"
        ) from error


def died(code: int, said: str) -> Found:
    """Raise what the worker's death means: killed at a limit it is the picture's fault, else the environment's."""
    last = said.splitlines()[-1] if said else f"exit code {code}"
    log.warning("the worker that finds faces died with %d: %s", code, last)
    if code < 0 or "MemoryError" in said or "bad_alloc" in said:
        raise PictureRefused("memory", SENTENCES["memory"])
    raise LandmarksMissing(f"the part that finds faces broke ({last}); make it again: {SETUP}")


def read(answer: dict[str, Any]) -> Found:
    """The worker's answer, checked. Raises PictureRefused, or ValueError on one that is none."""
    if code := answer.get("refused"):
        if code == "too_large":
            raise PictureRefused(
                code,
                f"this picture has {answer['width']:,} x {answer['height']:,} pixels, {MOST_PIXELS:,} are the most; "
                "make it smaller, 2,000 on the longer side are plenty",
            )
        raise PictureRefused(code, SENTENCES[code].format(**answer))
    shape = (int(answer["height"]), int(answer["width"]), 3)
    rgb = np.frombuffer(base64.b64decode(answer["rgb"]), np.uint8).reshape(shape)
    points = np.array(answer["points"], np.float64)
    if points.shape != (POINTS, 3) or not np.isfinite(points).all():
        raise ValueError(f"landmarks of shape {points.shape}")
    return Found(np.ascontiguousarray(rgb[..., ::-1]), points, float(answer["apart"]))


def bare() -> dict[str, str]:
    """The worker's environment variables: as few as it needs, none of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "OMP_NUM_THREADS": "2", "GLOG_minloglevel": "2", "TF_CPP_MIN_LOG_LEVEL": "2"}


# ---- making the environment --------------------------------------------------------------------------------


def setup(folder: Path | None = None) -> Path:
    """Make MediaPipe's environment, some hundred MB, and return its folder; one that is there is made anew.

    Packages come from where pip takes them. Raises LandmarksMissing with pip's last words.
    """
    folder = folder or home()
    python = _python()
    log.info("portrait import: %s with %s, because MediaPipe needs NumPy 1 and we do not", folder, python)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run(python, "-m", "venv", str(folder))
    inside = str(folder / "bin" / "python")
    wanted = ("-r", str(_HERE / "requirements.txt"))
    _run(inside, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", *wanted)
    _run(inside, "-I", "-c", _TRY)
    (folder / "ready").write_text("made by avatar portrait setup\n")
    return folder


_TRY = (
    "import sys, types\n"
    "for name in ('matplotlib', 'matplotlib.pyplot'): sys.modules[name] = types.ModuleType(name)\n"
    "from mediapipe.python.solutions import face_mesh\n"
    "from PIL import Image, ImageCms, features\n"
    "assert features.check('webp')"
)


def _python() -> str:
    """A Python that the pinned MediaPipe has wheels for: this one if it will do."""
    if sys.version_info[:2] in _PYTHONS:
        return sys.executable
    for major, minor in _PYTHONS:
        if found := shutil.which(f"python{major}.{minor}"):
            return found
    names = ", ".join(f"{major}.{minor}" for major, minor in sorted(_PYTHONS))
    raise LandmarksMissing(f"finding faces needs a Python of {names} beside this one; install one, then: {SETUP}")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise LandmarksMissing(f"the part that finds faces could not be set up: {last[0]}; mend that, then: {SETUP}")
