"""Where the golden arrays lie: AVATAR_GOLDEN_DIR, else a shared folder beside the checkout; without them it says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[5] / "shared" / "golden" / "ditto"


def golden(name: str) -> dict[str, np.ndarray]:
    """The arrays of one file. Skips the test, saying so, where there are none."""
    folder = Path(os.environ.get("AVATAR_GOLDEN_DIR") or SHARED)
    if not folder.is_dir():
        pytest.skip(f"no golden arrays in {folder}; AVATAR_GOLDEN_DIR names another folder")
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
