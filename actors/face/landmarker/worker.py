"""One picture read where it can do no harm: a process of its own, with limits, that finds the faces in it.

One line of JSON comes in, ``{"picture": base64, "most_pixels": n}``, and one goes out; for a film, ``{"film": number of
an open file, "most_side": n, "most_s": n, "frames": n}``, one for each frame. Either the surroundings of the
one face as plain RGB with its 478 landmarks in those pixels, ``{"width", "height", "rgb": base64, "points":
[[x, y, z]...], "apart": pixels between the irises as they were}``, or ``{"refused": code, ...}``. What a refusal means
for a person is told in actors/face/landmarks.py. It runs in an environment of its own (requirements.txt beside it) and
imports nothing of ours.
"""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import sys
import types
from collections.abc import Iterator
from typing import Any

IRIS_MOST = 170.0
"""Pixels between the irises of what is sent back: a third more than any texture has."""
REACH = 6.2
"""Surroundings that are sent back, in distances between the irises to each side of the eyes."""
FACES_MOST = 3
FILM_APART, FILM_REACH = 136.0, (2.7, 3.1, 2.7, 4.6)
"""The same of a film: pixels between the irises, and surroundings to the left, above, to the right and below."""
FILM_FPS = 25
_IRISES = (468, 473)


def limit(memory_mb: int, cpu_s: int) -> None:
    """Limit this process for good: address space, processor time, no core dump, no file that is written."""
    for what, most in (
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError) as error:  # macOS knows no limit of the address space
            print(f"limit {what} is not set: {error}", file=sys.stderr)


def kind(data: bytes) -> str:
    """What the first bytes say it is: png, jpeg, webp, svg, or empty for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    start = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "svg" if start.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")) else ""


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request."""
    data = base64.b64decode(request["picture"])
    found = kind(data)
    if found in ("", "svg"):
        return {"refused": "svg" if found else "not_a_picture"}
    try:
        picture = _decoded(data, found, request["most_pixels"])
        return picture if isinstance(picture, dict) else _faces(picture)
    except MemoryError:
        return {"refused": "memory"}


def _decoded(data: bytes, form: str, most: int) -> Any:
    """The picture upright in sRGB, or a refusal. What its header says is checked before a pixel is decoded."""
    from PIL import Image, ImageOps  # pyright: ignore[reportMissingImports]

    Image.MAX_IMAGE_PIXELS = None  # the limit below comes first and is ours
    try:
        image = Image.open(io.BytesIO(data), formats=[form.upper()])
        if image.width * image.height > most:
            return {"refused": "too_large", "width": image.width, "height": image.height}
        if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:  # an MPO holds one photo and its previews
            return {"refused": "animated"}
        image.load()
        image = ImageOps.exif_transpose(image)
        return _on_grey(_srgb(image))
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return {"refused": "broken"}


def _srgb(image: Any) -> Any:
    """Colours as a screen shows them; a profile that cannot be used is left out."""
    from PIL import ImageCms  # pyright: ignore[reportMissingImports]

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=image.mode)
    except (ImageCms.PyCMSError, OSError) as error:
        print(f"colour profile: {error}", file=sys.stderr)
        return image


def _on_grey(image: Any) -> Any:
    """RGB, with what shines through laid on a light grey."""
    from PIL import Image  # pyright: ignore[reportMissingImports]

    if image.mode.startswith("I") or image.mode == "F":  # 16 bits: the upper eight
        image = image.point(lambda value: value / 256).convert("L") if image.mode != "F" else image.convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (200, 200, 200, 255))
        image = Image.alpha_composite(paper, image)
    return image.convert("RGB")


def _faces(image: Any) -> dict[str, Any]:
    """Look for faces, and where there is none for a small one; the surroundings of the only one."""
    found = _meshes(image)
    if not found:
        parts = _far(image)
        if len(parts) == 1:
            image = image.crop(parts[0])
            found = _meshes(image)
        elif parts:
            return {"refused": "two_faces"}
    if len(found) != 1:
        return {"refused": "two_faces" if found else "no_face"}
    return _surroundings(image, found[0])


def _meshes(image: Any) -> list[Any]:
    """Landmarks in pixels of every face that takes up more than a twentieth or so of the picture."""
    with _mesh(static_image_mode=True, max_num_faces=FACES_MOST) as mesh:
        return _seen(mesh, image)


def _mesh(**how: Any) -> Any:
    # MediaPipe's drawing helpers import matplotlib, which nothing here draws with.
    for name in ("matplotlib", "matplotlib.pyplot"):
        sys.modules.setdefault(name, types.ModuleType(name))
    from mediapipe.python.solutions import face_mesh  # pyright: ignore[reportMissingImports]

    return face_mesh.FaceMesh(refine_landmarks=True, **how)


def _seen(mesh: Any, image: Any) -> list[Any]:
    import numpy as np

    found = mesh.process(np.asarray(image)).multi_face_landmarks or []
    scale = np.array([image.width, image.height, image.width])
    return [np.array([[p.x, p.y, p.z] for p in face.landmark]) * scale for face in found]


