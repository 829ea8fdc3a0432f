"""`python -m cluster.costs [--write]`: what an hour of speech costs on each way, worked out of the prices below.

Prices are list prices of us-central1 in dollars, written down from memory: look them up before you count on them. A
card is taken to keep pace with one avatar that speaks, which is the goal and not measured. ``--write`` puts the table
into docs/operations.md, and a test compares the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
BEGIN, END = "<!-- costs -->\n", "<!-- /costs -->\n"

PRICES: Mapping[str, float] = {
    "g2-standard-8": 0.85,
    "g2-standard-8 spot": 0.34,
    "g2-standard-12": 1.00,
    "e2-standard-4": 0.13,
    "Filestore share of 1 TiB": 0.22,
    "L4 of Cloud Run": 0.67,
    "vCPU of Cloud Run": 0.065,
    "GiB of Cloud Run": 0.0072,
}
"""Of an hour. A g2 has one L4 in it; a share of Filestore is 1 TiB however little is asked for."""

OPEN_H, SPOKEN_H = 4.0, 2.0
"""The day of the last column: hours in which somebody may be there, and hours of speech within them."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a way pays for."""

    name: str
    always: Mapping[str, int]
    """How many of what, around the clock."""
    present: Mapping[str, int]
    """How many of what, only while somebody is there."""

    @property
    def hour(self) -> float:
        """An hour in which everything runs."""
        return _sum(self.always) + _sum(self.present)

    @property
    def day(self) -> float:
        """Twenty-four hours, somebody there in OPEN_H of them."""
        return 24 * _sum(self.always) + OPEN_H * _sum(self.present)


CLUSTER = {"e2-standard-4": 2, "Filestore share of 1 TiB": 2}
WAYS = (
    Way("vm", {"g2-standard-8": 1}, {}),
    Way("vm, spot", {"g2-standard-8 spot": 1}, {}),
    Way("gke, `l4`", {**CLUSTER, "g2-standard-12": 1}, {}),
    Way("gke, `scale-to-zero`", CLUSTER, {"g2-standard-12": 1}),
    Way("cloudrun", {}, {"L4 of Cloud Run": 1, "vCPU of Cloud Run": 8, "GiB of Cloud Run": 32}),
)


def _sum(parts: Mapping[str, int]) -> float:
    return sum(count * PRICES[what] for what, count in parts.items())


def _told(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} × {PRICES[what]:g} ({what})" for what, count in parts.items())


def speaking(hour: float, share: float) -> float:
    """An hour of speech, where the machine costs ``hour`` and an avatar speaks for ``share`` of it."""
    return hour / share


def table() -> str:
    """The table of docs/operations.md."""
    day_of = f"a day of {SPOKEN_H:g} h of speech within {OPEN_H:g} h"
    rows = [
        f"| way | pays for | an hour | busy half of it | busy a tenth | {day_of} |",
        "|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        parts = [_told(way.always)] if way.always else []
        parts += [f"while somebody is there {_told(way.present)}"] if way.present else []
        hour, day = way.hour, way.day
        rows.append(
            f"| {way.name} | {'; '.join(parts)} | {hour:.2f} $ | {hour:.2f} / 0.5 = {speaking(hour, 0.5):.2f} $"
            f" | {hour:.2f} / 0.1 = {speaking(hour, 0.1):.2f} $"
            f" | {day:.2f} / {SPOKEN_H:g} = {day / SPOKEN_H:.2f} $ |"
        )
    return "\n".join(rows) + "\n"


def written(text: str) -> str:
    """The document with the table in it. Raises ValueError where its place is gone."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} has no place for the table between {BEGIN.strip()} and {END.strip()}")
    return before + begin + table() + end + after


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster.costs", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/operations.md")
    if parser.parse_args(arguments).write:
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")
    else:
        print(table(), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
