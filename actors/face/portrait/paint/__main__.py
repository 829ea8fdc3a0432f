"""`python -m actors.face.portrait.paint [--scale N] [--out FOLDER]`: paint the built-in portrait."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from actors.face.portrait.paint.assets import FOLDER, write_all


def main() -> None:
    """Read the arguments and paint."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=int, default=2, help="how much finer than the texture to paint (default 2)")
    options.add_argument("--out", type=Path, default=FOLDER, help="folder for the assets")
    options.add_argument("--seed", type=int, default=11, help="seed of every random detail")
    given = options.parse_args()
    cv2.setNumThreads(1)
    write_all(given.out, given.scale, given.seed)


if __name__ == "__main__":
    main()
