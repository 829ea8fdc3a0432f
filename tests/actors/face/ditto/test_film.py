"""A film of a person who listens: cut out frame by frame, shown to and fro, ten seconds in all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actors.face.avatars import FILM, MESH
from actors.face.ditto.avatar import film
from actors.face.ditto.avatar.prepare import Preparer
from actors.face.ditto.avatar.source import SourceBroken
from actors.face.ditto.motion.vector import Motion
from actors.face.shelf import Shelf
from tests.actors.face.ditto.films import FRAMES, filmed, sway
from tests.actors.face.faces import found

NOWHERE = Shelf(None)


def test_every_frame_is_cut_where_its_face_is(tmp_path: Path) -> None:
    entry = filmed(tmp_path)
    shown = film.read(entry, 125, Preparer(None, 512), NOWHERE, "")
    assert shown is not None and (len(shown), shown.count) == (125, FRAMES)
    still, away = (np.asarray(shown.square(place, 512), int) for place in (0, 14))
    assert abs(sway(14)[0]) > 20 and np.abs(still - away)[100:400, 100:400].mean() < 4  # it did not leave the square
    corners = [np.linalg.inv(shown.placed[place].cut)[:2, 2] for place in (0, 14)]
    np.testing.assert_allclose(corners[1] - corners[0], sway(14), atol=1e-2)
    first, other = (shown.source(place, 384, 576, 512) for place in (0, 14))
    assert other.portrait.shape == (576, 384, 3) and not np.array_equal(other.portrait, first.portrait)


def test_it_goes_to_and_fro_within_half_the_idle_loop(tmp_path: Path) -> None:
    shown = film.read(filmed(tmp_path), 125, Preparer(None, 64), NOWHERE, "")
    assert shown is not None
    assert list(shown.order[:4]) == [0, 1, 2, 3] and list(shown.order[38:43]) == [38, 39, 39, 38, 37]
    assert max(abs(a - b) for a, b in zip(shown.order[1:], shown.order, strict=False)) == 1


def test_a_longer_film_is_cut(tmp_path: Path) -> None:
    shown = film.read(filmed(tmp_path, 40), 30, Preparer(None, 64), NOWHERE, "")
    assert shown is not None and list(shown.order) == list(range(30))


def test_frames_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, kept, preparer = filmed(tmp_path), Shelf(tmp_path / "shelf"), Preparer(None, 64)
    first = film.read(entry, 125, preparer, kept, "")
    monkeypatch.setattr(Preparer, "about", lambda *_: pytest.fail("looked for again"))
    again = film.read(entry, 125, preparer, kept, "")
    assert first is not None and again is not None
    for one, other in zip(first.placed, again.placed, strict=True):
        np.testing.assert_array_equal(one.cut, other.cut)


def test_a_portrait_is_no_film_and_half_a_film_is_refused(tmp_path: Path) -> None:
    entry = filmed(tmp_path)
    np.savez(entry.folder / MESH, points=found().points)
    with pytest.raises(SourceBroken, match="no landmarks of the film"):
        film.read(entry, 125, Preparer(None, 64), NOWHERE, "")
    np.savez(entry.folder / MESH, points=found().points, film=np.zeros((3, 478, 3)))
    with pytest.raises(SourceBroken, match="40 frames, its landmarks are of 3"):
        film.read(entry, 125, Preparer(None, 64), NOWHERE, "")
    (entry.folder / FILM).write_bytes(b"no film")
    with pytest.raises(SourceBroken, match="cannot be read as video"):
        film.read(entry, 125, Preparer(None, 64), NOWHERE, "")
    (entry.folder / FILM).unlink()
    assert film.read(entry, 125, Preparer(None, 64), NOWHERE, "") is None


def test_what_trembles_is_smoothed_over_thirteen_frames() -> None:
    numbers = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    smooth = film.smoothed(numbers)
    for place in range(30):  # fewer at the ends
        around = numbers[max(0, place - 6) : place + 7]
        np.testing.assert_allclose(smooth[place], around.mean(0), atol=1e-6)
    parts = {"scale": 1, "pitch": 66, "yaw": 66, "roll": 66, "t": 3, "exp": 63, "kp": 63}
    frames = [Motion(**{key: np.full((1, width), n, np.float32) for key, width in parts.items()}) for n in range(20)]
    whole = film.motion(frames)
    assert len(whole) == 20 and whole.kp.shape == (20, 63)
    assert whole.exp[0, 0] == 3 and whole.exp[10, 0] == 10
