"""The newcomer's paths of docs/operations.md, as they are written there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARKED = re.compile(r"<!-- path: ([\w-]+)(?: after ([\w-]+))? -->\n```sh\n(.*?)```", re.DOTALL)
OURS = ("avatar", ".venv/bin/avatar", "/srv/realtime-avatar/bin/avatar")


@dataclass(frozen=True, slots=True)
class Way:
    """One way, from a checkout to a face that answers."""

    name: str
    after: str
    """The path that comes first; empty: none."""
    text: str
    """As it is written: a line is a command, which a shell reads."""

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]

    def words(self) -> Iterator[list[str]]:
        """The words of every line, without quotes and without what is set in front; of $(...) those inside."""
        for line in self.lines:
            inner = re.search(r'"\$\((.*)\)"', line)
            parts = shlex.split(inner[1] if inner else line, comments=True)
            while re.match(r"[A-Z_]+=", parts[0]):
                parts = parts[1:]
            yield parts

    def of_ours(self) -> Iterator[list[str]]:
        """What `avatar` is asked, wherever it runs: here, in a container, under systemd."""
        for words in self.words():
            places = [k for k, word in enumerate(words) if word in OURS]
            if places:
                yield words[places[-1] + 1 :]


PATHS = {
    name: Way(name, after, text)
    for name, after, text in MARKED.findall((ROOT / "docs" / "operations.md").read_text("utf-8"))
}


def whole(name: str) -> list[str]:
    """All lines of a path, those of the one before it first."""
    path = PATHS[name]
    return [*(whole(path.after) if path.after else []), *path.lines]
