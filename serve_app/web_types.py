"""The wire's names, numbers and shapes as TypeScript: ``python -m serve_app.web_types`` writes the page's wire.ts.

Everything is read from where it is declared: rates, kinds and flags from streaming/media.py, what the avatar's own
events hold from streaming/commands.py, the events' names from docs/protocol.md. A test compares the file that is kept.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from pathlib import Path

from serve_app.gateway import admission, auth, guest, leaving, wire
from streaming import commands, media, stages

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "serve_app" / "web" / "src" / "client" / "wire.ts"
PROTOCOL = ROOT / "docs" / "protocol.md"

HOLDS: dict[str, tuple[type, tuple[str, ...]]] = {
    "avatar.state": (commands.StateChanged, ()),
    "avatar.caption": (commands.UserCaption, ("final",)),
    "avatar.words": (commands.Audio, ("pts", "pcm")),
    "avatar.kept": (commands.Kept, ()),
    "avatar.end": (commands.Ended, ("usage", "limited")),
    "avatar.hold": (commands.Hold, ()),
    "avatar.resume": (commands.Resume, ()),
    "avatar.flush": (commands.Cancel, ()),
    "avatar.cut": (commands.Cut, ("usage",)),
    "avatar.notice": (commands.Notice, ()),
}
"""Of the avatar's own events: the declaration that it shows, and the fields that it leaves out."""

PLAIN = {int: "number", float: "number", str: "string", bool: "boolean"}

TABLES = {"ClientEvent": ("From the client",), "ServerEvent": ("From the server",)}
"""Name of the type, and the headings of the protocol under which its events stand."""


def typescript() -> str:
    """The whole file."""
    parts = [
        "// Written by `python -m serve_app.web_types` from what is declared in Python: change that and run it again.",
        *_constants(),
        _enum("Kind", media.Kind),
        _enum("Flag", media.Flag),
        _closes(),
        f"export type State = {_union(typing.get_args(commands.State))};",
        _interface("Word", stages.Word, ()),
        _events(),
        *(_names(name, headings) for name, headings in TABLES.items()),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write it."""
    TARGET.write_text(typescript(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


def _constants() -> list[str]:
    numbers = ("RATE", "MIC_RATE", "FPS", "FRAME", "HEADER_BYTES")
    lines = [f"export const {name} = {getattr(media, name)};" for name in numbers]
    lines += [
        f'export const SUBPROTOCOL = "{wire.SUBPROTOCOL}";',
        f'export const SECRET_PROTOCOL = "{auth.SECRET_PROTOCOL}";',
    ]
    return ["\n".join(lines)]


def _closes() -> str:
    codes = {
        "SLOW": leaving.CLOSE_SLOW,
        "TAKEN": leaving.CLOSE_TAKEN,
        "BROKEN": leaving.CLOSE_BROKEN,
        "SPENT": guest.CLOSE_SPENT,
        "BUSY": admission.CLOSE_BUSY,
    }
    body = "".join(f"  {name}: {code},\n" for name, code in codes.items())
    return f"export const Close = {{\n{body}}} as const;"


def _enum(name: str, kind: type[media.Kind] | type[media.Flag]) -> str:
    members = kind.__members__.items()  # __members__ names NONE too, which iteration over flags leaves out
    body = "".join(f"  {key}: {int(value)},\n" for key, value in members)
    return f"export const {name} = {{\n{body}}} as const;\nexport type {name} = (typeof {name})[keyof typeof {name}];"


def _interface(name: str, declared: type, without: tuple[str, ...]) -> str:
    return f"export interface {name} {_fields(declared, without, '')}"


def _events() -> str:
    body = "".join(f'  "{name}": {_fields(kind, without, "  ")};\n' for name, (kind, without) in HOLDS.items())
    return f"export interface AvatarEvents {{\n{body}}}"


def _fields(declared: type, without: tuple[str, ...], indent: str) -> str:
    hints = typing.get_type_hints(declared)
    names = [field.name for field in dataclasses.fields(declared) if field.name not in without]
    return "{\n" + "".join(f"{indent}  {name}: {_type(hints[name])};\n" for name in names) + indent + "}"


def _type(hint: typing.Any) -> str:
    """A declared type in TypeScript. Raises TypeError for one that no event holds yet."""
    if hint in PLAIN:
        return PLAIN[hint]
    if hint == commands.State:
        return "State"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return _union(arguments)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return f"{_type(arguments[0])}[]"
    if origin in (typing.Union, types.UnionType):
        return " | ".join("null" if part is type(None) else _type(part) for part in arguments)
    if hint is stages.Word:
        return "Word"
    raise TypeError(f"web_types.py does not know how to write {hint!r} in TypeScript")


def _union(values: typing.Iterable[str]) -> str:
    return " | ".join(f'"{value}"' for value in values)


def _names(name: str, headings: tuple[str, ...]) -> str:
    """All events in the first columns of the tables under these headings."""
    chapters = re.split(r"^## ", PROTOCOL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = [text for text in chapters if text.startswith(headings)]
    rows = [line.split("|")[1] for text in tables for line in text.splitlines() if "|" in line]
    found = sorted({event for row in rows for event in re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)`", row)})
    body = "".join(f'\n  | "{event}"' for event in found)
    return f"export type {name} ={body};"


if __name__ == "__main__":
    main()
