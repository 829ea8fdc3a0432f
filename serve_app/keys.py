"""The work of `avatar key`: make a key and show it once, list what there is, take one away."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from serve_app import settings
from serve_app.errors import UserError
from serve_app.gateway.keys import KeyFile


def add(chosen: argparse.Namespace) -> int:
    """Make a key and print it; it is kept as a hash, so this is the only time."""
    limits = {"sessions": chosen.sessions, "audio_seconds": chosen.audio_seconds, "messages": chosen.messages}
    for name, value in limits.items():
        if value is not None and value <= 0:
            raise UserError(f"--{name.replace('_', '-')} must be more than 0, not {value:g}")
    wished = {name: value for name, value in limits.items() if value is not None}
    made = _file(chosen).add(chosen.name, **wished, origins=tuple(chosen.origin))
    print(made, flush=True)
    print("Keep it: only its hash is stored, and it is not shown again.", file=sys.stderr)
    return 0


def show(chosen: argparse.Namespace) -> int:
    """Print every key's name and limits."""
    for name, key in _file(chosen).keys().by_name.items():
        pages = f", pages of {' '.join(key.origins)}" if key.origins else ""
        print(
            f"{name}: {key.sessions} conversations at once, {key.audio_seconds:g} s of sound a day, "
            f"{key.messages:g} messages a second{pages}"
        )
    return 0


def remove(chosen: argparse.Namespace) -> int:
    """Take a key away; conversations that go on are not ended."""
    _file(chosen).remove(chosen.name)
    return 0


def _file(chosen: argparse.Namespace) -> KeyFile:
    wished = settings.load(chosen.profile).door.keys
    return KeyFile(Path(wished) if wished else None)
