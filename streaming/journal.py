"""The event log of a conversation: write it, read it, replay it.

One JSON object a line: a header, then every event with the commands it led to, before those were carried out.
The text is canonical (sorted keys, no spaces, ASCII), so equal objects give equal bytes, a replay can be compared
byte for byte, and any text fits in any file as one line. Events and commands are read by their declared types and
checked against them; nothing is unpickled.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import logging
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, TextIO, cast
from zlib import crc32

from streaming import commands as _commands
from streaming import events as _events
from streaming import pace as _pace
from streaming import stages as _stages
from streaming.commands import Command
from streaming.events import Event

log = logging.getLogger(__name__)

VERSION = 1


class JournalError(ValueError):
    """A journal that cannot be read: the line and the reason."""


class JournalTorn(JournalError):
    """A line that is not whole: the writer was killed there, or the file was cut."""


# ---- objects as JSON ---------------------------------------------------------------------------------------


def _declared() -> dict[str, type]:
    found: dict[str, type] = {}
    for module in (_events, _commands, _stages, _pace):
        found |= {k: v for k, v in vars(module).items() if isinstance(v, type) and dataclasses.is_dataclass(v)}
    return found


KINDS = _declared()
"""Every kind of object that a journal may hold, by name. None has a field ``kind``: that is the name's place."""

_PLAIN: frozenset[type] = frozenset({str, int, bool, float, type(None)})
_Read = Callable[[Any], Any]


def encode(thing: object, *, media: bool = True) -> Any:
    """An event, command or anything in them as plain JSON values.

    ``media`` False keeps only the length and CRC-32 of sound and pictures: enough to compare, not to replay.
    """
    kind = type(thing)
    if kind in _PLAIN:
        return thing
    if isinstance(thing, bytes):
        return base64.b64encode(thing).decode() if media else {"bytes": len(thing), "crc": crc32(thing)}
    if isinstance(thing, tuple):
        return [encode(item, media=media) for item in cast(tuple[object, ...], thing)]
    if isinstance(thing, dict):
        return cast(dict[str, Any], thing)  # the schema of a tool is JSON already
    if KINDS.get(kind.__name__) is not kind:
        raise TypeError(f"a journal holds the declared events and commands, not {kind.__name__}")
    values = {name: encode(getattr(thing, name), media=media) for name, _, _ in _fields(kind)}
    return {"kind": kind.__name__, **values}


def decode(value: Any) -> Any:
    """The object that ``encode`` wrote, now or in an earlier release: a field that was not there yet has its default.

    Raises JournalError for what it did not write.
    """
    return _anything(value)


@cache
def _fields(kind: type) -> tuple[tuple[str, _Read, bool], ...]:
    """Name, how it is read, and whether it may be absent: it has a default, as every field has that came later."""
    hints, told = typing.get_type_hints(kind), dataclasses.fields(kind)
    absent = dataclasses.MISSING
    return tuple(
        (field.name, _reader(hints[field.name]), not (field.default is absent and field.default_factory is absent))
        for field in told
    )


