"""The first program of a box, already in namespaces of its own: makes its files, and becomes its command.

``python inside.py SPEC``: SPEC is JSON that boxes.py writes. This machine's files are seen, and what is written goes
into a layer in memory. Nothing but the standard library.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KERNEL = ("/proc", "/sys", "/dev")


def mount(*arguments: str, must: bool = True) -> None:
    """Mount it; what is wrong is written where the box's words go."""
    subprocess.run(["mount", *arguments], check=must)


def layers(layer: Path) -> Path:
    """This machine's file systems under a layer that takes what is written. Gives the new root."""
    points = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    others = [p for p in points if p != "/" and not p.startswith((*KERNEL, "/run")) and not f"{layer}/".startswith(p)]
    root = layer / "root"
    root.mkdir()
    for number, point in enumerate(["/", *sorted(p for p in others if os.path.isdir(p))]):
        upper, work = layer / f"upper{number}", layer / f"work{number}"
        upper.mkdir()
        work.mkdir()
        there = f"{root}{point}".rstrip("/")
        os.makedirs(there, exist_ok=True)
        told = f"lowerdir={point},upperdir={upper},workdir={work}"
        mount("-t", "overlay", "overlay", "-o", told, there, must=number == 0)
    for point in KERNEL:
        mount("--rbind", point, f"{root}{point}")
    return root


def put(root: Path, at: str, source: str, size: str) -> None:
    """``source`` at a path of the new root; without a source, memory."""
    there = Path(f"{root}{os.path.realpath(at)}")  # a link, as /var/run is, would lead out of the new root
    if source and os.path.isfile(source):
        there.parent.mkdir(parents=True, exist_ok=True)
        there.touch()
    else:
        there.mkdir(parents=True, exist_ok=True)
    if source:
        mount("--bind", source, str(there))
    else:
        mount("-t", "tmpfs", *(["-o", f"size={size}"] if size else []), "tmpfs", str(there))


def main(spec: dict[str, Any]) -> None:
    """Never returns."""
    subprocess.run(["hostname", spec["name"]], check=True)
    root = layers(Path(spec["layer"]))
    for at, source, size in spec["mounts"]:
        put(root, at, source, size)
    for at, text in spec["files"].items():
        file = Path(f"{root}{at}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # a link would lead out of here
        file.write_text(text, "utf-8")
    os.chroot(root)
    os.chdir("/")
    os.environ["PATH"] = spec["environment"]["PATH"]  # where the program is looked for
    os.execvpe(spec["command"][0], spec["command"], spec["environment"])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
