"""A gold set: texts to be spoken and understood, and recordings with what is said in them.

A set is a TOML file, a JSONL file or a folder with ``transcripts.tsv``. Whatever is wrong with one is told with its
file, its line and what to write instead, before any model is loaded. This file measures nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from serve_app.errors import UserError
from serve_app.evaluating.words import units
from serve_app.wav import LIMIT_S, read_question
from streaming.media import MIC_RATE, samples

MOST_CASES = 1000
MOST_CHARACTERS = 1000
"""Of one text: a minute of speech and more."""
MOST_SPOKEN = 50_000
"""Characters of all texts that are spoken: about an hour, of which 290 MB are kept in memory."""
MOST_S = 3600.0
"""Of all recordings together, in seconds: 115 MB are kept in memory."""
TRANSCRIPTS = "transcripts.tsv"
BUILT_IN = "english"

_KEYS = {"id", "text", "audio", "language", "ask"}
_TOP = {"about", "language", "seed", "case"}


@dataclass(frozen=True, slots=True)
class Case:
    """One text, or one recording and what is said in it."""

    id: str
    text: str
    """What is to be understood."""
    language: str
    """ISO 639-1."""
    audio: Path | None = None
    """A recording; None: the voice speaks the text."""
    ask: bool = False
    """The text is a question: it is also put to the whole service, and the answer is timed."""


@dataclass(frozen=True, slots=True)
class GoldSet:
    """The cases of an evaluation."""

    name: str
    cases: tuple[Case, ...]
    seed: int
    """Of the voice."""
    digest: str
    """Of what the cases say: two sets with the same are the same set. Recordings count by their bytes."""

    def quick(self, most: int) -> GoldSet:
        """The first cases, questions first: to see that it works."""
        chosen = sorted(self.cases, key=lambda case: not case.ask)[:most]
        return GoldSet(
            f"{self.name}, {len(chosen)} of {len(self.cases)}", tuple(chosen), self.seed, _digest(chosen, self.seed)
        )


def read(wanted: str = BUILT_IN) -> GoldSet:
    """The set of that name, file or folder. Raises UserError with the file, the line and what to do."""
    shipped = files("serve_app.evaluating") / "sets" / f"{wanted}.toml"
    if re.fullmatch(r"[a-z-]+", wanted) and shipped.is_file() and not Path(wanted).is_dir():
        path = Path(str(shipped))
    else:
        path = Path(wanted)
    if path.is_dir():
        rows, seed = _of_folder(path), 0
    elif path.suffix == ".toml":
        rows, seed = _of_toml(path)
    elif path.suffix == ".jsonl":
        rows, seed = _of_jsonl(path), 0
    elif path.exists():
        raise UserError(f"{path} is no set; a set is a .toml or .jsonl file, or a folder with {TRANSCRIPTS}")
    else:
        raise UserError(f"there is no set {wanted!r}; name {BUILT_IN}, a .toml or .jsonl file, or a folder")
    cases = _checked(path, rows)
    return GoldSet(path.stem, cases, seed, _digest(cases, seed))


Row = tuple[str, dict[str, Any]]
"""Where a case stands (``FILE, line 3``), and what is written there."""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line} is not UTF-8; save it as UTF-8") from None


def _of_toml(path: Path) -> tuple[list[Row], int]:
    text = _text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from None
    if unknown := sorted(content.keys() - _TOP):
        raise UserError(f"{path} has no key {unknown[0]!r}; it may hold {', '.join(sorted(_TOP))}")
    cases, seed = content.get("case", []), content.get("seed", 0)
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise UserError(f"{path}: a case begins with a line [[case]]")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UserError(f"{path}: seed is a whole number from 0 on, not {seed!r}")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*case\s*\]\]", line)]
    if len(lines) != len(cases):  # written in another way, which has no line of its own for a case
        places = [f"{path}, case {number}" for number in range(1, len(cases) + 1)]
    else:
        places = [f"{path}, line {line}" for line in lines]
    usual = {"language": content["language"]} if "language" in content else {}
    return [(place, {**usual, **case}) for place, case in zip(places, cases, strict=True)], seed


def _of_jsonl(path: Path) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"{place} is not JSON ({error}); write one object a line") from None
        if not isinstance(row, dict):
            raise UserError(f'{place} is no object; write {{"text": "..."}}')
        rows.append((place, row))
    return rows


def _of_folder(folder: Path) -> list[Row]:
    table = folder / TRANSCRIPTS
    if not table.is_file():
        raise UserError(
            f"{folder} has no {TRANSCRIPTS}; write one: the name of a sound file, a tab, what is said in it"
        )
    rows: list[Row] = []
    for number, line in enumerate(_text(table).splitlines(), 1):
        if not line.strip():
            continue
        name, *rest = line.split("\t")
        if not rest or len(rest) > 2:
            raise UserError(
                f"{table}, line {number} has {len(rest)} tabs; write the name of a sound file, a tab, what is said in"
                " it and, after another tab, its language if that is not English"
            )
        row = {"audio": name, "text": rest[0], "language": rest[1].strip() if len(rest) > 1 else "en"}
        rows.append((f"{table}, line {number}", row))
    return rows


def _checked(path: Path, rows: Sequence[Row]) -> tuple[Case, ...]:
    if not rows:
        raise UserError(f"{path} holds no case; write at least one")
    if len(rows) > MOST_CASES:
        raise UserError(f"{path} has {len(rows):,} cases, {MOST_CASES:,} are the most; make two sets of it")
    folder = path if path.is_dir() else path.parent
    found: dict[str, str] = {}
    cases: list[Case] = []
    for number, (place, row) in enumerate(rows, 1):
        case = _case(place, row, number, folder)
        if case.id in found:
            raise UserError(f"{place}: the id {case.id!r} is that of {found[case.id]} too; give every case its own")
        found[case.id] = place
        cases.append(case)
    spoken = sum(len(case.text) for case in cases if not case.audio)
    if spoken > MOST_SPOKEN:
        raise UserError(f"{path}: {spoken:,} characters are to be spoken, {MOST_SPOKEN:,} are the most; make two sets")
    return tuple(cases)


def _case(place: str, row: dict[str, Any], number: int, folder: Path) -> Case:
    if unknown := sorted(row.keys() - _KEYS):
        raise UserError(f"{place}: a case has no {unknown[0]!r}; it may hold {', '.join(sorted(_KEYS))}")
    for key in ("id", "text", "audio", "language"):
        if key in row and not (isinstance(row[key], str) and row[key].strip()):
            raise UserError(f"{place}: {key} is empty or no text; write it in quotation marks")
    if not isinstance(ask := row.get("ask", False), bool):
        raise UserError(f"{place}: ask is true or false, not {ask!r}")
    if "text" not in row:
        raise UserError(f"{place} has no text; write what is to be spoken, or what is said in the recording")
    text, language = row["text"].strip(), row.get("language", "en")
    if not re.fullmatch(r"[a-z]{2,3}", language):
        raise UserError(f"{place}: {language!r} is no language; write two letters, as en, es or zh")
    if len(text) > MOST_CHARACTERS:
        raise UserError(f"{place}: the text has {len(text):,} characters, {MOST_CHARACTERS:,} are the most; cut it")
    if not units(text, language):
        raise UserError(f"{place}: there is no word in {text[:40]!r}; write at least one")
    audio = folder / row["audio"] if "audio" in row else None
    if audio is not None and not audio.is_file():
        raise UserError(f"{place}: there is no sound file {audio}; paths count from the folder of the set")
    usual = audio.stem if audio else f"case-{number}"
    return Case(row.get("id", usual), text, language, audio, ask)


def recordings(gold: GoldSet) -> dict[str, bytes]:
    """Id -> PCM16 mono at 16 kHz of every case with a recording. Raises UserError (wav.AudioFileError)."""
    sounds: dict[str, bytes] = {}
    seconds = 0.0
    for case in gold.cases:
        if case.audio:
            sounds[case.id] = read_question(case.audio, LIMIT_S)
            seconds += samples(sounds[case.id]) / MIC_RATE
            if seconds > MOST_S:
                raise UserError(f"the recordings last more than {MOST_S / 60:g} minutes; make two sets of them")
    return sounds


def _digest(cases: Sequence[Case], seed: int) -> str:
    total = hashlib.sha256(str(seed).encode())
    for case in cases:
        sound = _hash(case.audio) if case.audio else ""
        total.update(json.dumps([case.id, case.text, case.language, sound, case.ask]).encode())
    return total.hexdigest()[:16]


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
