"""The key with which a command speaks to a service elsewhere: out of the environment, a file, or standard input.

A key on the command line can be read by everybody on the machine (`ps`); it is taken all the same, with a warning.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TextIO

from serve_app.errors import UserError

VARIABLE = "AVATAR_KEY"
STDIN = "-"


def add_options(command: argparse.ArgumentParser) -> None:
    """Add ``--key-file`` and ``--key``."""
    what = f"file with the key of that service, `-` for standard input; without it {VARIABLE} in the environment counts"
    command.add_argument("--key-file", metavar="FILE", help=what)
    command.add_argument("--key", help="the key itself, which `ps` then shows to everybody on this machine")


def key_of(chosen: argparse.Namespace, stdin: TextIO | None = None) -> str | None:
    """The key that was chosen, or None. Raises UserError if it is given twice or its file holds none."""
    if chosen.key and chosen.key_file:
        raise UserError("the key is given twice; leave out --key")
    if chosen.key:
        print(f"avatar: `ps` shows a key after --key to everybody; use {VARIABLE} or --key-file", file=sys.stderr)
        return chosen.key
    if not chosen.key_file:
        return os.environ.get(VARIABLE, "").strip() or None
    try:
        text = (stdin or sys.stdin).read() if chosen.key_file == STDIN else Path(chosen.key_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the key in {chosen.key_file} cannot be read: {error}") from None
    if len(text.split()) != 1:
        raise UserError(f"{chosen.key_file} holds {len(text.split())} words; it must hold the key and nothing else")
    return text.strip()