def _reader(hint: Any) -> _Read:
    """How a field of this type is read back."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is bytes:
        return _read_bytes
    if origin is tuple:
        return _each(_reader(arguments[0]))
    if origin is Literal:
        return _checked(lambda value: value in arguments, " or ".join(map(repr, arguments)))
    if origin in (typing.Union, types.UnionType):
        present = [argument for argument in arguments if argument is not type(None)]
        read = _reader(present[0]) if len(present) == 1 else _object_of(frozenset(kind.__name__ for kind in present))
        return read if len(present) == len(arguments) else lambda value: None if value is None else read(value)
    if dataclasses.is_dataclass(hint):
        return _object_of(frozenset({cast(type, hint).__name__}))
    kind = cast(type, dict if origin is Mapping else hint)
    if kind not in {*_PLAIN, dict}:
        raise TypeError(f"nobody told how a journal holds {kind}")
    return _checked(lambda value: type(value) is kind, kind.__name__)


def _object_of(names: frozenset[str]) -> _Read:
    def read(value: Any) -> Any:
        name, plain = _named(value, names)
        return _built(KINDS[name], plain)

    return read


def _named(value: Any, names: frozenset[str]) -> tuple[str, dict[str, Any]]:
    """The kind of an encoded object, one of ``names``, and the object itself."""
    if not isinstance(value, dict):
        raise JournalError(f"expected an object with a kind, not {type(value).__name__}")
    plain = cast(dict[str, Any], value)
    name = plain.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise JournalError(f"unknown kind {name!r}")
    if name not in names:
        raise JournalError(f"{name} has no place here")
    return name, plain


def _built(kind: type, plain: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for name, read, may_lack in _fields(kind):
        if name not in plain:
            if may_lack:
                continue
            raise JournalError(f"{kind.__name__} lacks {name!r}")
        try:
            values[name] = read(plain[name])
        except ValueError as error:  # also of text that is not base64
            raise JournalError(f"{kind.__name__}.{name}: {error}") from None
    if strange := plain.keys() - values.keys() - {"kind"}:
        raise JournalError(f"{kind.__name__} has no {min(strange)!r}; was it written by another release?")
    return kind(**values)


def _each(read: _Read) -> _Read:
    check = _checked(lambda values: isinstance(values, list), "list")
    return lambda values: tuple(read(value) for value in check(values))


def _checked(fits: Callable[[Any], bool], wanted: str) -> _Read:
    def read(value: Any) -> Any:
        if not fits(value):
            raise JournalError(f"expected {wanted}, not {value!r:.40s}")
        return value

    return read


def _read_bytes(value: Any) -> bytes:
    if type(value) is dict:
        raise JournalError("this journal was written without media; it can be compared but not replayed")
    if type(value) is not str:
        raise JournalError("expected sound or pictures in base64")
    return binascii.a2b_base64(value, strict_mode=True)


_anything = _object_of(frozenset(KINDS))
_event = _object_of(frozenset(kind.__name__ for kind in typing.get_args(Event)))
_COMMANDS = frozenset(kind.__name__ for kind in typing.get_args(Command))


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


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


def read(lines: Iterable[str], *, torn_tail: bool = False) -> tuple[Header, Iterator[Entry]]:
    """A journal's header and its entries. Raises JournalError naming the line and the reason.

    With ``torn_tail`` a last line that is not whole ends the entries with a line in the log: the writer was killed
    there, and what stands before is good. Anywhere else it is an error, as is an event that is missing.
    """
    numbered = enumerate(lines, 1)
    _, first = next(numbered, (1, ""))
    head = _object(1, first)
    if head.get("journal") != VERSION:
        raise JournalError(f"line 1: not a journal of version {VERSION}; was it written by another release?")
    session, settings = head.get("session"), head.get("settings")
    if not isinstance(session, str) or not isinstance(settings, dict):
        raise JournalError("line 1: lacks the session's name or its settings")
    return Header(session, cast(dict[str, Any], settings)), _entries(numbered, torn_tail)


def _entries(numbered: Iterator[tuple[int, str]], torn_tail: bool) -> Iterator[Entry]:
    for expected, (line, text) in enumerate(numbered):
        try:
            entry = _object(line, text)
        except JournalTorn as error:
            if not torn_tail or next(numbered, None) is not None:
                raise
            log.warning("the journal ends with a torn line, %d events before it are good: %s", expected, error)
            return
        if entry.get("n") != expected:
            raise JournalError(f"line {line}: event {expected} is missing; here is {entry.get('n')!r}")
        try:
            event, commands = _event(entry.get("event")), _told(entry.get("commands"))
        except JournalError as error:
            raise JournalError(f"line {line}: {error}") from None
        yield Entry(expected, event, commands)


def _told(commands: Any) -> tuple[str, ...]:
    """The commands as they are compared."""
    if not isinstance(commands, list):
        raise JournalError("lacks the list of commands")
    return tuple(_today(_named(command, _COMMANDS)[1]) for command in cast(list[Any], commands))


def _today(plain: dict[str, Any]) -> str:
    """A command as this release writes it, with the fields that were not there yet.

    One that cannot be read, as without media, stays as it is: it is compared, not carried out.
    """
    try:
        return canonical(encode(_anything(plain)))
    except JournalError:
        return canonical(plain)


def _object(line: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise JournalTorn(f"line {line}: not whole ({error.msg}); the writer may have been killed there") from None
    except (ValueError, RecursionError) as error:
        raise JournalError(f"line {line}: no journal's ({error})") from None
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
