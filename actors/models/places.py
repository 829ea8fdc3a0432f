"""Where the files of the manifest lie on this machine, and whether they are the right ones.

A file is looked for among the installed packages, then in the folder of models: AVATAR_MODELS, else in the user's
cache. A file that was hashed once is known again by its time of change and its size. Nothing is fetched here, nothing
is imported, nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from actors.models import manifest, notes
from actors.models.kinds import Installed, Model, ModelFile, ModelMissing, ModelWrong

log = logging.getLogger(__name__)

VARIABLE = "AVATAR_MODELS"

_hashed: set[tuple[Path, int, int]] = set()
"""(path, nanoseconds of change, bytes) of files whose hash was right in this process: 0.1 s for 75 MB, once."""


@dataclass(frozen=True, slots=True)
class Found:
    """What ``survey`` says of one file."""

    file: ModelFile
    path: Path | None
    """None if it is missing or wrong."""
    problem: str
    """Empty if all is well."""


def home() -> Path:
    """The folder of models, which may not exist yet: a folder for each model below it."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realtime-avatar" / "models"


def locate(name: str) -> Path:
    """Where the file called ``model/path`` lies. Raises ModelMissing or ModelWrong; KeyError for an unknown name."""
    for file in manifest.FILES:
        if file.name == name:
            return verified(file)
    raise KeyError(f"{name} is not in the manifest; it holds {', '.join(manifest.MODELS)}")


def folder(model: str) -> Path:
    """The folder with all files of a model, each verified, or of the model that stands in for it.

    Raises as ``locate`` does.
    """
    if model not in manifest.MODELS:
        raise KeyError(f"no model called {model} in the manifest; it holds {', '.join(manifest.MODELS)}")
    wanted = manifest.MODELS[model]
    try:
        return whole(wanted)
    except (ModelMissing, ModelWrong) as problem:
        if not wanted.stand_in:
            raise
        try:
            found = whole(manifest.MODELS[wanted.stand_in])
        except (ModelMissing, ModelWrong):
            raise problem from None
        log.info("models: %s stands in for %s, because %s", wanted.stand_in, model, problem)
        return found


def whole(model: Model) -> Path:
    """The folder with all of it, out of one place: half out of a package and half out of a cache may not fit.

    Raises ModelMissing or ModelWrong.
    """
    first: StageProblem | None = None
    for at in range(max(len(list(_places(file))) for file in model.files)):
        try:
            paths = [checked(file, list(_places(file))[at]) for file in model.files]
        except (ModelMissing, ModelWrong) as problem:
            first = _worse(first, problem)
        else:
            depth = len(PurePosixPath(model.files[0].path).parts)
            return paths[0].parents[depth - 1]
    raise first or ModelMissing(f"{model.name} has no files")


StageProblem = ModelMissing | ModelWrong


def _worse(first: StageProblem | None, other: StageProblem) -> StageProblem:
    """The one to tell: a file that is wrong rather than one that is missing, else the first."""
    return other if first is None or (isinstance(first, ModelMissing) and isinstance(other, ModelWrong)) else first


def built(model: str) -> Path:
    """The folder that `avatar models build` made of a model. Raises ModelMissing."""
    found = home() / f"{model}-built"
    if not found.is_dir():
        raise ModelMissing(f"{found} is missing: avatar models pull {model}, then: avatar models build")
    return found


def survey() -> list[Found]:
    """Every file of the manifest and what is wrong with it, if anything."""
    return [look(file) for file in manifest.FILES]


def look(file: ModelFile) -> Found:
    """One file and what is wrong with it, if anything."""
    try:
        return Found(file, verified(file), "")
    except (ModelMissing, ModelWrong) as problem:
        return Found(file, None, str(problem))


def verified(file: ModelFile) -> Path:
    """The path of ``file`` once its size and its sha256 are found right. Raises ModelMissing or ModelWrong."""
    first: StageProblem | None = None
    for place in _places(file):
        try:
            return checked(file, place)
        except (ModelMissing, ModelWrong) as problem:
            first = _worse(first, problem)
    assert first is not None
    raise first


def stored(file: ModelFile) -> Path:
    """Where ``file`` lies, or would lie, in the folder of models."""
    return home() / file.model / file.path


def _places(file: ModelFile) -> Iterator[Path | None]:
    """Where it may lie; None for a package that is not installed."""
    for source in file.sources:
        if isinstance(source, Installed):
            yield _installed(source)
    yield stored(file)


def _installed(source: Installed) -> Path | None:
    try:
        return Path(str(distribution(source.package).locate_file(source.path)))
    except PackageNotFoundError:
        return None


def checked(file: ModelFile, path: Path | None) -> Path:
    """``path`` if ``file`` lies there and is right. Raises ModelMissing or ModelWrong."""
    if path is None:
        [package] = {source.package for source in file.sources if isinstance(source, Installed)}
        raise ModelMissing(f"{file.name} needs the package {package}: {file.mend}")
    try:
        facts = path.stat()
    except OSError:
        raise ModelMissing(f"{file.name} is missing from {path.parent}: {file.mend}") from None
    if facts.st_size != file.size:
        raise ModelWrong(f"{file.name} has {facts.st_size:,} bytes instead of {file.size:,}: {file.mend}")
    key = (path, facts.st_mtime_ns, facts.st_size)
    if key not in _hashed:
        note = notes.read(home() / file.model).get(file.path) if path == stored(file) else None
        wanted = file.sha256 or (note.sha256 if note else "")
        if not wanted:
            raise ModelMissing(f"nobody has vouched for {path}: avatar models verify {file.model} --trust-first-use")
        known = note is not None and (note.sha256, note.changed_ns) == (wanted, facts.st_mtime_ns)
        if not known and digest(path) != wanted:
            raise ModelWrong(f"{file.name} is not the file that was tried (its sha256 differs): {file.mend}")
        _hashed.add(key)
    return path


def digest(path: Path) -> str:
    """The sha256 of a file. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def forget() -> None:
    """Hash files again that were right before."""
    _hashed.clear()
