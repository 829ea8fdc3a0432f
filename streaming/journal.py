"""The event log of a conversation: write it, read it, replay it.

One JSON object a line: a header, then every event with the commands it led to, before those were carried out.
The text is canonical (sorted keys, no spaces), so equal objects give equal bytes, and a replay can be compared
byte for byte. Events and commands are read by their declared types; nothing is unpickled.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TextIO, cast
from zlib import crc32

from streaming import commands as _commands
from streaming import events as _events
from streaming import media as _media
from streaming import stages as _stages
from streaming.commands import Command
from streaming.events import Event

VERSION = 1


class JournalError(ValueError):
    """A journal that cannot be read: the line and the reason."""


# ---- objects as JSON ---------------------------------------------------------------------------------------


def _declared() -> dict[str, type]:
    found: dict[str, type] = {}
    for module in (_events, _commands, _stages, _media):
        found |= {k: v for k, v in vars(module).items() if isinstance(v, type) and dataclasses.is_dataclass(v)}
    return found


KINDS = _declared()
"""Every kind of object that a journal may hold, by name."""


def encode(thing: object, *, media: bool = True) -> Any:
    """An event, command or anything in them as plain JSON values.

    ``media`` False keeps only the length and CRC-32 of sound and pictures: enough to compare, not to replay.
    """
    if isinstance(thing, bytes):
        return base64.b64encode(thing).decode() if media else {"bytes": len(thing), "crc": crc32(thing)}
    if isinstance(thing, tuple):
        return [encode(item, media=media) for item in cast(tuple[object, ...], thing)]
    if thing is None or isinstance(thing, str | int | float | bool):
        return thing
    if isinstance(thing, dict):
        return cast(dict[str, Any], thing)  # the schema of a tool is JSON already
    kind = type(thing).__name__
    if KINDS.get(kind) is not type(thing):
        raise TypeError(f"a journal holds the declared events and commands, not {kind}")
    fields = {name: encode(getattr(thing, name), media=media) for name, _ in _fields(type(thing))}
    return {"kind": kind, **fields}


def decode(value: Any) -> Any:
    """The object that ``encode`` wrote. Raises JournalError for what it did not write."""
    if not isinstance(value, dict):
        raise JournalError(f"expected an object with a kind, not {type(value).__name__}")
    plain = cast(dict[str, Any], value)
    kind = KINDS.get(plain.get("kind", ""))
    if kind is None:
        raise JournalError(f"unknown kind {plain.get('kind')!r}")
    try:
        return kind(**{name: read(plain[name]) for name, read in _fields(kind)})
    except KeyError as error:
        raise JournalError(f"{kind.__name__} lacks {error}") from None


@cache
def _fields(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((field.name, _reader(hints[field.name])) for field in dataclasses.fields(kind))


def _reader(hint: Any) -> Callable[[Any], Any]:
    """How a field of this type is read back."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is bytes:
        return _read_bytes
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda values: tuple(item(value) for value in values)
    if origin in (typing.Union, types.UnionType):
        present = [argument for argument in arguments if argument is not type(None)]
        read = decode if all(dataclasses.is_dataclass(argument) for argument in present) else _reader(present[0])
        return lambda value: None if value is None else read(value)
    if dataclasses.is_dataclass(hint):
        return decode
    return lambda value: value  # text, numbers and the schema of a tool are JSON already


def _read_bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise JournalError("this journal was written without media; it can be compared but not replayed")
    return base64.b64decode(value)


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# ---- the log -----------------------------------------------------------------------------------------------


class Journal:
    """Writes a conversation down as it happens; give it to Session as ``journal``."""

    def __init__(self, sink: TextIO, session: str, settings: dict[str, Any], *, media: bool = True) -> None:
        """``settings`` is whatever a replay needs to build the same conversation; it is kept as it is."""
        self._sink = sink
        self._media = media
        self._count = 0
        self._write({"journal": VERSION, "session": session, "settings": settings})

    def __call__(self, event: Event, commands: list[Command]) -> None:
        """Write an event and what it led to; it is in the file before anything is done about it."""
        told = [encode(command, media=self._media) for command in commands]
        self._write({"n": self._count, "event": encode(event, media=self._media), "commands": told})
        self._count += 1

    def _write(self, line: dict[str, Any]) -> None:
        self._sink.write(canonical(line) + "\n")
        self._sink.flush()


@dataclass(frozen=True, slots=True)
class Header:
    """What a journal begins with."""

    session: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event and the commands it led to, as canonical text each."""

    n: int
    event: Event
    commands: tuple[str, ...]


def read(lines: Iterable[str]) -> tuple[Header, Iterator[Entry]]:
    """A journal's header and its entries. Raises JournalError naming the line, for a torn last line as well."""
    numbered = enumerate(lines, 1)
    _, first = next(numbered, (1, ""))
    head = _object(1, first)
    if head.get("journal") != VERSION:
        raise JournalError(f"line 1: not a journal of version {VERSION}; was it written by another release?")
    return Header(head["session"], head["settings"]), _entries(numbered)


def _entries(numbered: Iterator[tuple[int, str]]) -> Iterator[Entry]:
    for expected, (line, text) in enumerate(numbered):
        entry = _object(line, text)
        if entry.get("n") != expected:
            raise JournalError(f"line {line}: event {expected} is missing")
        try:
            event = decode(entry["event"])
        except JournalError as error:
            raise JournalError(f"line {line}: {error}") from None
        yield Entry(expected, event, tuple(canonical(command) for command in entry["commands"]))


def _object(line: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise JournalError(f"line {line}: not whole ({error.msg}); the writer may have been killed there") from None
    if not isinstance(value, dict):
        raise JournalError(f"line {line}: not an object")
    return cast(dict[str, Any], value)


class _Listens(Protocol):
    def on(self, event: Event) -> list[Command]: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that led to other commands than it did when it was recorded."""

    n: int
    recorded: tuple[str, ...]
    fresh: tuple[str, ...]


def replay(entries: Iterable[Entry], conversation: _Listens) -> Iterator[Difference]:
    """Let everything happen again to a fresh conversation; yields only what differs, byte for byte."""
    for entry in entries:
        fresh = tuple(canonical(encode(command)) for command in conversation.on(entry.event))
        if fresh != entry.commands:
            yield Difference(entry.n, entry.commands, fresh)
