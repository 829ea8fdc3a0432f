"""Bringing models into the folder of models: each file whole and right under its name, or not at all.

A file comes from the first of its sources that hands out the right bytes: packages of the registries, then the hub;
a mirror that the environment names goes before them where the hash is known, and after them where it is not. Several
files come at once; one pull at a time works in a folder. What breaks off stays as a part and is taken up again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from actors.models import addresses, archives, manifest, notes, places
from actors.models.fetching import NoAnswer, fetch, refusal, write
from actors.models.kinds import Archive, Hub, Model, ModelFile, Packed
from actors.models.notes import Note
from actors.models.wishes import Wish, lacking, part_of, refuse, refuse_without_room, traffic
from streaming.stages import StageError

ARCHIVES = ".archives"
"""Folder of packages on their way, inside the folder of models."""


class NotFetched(StageError):
    """No source handed out the right file; the message says what each said, and the way without a network."""


class _Stopped(Exception):
    """Another file failed, or the person did not want to wait."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how it goes; called from several threads."""

    begins: Callable[[int], None] = lambda total: None
    """Bytes that will come."""
    arrived: Callable[[int], None] = lambda count: None
    """More bytes; below zero where something began anew."""
    done: Callable[[ModelFile, str], None] = lambda file, origin: None
    """A file is there."""
    waits: Callable[[], None] = lambda: None
    """Another pull is at work in this folder."""


def pull(models: Sequence[Model], wish: Wish | None = None, watch: Watch | None = None) -> list[ModelFile]:
    """Fetch what is missing of these models; return the files that came.

    Raises Refused before the first byte, NotFetched, DiskFull, and StageError where the folder cannot be written.
    """
    wish, watch = wish or Wish(), watch or Watch()
    if not any(map(lacking, models)):
        return []
    home = places.home()
    _make(home)
    try:
        with lock(home, watch.waits):
            return _pull(home, models, wish, watch)
    except OSError as error:
        raise refusal(error, Path(error.filename or home)) from error


def _pull(home: Path, models: Sequence[Model], wish: Wish, watch: Watch) -> list[ModelFile]:
    wanted = [file for model in models for file in lacking(model)]
    for model in models:
        refuse(model, [file for file in wanted if file.model == model.name], wish)
    refuse_without_room(home, wanted)
    watch.begins(traffic(wanted))
    _Pull(home, watch).run(wanted, wish.jobs)
    shutil.rmtree(home / ARCHIVES, ignore_errors=True)
    return wanted


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "no reason given").lower()
        raise StageError(
            f"the folder {folder} cannot be made: {reason}; name another one with {places.VARIABLE}"
        ) from None


