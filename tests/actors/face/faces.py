"""A found face without MediaPipe: the built-in portrait with its landmarks as MediaPipe gave them, and stub workers."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import cv2
import numpy as np

from actors.face.avatars import BUILT_IN, DEFAULT
from actors.face.landmarks import Found

LANDMARKS = Path(__file__).parent / "portrait" / "landmarks.json"


def found() -> Found:
    """The built-in portrait, looking into the camera with its lips together."""
    pixels = cv2.imread(str(BUILT_IN / DEFAULT / "closed.png"), cv2.IMREAD_COLOR)
    assert pixels is not None
    points = np.array(json.loads(LANDMARKS.read_text()))
    return Found(np.asarray(pixels, np.uint8), points, 131.0)


def answer(face: Found) -> str:
    """What the worker would say of it."""
    height, width = face.pixels.shape[:2]
    rgb = base64.b64encode(np.ascontiguousarray(face.pixels[..., ::-1]).tobytes()).decode()
    told = {"width": width, "height": height, "rgb": rgb, "points": face.points.tolist(), "apart": face.apart}
    return json.dumps(told)


def stub(folder: Path, says: str = "", *, before: str = "") -> tuple[str, ...]:
    """A worker that reads its request, does ``before`` and says this; it keeps the request beside itself."""
    said = folder / "says.json"
    said.write_text(says)
    script = folder / "worker.py"
    script.write_text(
        "import sys, os, signal\n"
        "request = sys.stdin.readline()\n"
        f"open({str(folder / 'asked.json')!r}, 'w').write(request)\n"
        f"{before}\n"
        f"print(open({str(said)!r}).read())\n"
    )
    return sys.executable, "-I", "-S", str(script)
