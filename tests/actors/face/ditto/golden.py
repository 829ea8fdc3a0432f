"""Where the golden arrays lie: AVATAR_GOLDEN_DIR, else a shared folder beside the checkout, else the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[4] / "shared" / "golden" / "ditto"


def folder() -> Path:
    named = os.environ.get("AVATAR_GOLDEN_DIR")
    if named:
        return Path(named)
    return SHARED if SHARED.is_dir() else HERE / "golden"


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(folder() / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
