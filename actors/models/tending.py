"""Looking after the folder of models: hashing everything anew, vouching for files, removing what nobody needs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.models import manifest, notes, places
from actors.models.kinds import Model, ModelFile
from actors.models.notes import Note
from actors.models.places import Found
from actors.models.pulling import ARCHIVES, lock

BUILT = {"ditto": "ditto-built"}
"""Model -> folder beside it that is made of it."""
COPIES = {"xtts-v2": ("model.safetensors",)}
"""Model -> files that its engine makes in its folder, so as not to read a pickle twice."""


def verify(models: Sequence[Model], trust: bool = False) -> list[Found]:
    """Hash every file of these models anew, whatever was noted of it before.

    ``trust``: a file of the right size in the folder of models whose hash nobody knows is taken as right from now on.
    Raises OSError.
    """
    home = places.home()
    if home.is_dir():
        with lock(home):
            for model in models:
                _note(home / model.name, model.files, trust)
    places.forget()
    return [places.look(file) for model in models for file in model.files]


def _note(folder: Path, files: Sequence[ModelFile], trust: bool) -> None:
    """Write down what the files' hashes are; a wrong one loses its note."""
    before, now = notes.read(folder), dict[str, Note]()
    for file in files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size:
            continue
        note, found = before.get(file.path), places.digest(path)
        if not file.sha256 and note is None and not trust:
            continue
        origin = note.origin if note else ""
        keeps = note.sha256 if note and not (trust and not file.sha256) else file.sha256 or found
        # A time of change that no file has: whoever reads it hashes the file and finds it wrong.
        now[file.path] = Note(keeps, path.stat().st_mtime_ns if found == keeps else 0, origin, not file.sha256)
    if now:
        notes.add(folder, now)


@dataclass(frozen=True, slots=True)
class Spare:
    """Something in the folder of models that nobody needs."""

    path: Path
    size: int
    """Bytes."""
    why: str


def spare(needed: Sequence[str]) -> list[Spare]:
    """Models other than these names, parts, archives and strangers. Nothing is removed."""
    home, found = places.home(), list[Spare]()
    made = {BUILT[name] for name in needed if name in BUILT}
    for path in sorted(home.iterdir()) if home.is_dir() else []:
        if path.name == ".lock" or path.name in made:
            continue
        if path.name == ARCHIVES:
            found.append(Spare(path, _size(path), "packages on their way"))
        elif path.name not in (*manifest.MODELS, *BUILT.values()):
            found.append(Spare(path, _size(path), "not in the manifest"))
        elif path.name not in needed:
            found.append(Spare(path, _size(path), "no profile that was named needs it"))
        else:
            known = {file.path for file in manifest.MODELS[path.name].files}
            known |= {notes.NAME, *COPIES.get(path.name, ())}
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and str(inner.relative_to(path)) not in known:
                    why = "half a file" if inner.name.endswith(".part") else "not in the manifest"
                    found.append(Spare(inner, inner.stat().st_size, why))
    return found


def remove(spares: Sequence[Spare]) -> None:
    """Remove them. Raises OSError."""
    with lock(places.home()):
        for one in spares:
            if one.path.is_dir() and not one.path.is_symlink():
                shutil.rmtree(one.path)
            else:
                one.path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(inner.lstat().st_size for inner in path.rglob("*") if inner.is_file())
