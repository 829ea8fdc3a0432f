"""The work of `avatar models`: list the trained weights, pull them, verify them, build engines of them, prune them."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence, Sized
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from actors import models
from actors.models import Model, ModelFile, needs, pulling, tending, wishes
from actors.models.fetching import refusal
from serve_app.app import choices, hearing
from serve_app.errors import UserError
from serve_app.progress import Progress
from serve_app.settings import Settings, load, profiles

BUILD = "actors.face.ditto.export.build"
"""Where Ditto's engines are built; it needs the extra ``ditto``."""


def needed(settings: Settings) -> list[str]:
    """Names of the models without which the engines of these settings do not start."""
    engines = {**hearing(settings), **choices(settings)}.values()
    read = chain.from_iterable(needs.needed(choice.engine, choice.arguments) for choice in engines)
    return list(dict.fromkeys(read))


def _named(names: Sequence[str]) -> list[Model]:
    for name in names:
        if name not in models.MODELS:
            raise UserError(f"there is no model {name!r}; choose out of {', '.join(models.MODELS)}")
    return [models.MODELS[name] for name in dict.fromkeys(names)]


def counted(files: Sized) -> str:
    """How many files there are, in words."""
    return "1 file" if len(files) == 1 else f"{len(files)} files"


def show(chosen: argparse.Namespace) -> int:
    """Print every model: where it is, how large, under what licence; what the profile needs is marked."""
    wanted = needed(load(chosen.profile))
    for model in models.MODELS.values():
        lacks = wishes.lacking(model)
        state = "here" if not lacks else "absent" if len(lacks) == len(model.files) else "in part"
        mark = "*" if model.name in wanted else " "
        licence = model.licence + ("" if all(file.sha256 for file in model.files) else ", hashes not known")
        print(f"{mark} {model.name:<19} {state:<7} {model.size / 1e6:>8,.1f} MB  {model.about}; {licence}")
    print(f"* the profile {load(chosen.profile).profile} needs it; pulled models lie in {models.home()}")
    return 0


def pull(chosen: argparse.Namespace) -> int:
    """Fetch models, by default those that the profile needs. Raises StageError, one sentence."""
    if chosen.jobs < 1:
        raise UserError(f"--jobs is {chosen.jobs}; write 1 or more")
    wanted = _named(chosen.model or needed(load(chosen.profile)))
    wish = wishes.Wish(trust=chosen.trust_first_use, licence=chosen.accept_licence, jobs=chosen.jobs)
    with Progress() as progress:
        came = pulling.pull(wanted, wish, _Shown(progress).watch())
    size = sum(file.size for file in came)
    if came:
        print(f"{counted(came)}, {size / 1e6:,.1f} MB, in {models.home()}")
    else:
        print(f"nothing to fetch: {', '.join(model.name for model in wanted)} are here")
    return 0


class _Shown:
    """How far a pull is: a bar for a terminal, a line for each file otherwise. Called from several threads."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock = progress, threading.Lock()
        self._come = self._total = 0

    def watch(self) -> pulling.Watch:
        return pulling.Watch(begins=self._begins, arrived=self._arrived, done=self._done, waits=self._waits)

    def _begins(self, total: int) -> None:
        self._total = total

    def _arrived(self, count: int) -> None:
        with self._lock:
            self._come += count
            self._progress.show("fetching", self._come, self._total, f"{self._come / 1e6:,.0f} MB")

    def _done(self, file: ModelFile, origin: str) -> None:
        if sys.stderr.isatty():
            return
        with self._lock:
            print(f"{file.name}: {file.size / 1e6:,.1f} MB from {origin}", file=sys.stderr, flush=True)

    def _waits(self) -> None:
        print("another pull is at work in this folder; waiting for it", file=sys.stderr, flush=True)


def verify(chosen: argparse.Namespace) -> int:
    """Hash everything that is here anew; 1 if something is wrong, or if a model that was named is not whole."""
    named = _named(chosen.model)
    wrong = 0
    for model in named or list(models.MODELS.values()):
        if not named and len(wishes.lacking(model)) == len(model.files) and not _any(model):
            continue
        try:
            found = tending.verify([model], chosen.trust_first_use)
        except OSError as error:
            raise refusal(error, Path(error.filename or models.home())) from None
        bad = [one for one in found if one.problem]
        for one in bad:
            print(one.problem)
        if not bad:
            print(f"{model.name}: {counted(found)}, {model.size / 1e6:,.1f} MB, as in the manifest")
        wrong += len(bad)
    return 1 if wrong else 0


def _any(model: Model) -> bool:
    return any((models.home() / file.name).exists() for file in model.files)


def build(chosen: argparse.Namespace) -> int:
    """Make what the face engine reads out of the published Ditto. Raises UserError, StageError.

    The published checkpoints are pickles: they are taken apart once, in a locked process, and never again.
    """
    source = models.folder("ditto")
    try:
        builder: Any = import_module(BUILD)
        from actors.face.ditto.convert.__main__ import convert
    except ImportError as error:
        raise UserError(
            f"nothing can be built here ({error}); install what builds it: pip install 'realtime-avatar[ditto]'"
        ) from None
    folder = models.home() / tending.BUILT["ditto"]
    folder.mkdir(parents=True, exist_ok=True)
    with Progress() as progress:
        for count, file in enumerate(files := models.MODELS["ditto"].files):
            progress.show("converting", count, len(files), file.path)
            try:
                convert(source / file.path, folder)
            except ValueError as error:
                raise UserError(f"{file.path} was not converted: {error}") from None
        builder.build(
            folder,
            runtime=chosen.runtime,
            target=chosen.target,
            precision=chosen.precision,
            progress=lambda what, share: progress.show("building", share, 1.0, what),
        )
    print(folder)
    return 0


def prune(chosen: argparse.Namespace) -> int:
    """Remove what no named profile needs (default: none of those that ship), and parts; ask first."""
    kept = chain.from_iterable(needed(load(name)) for name in chosen.profile or profiles())
    spares = tending.spare(list(kept))
    if not spares:
        print(f"nothing to remove in {models.home()}")
        return 0
    for one in spares:
        print(f"{one.size / 1e6:>8,.1f} MB  {one.path}: {one.why}")
    total = f"{sum(one.size for one in spares) / 1e6:,.1f} MB"
    if not chosen.yes:
        if not sys.stdin.isatty():
            raise UserError(f"nothing was removed; to remove these {total}: avatar models prune --yes")
        if input(f"remove these {total}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return 0
    try:
        tending.remove(spares)
    except OSError as error:
        raise refusal(error, Path(error.filename or models.home())) from None
    print(f"removed {total}")
    return 0
