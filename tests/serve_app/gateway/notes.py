"""A keeper that stores nothing: what would be stored of a session lies here as lines."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Lines:
    """Only takes down."""

    notes: list[str] = field(default_factory=list[str])

    def note(self, line: str) -> None:
        self.notes.append(line)
