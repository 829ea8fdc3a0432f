"""Who may come in: keys by name, kept as hashes in one TOML file with what each may use.

A key has 256 random bits, so that one round of SHA-256 hides it. The file is written by `avatar key` and read again
when it has changed: a key that is added or removed counts for the next connection. This file knows no socket.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from hmac import compare_digest
from pathlib import Path
from typing import Any

from serve_app.errors import UserError
from serve_app.files import whole

PREFIX = "ak_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept."""

    name: str
    sha256: str
    """Hex digest of the key."""
    sessions: int = 8
    """Conversations at once, at each replica of the gateway."""
    audio_seconds: float = 36_000.0
    """Seconds a day (UTC) of sound heard and spoken together."""
    messages: float = 200.0
    """Messages a second; twice as many may come in one burst."""
    origins: tuple[str, ...] = ()
    """Pages of other hosts that may use it: ``https://example.org``."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys, and what client secrets are signed with."""

    signing: bytes = b""
    by_name: Mapping[str, Key] = field(default_factory=dict[str, Key])

    def of(self, key: str) -> Key | None:
        """The key that this is, or None. Takes as long whichever it is."""
        digest = digest_of(key)
        found = None
        for known in self.by_name.values():
            if compare_digest(known.sha256, digest):
                found = known
        return found


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def data_folder() -> Path:
    """Where this program keeps what outlives it."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "realtime-avatar"


class KeyFile:
    """The file. A missing one holds no keys."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_folder() / "keys.toml"
        self._seen: tuple[int, int, int] | None = None
        self._keys = Keys()

    def keys(self) -> Keys:
        """What it holds now. Raises UserError if it cannot be read."""
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._keys, self._seen = _read(self.path.read_text("utf-8")), seen
        except FileNotFoundError:
            self._keys, self._seen = Keys(), None
        except OSError as error:
            raise UserError(
                f"the keys in {self.path} cannot be read: {error.strerror}; let the service's user read the file"
            ) from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"the keys in {self.path} are no keys: {error}; mend the file or put a copy back: without it all keys"
                " are gone, and a service on the loopback address lets in whoever comes through its proxy"
            ) from None
        return self._keys

    def add(self, name: str, **limits: Any) -> str:
        """Make a key of this name; return it, for it is written nowhere. Raises UserError for a name that is taken."""
        if not NAME.fullmatch(name):
            raise UserError(f"{name!r} is no name for a key; take letters, digits, - and _, at most 64")
        keys = self.keys()
        if name in keys.by_name:
            raise UserError(f"there is a key {name} already; remove it first: avatar key remove {name}")
        made = PREFIX + secrets.token_urlsafe(32)
        self._write(
            keys.signing or secrets.token_bytes(32), {**keys.by_name, name: Key(name, digest_of(made), **limits)}
        )
        return made

    def remove(self, name: str) -> None:
        """Take a key away. Raises UserError if there is none of that name."""
        keys = self.keys()
        if name not in keys.by_name:
            known = ", ".join(keys.by_name) or "none"
            raise UserError(f"there is no key {name}; there are: {known}")
        self._write(keys.signing, {other: key for other, key in keys.by_name.items() if other != name})

    def _write(self, signing: bytes, by_name: Mapping[str, Key]) -> None:
        lines = [
            "# Written by `avatar key`. Keys are hashed; who has `signing` can make client secrets: keep it private."
        ]
        lines.append(f"signing = {_toml(signing.hex())}")
        for name, key in by_name.items():
            kept = {field: value for field, value in asdict(key).items() if field != "name"}
            lines += ["", f"[keys.{name}]", *(f"{field} = {_toml(value)}" for field, value in kept.items())]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"the folder {self.path.parent} cannot be made: {error.strerror}") from None
        with whole(self.path, private=True) as part:
            part.write_text("\n".join(lines) + "\n", "utf-8")


def _read(text: str) -> Keys:
    content = tomllib.loads(text)
    by_name = {name: _key(name, kept) for name, kept in content.get("keys", {}).items()}
    return Keys(bytes.fromhex(content["signing"]) if by_name else b"", by_name)


def _key(name: str, kept: Mapping[str, Any]) -> Key:
    if unknown := sorted(set(kept) - {field.name for field in fields(Key)}):
        raise ValueError(f"key {name} has an unknown setting {unknown[0]!r}")
    if not re.fullmatch(r"[0-9a-f]{64}", kept["sha256"]):
        raise ValueError(f"key {name} has no SHA-256 digest")
    return Key(name, **{**kept, "origins": tuple(kept.get("origins", ()))})


def _toml(value: Any) -> str:
    """Text, numbers and lists of text look the same in JSON."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)
