"""What one check of `avatar doctor` found, as a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. A ``note`` does not keep the service from running; a ``missing`` does."""

    level: Literal["ok", "note", "missing"]
    what: str
    found: str
    mend: str = ""
    """A command or a short order; empty where nothing needs mending."""

    def __str__(self) -> str:
        return f"{self.level:<8} {self.what:<12} {self.found}" + (f" -> {self.mend}" if self.mend else "")
