"""What a person wants pulled, what of it must come, and why it may be refused before the first byte.

This file fetches nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.models import archives, places
from actors.models.kinds import Archive, Hub, Model, ModelFile, ModelMissing, ModelWrong, Packed
from streaming.stages import StageError

MARGIN = 200_000_000
"""Bytes that a pull leaves free."""


class Refused(StageError):
    """It must be asked for in so many words, or there is no room; nothing was fetched."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How to pull."""

    trust: bool = False
    """Take files whose hash nobody here knows, and keep the hash that they have."""
    licence: bool = False
    """The person accepts that some models may not be used commercially."""
    jobs: int = 4
    """Files at once."""


def lacking(model: Model) -> list[ModelFile]:
    """Files that must come into the folder of models before the model is whole."""
    try:
        places.whole(model)
    except (ModelMissing, ModelWrong):
        return [file for file in model.files if not _right(file)]
    return []


def _right(file: ModelFile) -> bool:
    try:
        places.checked(file, places.stored(file))
    except (ModelMissing, ModelWrong):
        return False
    return True


def refuse(model: Model, wanted: Sequence[ModelFile], wish: Wish) -> None:
    """Raise Refused where terms must be accepted or files trusted, and were not."""
    order = f"avatar models pull {model.name}"
    if wanted and model.terms and not wish.licence:
        raise Refused(
            f"{model.name} is not for commercial use ({model.licence}: {model.terms});"
            f" if you accept that: {order} --accept-licence"
        )
    unknown = [file for file in wanted if not file.sha256]
    if unknown and not wish.trust:
        also = " --accept-licence" if model.terms else ""
        raise Refused(
            f"nobody has seen {len(unknown)} of the files of {model.name} here, so there is no sha256 to hold them"
            f" against; to take what comes and keep its hash: {order}{also} --trust-first-use"
        )


def _packs(file: ModelFile) -> list[Archive]:
    """The archives that the file's first source needs; none if that is the hub."""
    first = next(source for source in file.sources if isinstance(source, Packed | Hub))
    return [archive for archive, _ in first.parts] if isinstance(first, Packed) else []


def traffic(wanted: Sequence[ModelFile]) -> int:
    """Bytes that come if the first source of each file answers, those of parts included."""
    packs = {archive for file in wanted for archive in _packs(file)}
    return sum(archive.size for archive in packs) + sum(file.size for file in wanted if not _packs(file))


def refuse_without_room(home: Path, wanted: Sequence[ModelFile]) -> None:
    """Raise Refused unless everything fits with a margin, the archives that it comes in included."""
    parts = [part_of(file) for file in wanted]
    here = sum(part.stat().st_size for part in parts if part.exists())
    packs = {archive for file in wanted for archive in _packs(file)}
    needed = sum(file.size for file in wanted) + sum(map(archives.room, packs)) - here
    free = shutil.disk_usage(home).free
    if free < needed + MARGIN:
        raise Refused(
            f"{', '.join(dict.fromkeys(file.model for file in wanted))} need {needed / 1e9:.1f} GB in {home} and"
            f" {free / 1e9:.1f} GB are free; make room (avatar models prune), or name another disk's folder with"
            f" {places.VARIABLE}"
        )


def part_of(file: ModelFile) -> Path:
    """Where the file grows until it is whole."""
    target = places.stored(file)
    return target.with_name(f".{target.name}.part")
