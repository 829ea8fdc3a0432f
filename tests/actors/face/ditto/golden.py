"""Where the golden arrays come from: a folder of them, else a plain slow calculation of the same on inputs of a seed.

The folder is AVATAR_GOLDEN_DIR, or a shared one beside the checkout; AVATAR_GOLDEN_DIR= is none, and then
AVATAR_GOLDEN_SEED chooses the inputs. Which arrays a test has read is noted, so that none is left that nobody compares.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.actors.face.ditto.plain import NAMES, calculated

SHARED = Path(__file__).resolve().parents[5] / "shared" / "golden" / "ditto"
ROUNDED = 1e-6
"""Of a number's size: eight steps of single precision, one or two for each of some sums and roots."""
READ: set[tuple[str, str]] = set()
"""File and array of everything that was asked for."""


def close(got: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-5, of: float | None = None) -> None:
    """Equal in shape and, but for this much, in numbers.

    Published numbers were rounded on the way as ours are; those of the plain calculation were not, and may differ by
    what single precision loses ``of`` numbers of that size, by default of their own.
    """
    assert np.shape(got) == wanted.shape
    if _folder() is None:
        tolerance = max(tolerance, ROUNDED * (np.nanmax(np.abs(wanted)) if of is None else of))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)


class Arrays(dict[str, np.ndarray]):
    """The arrays of one file; looking one up is noted."""

    def __init__(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(arrays)
        self.name = name

    def __getitem__(self, key: str) -> np.ndarray:
        READ.add((self.name, key))
        return super().__getitem__(key)


@cache
def _loaded(name: str) -> dict[str, np.ndarray]:
    folder = _folder()
    if folder is None:
        if name not in NAMES:
            pytest.skip(f"{name} is compared only with a folder of golden arrays; AVATAR_GOLDEN_DIR names one")
        return calculated(name, int(os.environ.get("AVATAR_GOLDEN_SEED", "0")))
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def _folder() -> Path | None:
    named = os.environ.get("AVATAR_GOLDEN_DIR", str(SHARED))
    folder = Path(named)
    if named and named != str(SHARED) and not folder.is_dir():
        pytest.fail(f"AVATAR_GOLDEN_DIR names {named}, which is no folder")
    return folder if named and folder.is_dir() else None


def golden(name: str) -> Arrays:
    """The arrays of one file. Skips the test, saying so, where there are none."""
    return Arrays(name, _loaded(name))


def files() -> set[str]:
    """All files that there are."""
    folder = _folder()
    return {path.stem for path in folder.glob("*.npz")} if folder else set(NAMES)


def unread(of: set[str], request: pytest.FixtureRequest) -> list[str]:
    """Arrays of these files that no test of the module looked at. Skips unless all of its tests were run."""
    there = {name for name in vars(request.module) if name.startswith("test_")}
    ran = {item.originalname for item in request.session.items if getattr(item, "module", None) is request.module}  # type: ignore[attr-defined]
    if there - ran:
        pytest.skip("what is compared can be said only of the whole file")
    return sorted(f"{name}/{key}" for name in of for key in _loaded(name) if (name, key) not in READ)