@contextlib.contextmanager
def lock(home: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be the only one who writes into the folder of models; wait until it is so. The system frees a dead one's."""
    with (home / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(slots=True)
class _Pull:
    """One pull at work."""

    home: Path
    watch: Watch
    stop: threading.Event = field(default_factory=threading.Event)
    _noting: threading.Lock = field(default_factory=threading.Lock)
    _packing: dict[Archive, threading.Lock] = field(default_factory=dict[Archive, threading.Lock])
    _packed: dict[Archive, Path | NoAnswer] = field(default_factory=dict[Archive, "Path | NoAnswer"])

    def run(self, wanted: Sequence[ModelFile], jobs: int) -> None:
        """All files, the largest first. Raises NotFetched when the others are there, DiskFull at once."""
        self._packing = {
            archive: threading.Lock()
            for file in wanted
            for source in file.sources
            if isinstance(source, Packed)
            for archive, _ in source.parts
        }
        failed: list[NotFetched] = []
        with ThreadPoolExecutor(jobs, "pull") as pool:
            asked = [pool.submit(self._bring, file) for file in sorted(wanted, key=lambda file: -file.size)]
            try:
                for one in as_completed(asked):
                    try:
                        one.result()
                    except NotFetched as error:  # the others may have better sources
                        failed.append(error)
            finally:  # on a full disk, or Ctrl-C
                self.stop.set()
                pool.shutdown(cancel_futures=True)
        if failed:
            more = f"; and {len(failed) - 1} more files" if len(failed) > 1 else ""
            raise NotFetched(f"{failed[0]}{more}")

    def _arrived(self, count: int) -> None:
        if self.stop.is_set():
            raise _Stopped
        self.watch.arrived(count)

    def _bring(self, file: ModelFile) -> None:
        _make(places.stored(file).parent)
        said: list[str] = []
        for told, source in _ways(file):
            if self.stop.is_set():
                raise _Stopped
            try:
                note = self._packed_file(file, source) if isinstance(source, Packed) else self._plain(file, source)
            except NoAnswer as reason:
                said.append(f"{told}: {reason}")
                continue
            self._keep(file, note)
            self.watch.done(file, told)
            return
        other = manifest.MODELS[file.model].stand_in if file.model in manifest.MODELS else ""
        raise NotFetched(
            f"{file.name} could not be fetched ({'; '.join(said)}); "
            + (f"try its stand-in: avatar models pull {other}; " if other else "")
            + f"without a network put the file at {places.stored(file)}, then: avatar models verify {file.model}"
        )

    def _plain(self, file: ModelFile, url: str) -> Note:
        """From an address, into the part."""
        part = part_of(file)
        for resumed in (part.exists(), False):
            if resumed:
                self._arrived(part.stat().st_size)
            told = fetch(url, part, file.size, self._arrived, self.stop.wait)
            found = places.digest(part)
            if found == (file.sha256 or told.sha256 or found):
                commit = f" at {told.commit}" if told.commit else ""
                return Note(found, 0, f"{_bare(url)}{commit}", trusted=not file.sha256)
            part.unlink()
            self._arrived(-file.size)
            if not resumed:  # else the part may have been begun with another file's bytes
                break
        raise NoAnswer("the sha256 of what came is another")

    def _packed_file(self, file: ModelFile, source: Packed) -> Note:
        """Out of archives, into the part."""
        whole = [(self._archive(archive), member) for archive, member in source.parts]
        part, size, found = part_of(file), 0, hashlib.sha256()
        with part.open("wb") as stream:
            for archive, member in whole:
                for block in archives.blocks(archive, member):
                    size += len(block)
                    if self.stop.is_set():
                        raise _Stopped
                    if size > file.size:
                        break
                    found.update(block)
                    write(stream, block, part)
            os.fsync(stream.fileno())
        if (size, found.hexdigest()) != (file.size, file.sha256):
            part.unlink()
            raise NoAnswer("the file in it is another than the one that was tried")
        return Note(found.hexdigest(), 0, ", ".join(archive.told for archive, _ in source.parts))

    def _archive(self, archive: Archive) -> Path:
        """The archive, whole and right; fetched once, however many files it holds. Raises NoAnswer."""
        with self._packing[archive]:
            if archive not in self._packed:
                try:
                    self._packed[archive] = self._fetch_archive(archive)
                except NoAnswer as reason:
                    self._packed[archive] = reason
            got = self._packed[archive]
        if isinstance(got, NoAnswer):
            raise got
        return got

    def _fetch_archive(self, archive: Archive) -> Path:
        folder = self.home / ARCHIVES
        _make(folder)
        target, part = folder / archive.file, folder / f".{archive.file}.part"
        if target.exists() and places.digest(target) == archive.sha256:
            self._arrived(archive.size)
            return archives.readable(target)
        url = addresses.archive(archive)
        if part.exists():
            self._arrived(part.stat().st_size)
        fetch(url, part, archive.size, self._arrived, self.stop.wait)
        if places.digest(part) != archive.sha256:
            part.unlink()
            self._arrived(-archive.size)
            raise NoAnswer(f"the sha256 of {archive.file} is another")
        os.replace(part, target)
        return archives.readable(target)

    def _keep(self, file: ModelFile, note: Note) -> None:
        target = places.stored(file)
        os.replace(part_of(file), target)
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)  # the new name, too, is on the disk
        finally:
            os.close(handle)
        with self._noting:
            known = Note(note.sha256, target.stat().st_mtime_ns, note.origin, note.trusted)
            notes.add(self.home / file.model, {file.path: known})


def _ways(file: ModelFile) -> list[tuple[str, Packed | str]]:
    """What a source is called, and the source: members of archives, or an address."""
    ways: list[tuple[str, Packed | str]] = []
    for source in file.sources:
        if isinstance(source, Packed):
            ways.append((", ".join(dict.fromkeys(archive.told for archive, _ in source.parts)), source))
        elif isinstance(source, Hub):
            ways.append((f"hub {source.repository}", addresses.hub(source)))
    if mirror := addresses.mirror(file):
        ways.insert(0 if file.sha256 else len(ways), ("mirror", mirror))
    return ways


def _bare(url: str) -> str:
    """Without what may be a password."""
    return url.partition("?")[0].rpartition("@")[2]
