"""Published files to a folder that the engine reads: ``python -m actors.face.ditto.convert FILES --to FOLDER``."""

from __future__ import annotations

import argparse
import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from actors.face.ditto.convert.pickles import Refused
from actors.files import write
from streaming.stages import StageError

NAMES = {
    "appearance_extractor": "appearance",
    "motion_extractor": "motion",
    "stitch_network": "stitch",
    "warp_network": "warp",
    "decoder": "decoder",
    "lmdm": "lmdm",
}
"""How published checkpoints begin, and what we call them."""
FORBIDDEN = ("insightface_det.onnx", "landmark106.onnx", "det_10g.onnx", "2d106det.onnx")
TIMEOUT_S = 600


def parts(kind: str, data: bytes) -> dict[str, bytes]:
    """What the locked process makes of a file. Raises Refused."""
    command = [sys.executable, "-m", "actors.face.ditto.convert.child", kind]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, input=data, capture_output=True, env=environment, timeout=TIMEOUT_S)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(said[-1] if said else f"the process that read it ended with {done.returncode}")
    out, at = {}, 0
    while at < len(done.stdout):
        name, length = struct.unpack_from("<16sQ", done.stdout, at)
        at += 24
        out[name.rstrip(b"\0").decode()] = done.stdout[at : at + length]
        at += length
    return out


def convert(path: Path, folder: Path) -> list[Path]:
    """Convert one published file by its name. Raises Refused, or OSError where a file cannot be read or written."""
    if path.suffix == ".onnx":
        return [_graph(path, folder)]
    if path.suffix == ".pkl":
        made = parts("config", path.read_bytes())
        return [write(folder / f"config.{suffix}", part, private=True) for suffix, part in made.items()]
    for begins, name in NAMES.items():
        if path.suffix == ".pth" and path.name.startswith(begins):
            made = parts("weights", path.read_bytes())
            return [write(folder / f"{name}.safetensors", made["safetensors"], private=True)]
    raise Refused(f"a published file is *.onnx, *.pkl, or a .pth that begins with {', '.join(NAMES)}")


def _graph(path: Path, folder: Path) -> Path:
    """A graph is read by ONNX Runtime anyway: its inputs and outputs are looked at, and it is copied as it is."""
    from actors.face.ditto.avatar import mesh, points
    from actors.face.ditto.nets.hubert import Hubert

    if path.name in FORBIDDEN:
        raise Refused(f"InsightFace's networks may not be used commercially; {points.FILE} and a mesh do without them")
    looks = {points.FILE: points.Landmarks, mesh.DETECTOR: mesh.detector, mesh.MESH: mesh.drawer}
    look = looks.get(path.name)
    (look or Hubert)(path)
    return write(folder / (path.name if look else "hubert.onnx"), path.read_bytes(), private=True)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Convert all files that are named; 0 if every one was."""
    parser = argparse.ArgumentParser(prog="python -m actors.face.ditto.convert", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--to", type=Path, required=True, help="folder that the engine will read")
    asked = parser.parse_args(arguments)
    failed = 0
    for path in asked.files:
        try:
            asked.to.mkdir(parents=True, exist_ok=True)
            for made in convert(path, asked.to):
                say(f"{path} -> {made} (sha256 {hashlib.sha256(made.read_bytes()).hexdigest()})")
        except (ValueError, OSError, StageError, subprocess.TimeoutExpired) as error:
            failed += 1
            say(f"{path} was not converted: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
