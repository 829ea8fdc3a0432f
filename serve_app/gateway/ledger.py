"""What each key has used, day by day: a small SQLite file that the replicas of one machine share.

Seconds of sound heard and spoken, pieces of text, conversations. This file knows no limits and no keys but by name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Used:
    """What was used."""

    sessions: int = 0
    heard_s: float = 0.0
    """Seconds of microphone sound."""
    spoken_s: float = 0.0
    """Seconds of speech that the avatar was made to say."""
    tokens: int = 0
    """Written by the language model: its own count, or the pieces in which its text came if it does not count."""

    @property
    def audio_s(self) -> float:
        """Seconds of sound, both ways."""
        return self.heard_s + self.spoken_s


_TABLE = """create table if not exists used (
    key text, day text, sessions integer, heard_s real, spoken_s real, tokens integer, primary key (key, day))"""
_ADD = """insert into used values (?, ?, ?, ?, ?, ?) on conflict (key, day) do update set
    sessions = sessions + excluded.sessions, heard_s = heard_s + excluded.heard_s,
    spoken_s = spoken_s + excluded.spoken_s, tokens = tokens + excluded.tokens"""

BUSY_S = 0.1
"""Longest wait for another replica that writes, in seconds: a write takes a few milliseconds, and media waits too."""


class Ledger:
    """The file; it is made with its first entry. Days are UTC dates, ``2026-01-31``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, key: str, day: str, used: Used) -> None:
        """Add to what ``key`` used on ``day``. Raises OSError or sqlite3.Error if it cannot be written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as file:
            file.execute(_TABLE)
            file.execute(_ADD, (key, day, used.sessions, used.heard_s, used.spoken_s, used.tokens))

    def of(self, key: str) -> dict[str, Used]:
        """What ``key`` has used, by day, the oldest first."""
        if not self._path.exists():
            return {}
        with self._open() as file:
            file.execute(_TABLE)
            rows = file.execute(
                "select day, sessions, heard_s, spoken_s, tokens from used where key = ? order by day", (key,)
            )
            return {day: Used(*numbers) for day, *numbers in rows}

    def on(self, key: str, day: str) -> Used:
        """What ``key`` has used on ``day``."""
        return self.of(key).get(day, Used())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        file = sqlite3.connect(self._path, timeout=BUSY_S)
        try:
            with file:
                yield file
        finally:
            file.close()
