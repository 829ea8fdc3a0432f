"""One picture read where it can do no harm: a process of its own, with limits, that finds the faces in it.

One line of JSON comes in, ``{"picture": base64, "most_pixels": n}``, and one goes out. Either the surroundings of the
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
from typing import Any

IRIS_MOST = 170.0
"""Pixels between the irises of what is sent back: a third more than any texture has."""
REACH = 6.2
"""Surroundings that are sent back, in distances between the irises to each side of the eyes."""
FACES_MOST = 3
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
    # MediaPipe's drawing helpers import matplotlib, which nothing here draws with.
    for name in ("matplotlib", "matplotlib.pyplot"):
        sys.modules.setdefault(name, types.ModuleType(name))
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
    import numpy as np
    from mediapipe.python.solutions import face_mesh  # pyright: ignore[reportMissingImports]

    with face_mesh.FaceMesh(static_image_mode=True, max_num_faces=FACES_MOST, refine_landmarks=True) as mesh:
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
    part = image.resize(size, 1 if smaller == 1 else 3, (x0, y0, x1, y1), reducing_gap=3.0)  # 3: bicubic, with area
    moved = (points - [x0, y0, 0]) * [size[0] / (x1 - x0), size[1] / (y1 - y0), size[0] / (x1 - x0)]
    return {
        "width": size[0],
        "height": size[1],
        "rgb": base64.b64encode(part.tobytes()).decode(),
        "points": moved.round(2).tolist(),
        "apart": round(apart, 1),
    }


def main() -> None:
    """``worker.py MEMORY_MB CPU_S``: answer one request."""
    limit(int(sys.argv[1]), int(sys.argv[2]))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not get between
    json.dump(answer(json.loads(sys.stdin.readline())), out)
    out.write("\n")
    out.flush()


if __name__ == "__main__":
    main()
