"""A benchmark's result as a table with its bars, and where it stands in docs/performance.md.

This file measures nothing.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from serve_app.errors import UserError

PACKAGES = ("ray", "faster-whisper", "ctranslate2", "onnxruntime", "hibari-tts", "opencv-python-headless", "av")


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise and what was measured."""

    what: str
    measured: float
    most: float
    unit: str
    least: bool = False
    """True if the promise is "at least" this, not "at most"."""

    @property
    def holds(self) -> bool:
        """True if the measured value is within the promise."""
        return self.measured >= self.most if self.least else self.measured <= self.most

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        bound = "at least" if self.least else "at most"
        return f"{self.what}: {self.measured:.4g} {self.unit}, {bound} {self.most:g} {self.unit}: {verdict}"


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found."""

    name: str
    """Of the section in docs/performance.md."""
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """The table, its bars and notes as Markdown."""
        lines = ["| " + " | ".join(self.header) + " |", "|" + "---|" * len(self.header)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += [
            "",
            *(f"- {bar}" for bar in self.bars),
            *(f"- {note}" for note in self.notes),
            "",
            f"*{circumstances()}*",
        ]
        return "\n".join(lines)


def spread(values: Sequence[float], digits: int = 0) -> tuple[str, str, str]:
    """p50, p95 and the largest, as text."""
    p50, p95 = np.percentile(values, [50, 95])
    return f"{p50:.{digits}f}", f"{p95:.{digits}f}", f"{max(values):.{digits}f}"


def circumstances() -> str:
    """Date, machine, load and versions: without them a number means little."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}, load {load:.1f} at the end, "
        f"Python {platform.python_version()}, {packages}"
    )


def machine() -> str:
    """Its processor and cores."""
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write_section(path: Path, result: Result) -> None:
    """Put the result between its marks. Raises UserError if the file has no such section."""
    begin, end = f"<!-- bench:{result.name} -->", f"<!-- /bench:{result.name} -->"
    text = path.read_text("utf-8")
    if begin not in text or end not in text:
        raise UserError(f"{path} has no section {begin} ... {end}; add the two marks where the table belongs")
    head, rest = text.split(begin, 1)
    tail = rest.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n{result.text()}\n{end}{tail}", "utf-8")