def _far(image: Any) -> list[tuple[int, int, int, int]]:
    """Parts of the picture with a small face in the middle, by MediaPipe's detector for whole rooms."""
    import numpy as np
    from mediapipe.python.solutions import face_detection  # pyright: ignore[reportMissingImports]

    with face_detection.FaceDetection(model_selection=1, min_detection_confidence=0.5) as detector:
        found = detector.process(np.asarray(image)).detections or []
    parts = []
    for face in found:
        box = face.location_data.relative_bounding_box
        x, y = (box.xmin + box.width / 2) * image.width, (box.ymin + box.height / 2) * image.height
        half = 2.5 * max(box.width * image.width, box.height * image.height)
        parts.append((max(0, int(x - half)), max(0, int(y - half)), int(x + half), int(y + half)))
    return [(x0, y0, min(x1, image.width), min(y1, image.height)) for x0, y0, x1, y1 in parts]


def _surroundings(image: Any, points: Any) -> dict[str, Any]:
    left, right = points[_IRISES[0]], points[_IRISES[1]]
    apart = float(((left[:2] - right[:2]) ** 2).sum() ** 0.5)
    middle, reach = (left + right) / 2, REACH * apart
    x0, y0 = max(0, int(middle[0] - reach)), max(0, int(middle[1] - reach))
    x1, y1 = min(image.width, int(middle[0] + reach) + 1), min(image.height, int(middle[1] + reach) + 1)
    smaller = min(1.0, IRIS_MOST / max(apart, 1.0))
    size = (max(1, round((x1 - x0) * smaller)), max(1, round((y1 - y0) * smaller)))
    return _part(image, points, (x0, y0, x1, y1), size)


def _part(image: Any, points: Any, box: tuple[int, int, int, int], size: tuple[int, int]) -> dict[str, Any]:
    """A part of a picture in another size, with its landmarks."""
    x0, y0, x1, y1 = box
    left, right = points[_IRISES[0]], points[_IRISES[1]]
    apart = float(((left[:2] - right[:2]) ** 2).sum() ** 0.5)
    same = size == (x1 - x0, y1 - y0)
    part = image.resize(size, 1 if same else 3, box, reducing_gap=3.0)  # 3: bicubic, with area
    moved = (points - [x0, y0, 0]) * [size[0] / (x1 - x0), size[1] / (y1 - y0), size[0] / (x1 - x0)]
    return {
        "width": size[0],
        "height": size[1],
        "rgb": base64.b64encode(part.tobytes()).decode(),
        "points": moved.round(2).tolist(),
        "apart": round(apart, 1),
    }


# ---- films -------------------------------------------------------------------------------------------------


def film(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A line for each of the first ``frames`` frames, 25 a second; or a refusal, which ends it."""
    import cv2  # pyright: ignore[reportMissingImports]

    opened = cv2.VideoCapture(f"/dev/fd/{request['film']}", cv2.CAP_FFMPEG)
    if not opened.isOpened():
        yield {"refused": "film_broken"}
        return
    width, height, rate, count = (opened.get(what) for what in (3, 4, 5, 7))
    if max(width, height) > request["most_side"]:
        yield {"refused": "film_large", "width": int(width), "height": int(height)}
    elif not 5 <= rate <= 240:
        yield {"refused": "film_broken"}
    elif count / rate > request["most_s"]:
        yield {"refused": "film_long", "seconds": round(count / rate, 1)}
    else:
        yield from _frames(opened, rate, request["frames"])


def _frames(opened: Any, rate: float, most: int) -> Iterator[dict[str, Any]]:
    from PIL import Image  # pyright: ignore[reportMissingImports]

    box: tuple[int, int, int, int] | None = None
    size, sent, number = (0, 0), 0, 0
    with _mesh(static_image_mode=False, max_num_faces=2) as mesh:
        while sent < most:
            there, pixels = opened.read()
            if not there:
                break
            number += 1
            if number <= sent * rate / FILM_FPS:
                continue
            image = Image.fromarray(pixels[..., ::-1].copy())
            found = _seen(mesh, image)
            if len(found) != 1:
                yield {"refused": "film_faces" if found else "film_no_face", "second": round(sent / FILM_FPS, 1)}
                return
            if box is None:
                box, size = _window(image, found[0])
            told = _part(image, found[0], box, size)
            while sent < most and number > sent * rate / FILM_FPS:  # a slow film shows a frame twice
                sent += 1
                yield told
    if not sent:
        yield {"refused": "film_broken"}


def _window(image: Any, points: Any) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """What every frame is cut to, and the size it gets: what the first one needs."""
    left, right = points[_IRISES[0]], points[_IRISES[1]]
    apart = float(((left[:2] - right[:2]) ** 2).sum() ** 0.5)
    (x, y), (before, above, after, below) = (left + right)[:2] / 2, (side * apart for side in FILM_REACH)
    x0, y0 = max(0, int(x - before)), max(0, int(y - above))
    x1, y1 = min(image.width, int(x + after) + 1), min(image.height, int(y + below) + 1)
    smaller = min(1.0, FILM_APART / max(apart, 1.0))
    return (x0, y0, x1, y1), (max(1, round((x1 - x0) * smaller)), max(1, round((y1 - y0) * smaller)))


def main() -> None:
    """``worker.py MEMORY_MB CPU_S``: answer one request."""
    limit(int(sys.argv[1]), int(sys.argv[2]))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not get between
    request = json.loads(sys.stdin.readline())
    for line in film(request) if "film" in request else iter([answer(request)]):
        json.dump(line, out)
        out.write("\n")
    out.flush()


if __name__ == "__main__":
    main()
