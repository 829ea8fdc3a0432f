"""Curves over time as an SVG picture, each in a strip of its own with its own scale. No library is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, STRIP, LEFT, TOP, GAP = 760, 120, 70, 30, 34
INK = ("#1f6feb", "#b35900", "#c4302b", "#2f7d32")


@dataclass(frozen=True, slots=True)
class Curve:
    """One value over time."""

    name: str
    values: Sequence[float]


def svg(title: str, hours: Sequence[float], curves: Sequence[Curve]) -> str:
    """The picture. ``hours``: where each value lies; as many as every curve has. Raises ValueError if not."""
    if len(hours) < 2 or any(len(curve.values) != len(hours) for curve in curves):
        raise ValueError("a curve has two values at least, as many as there are times")
    height = TOP + len(curves) * (STRIP + GAP) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
    ]
    for k, curve in enumerate(curves):
        lines += _strip(TOP + k * (STRIP + GAP), hours, curve, INK[k % len(INK)])
    return "\n".join([*lines, "</svg>"]) + "\n"


def _strip(top: float, hours: Sequence[float], curve: Curve, ink: str) -> list[str]:
    wide = WIDTH - LEFT - 20
    most = max(max(curve.values), 1e-9)
    span = hours[-1] - hours[0]
    dots = " ".join(
        f"{LEFT + wide * (hour - hours[0]) / span:.1f},{top + STRIP * (1 - value / most):.1f}"
        for hour, value in zip(hours, curve.values, strict=True)
    )
    floor = top + STRIP
    return [
        f'<path d="M{LEFT} {top}V{floor}H{LEFT + wide}" fill="none" stroke="#888"/>',
        f'<polyline points="{dots}" fill="none" stroke="{ink}" stroke-width="1.5"/>',
        f'<text x="{LEFT + 6}" y="{top + 12}" fill="{ink}">{escape(curve.name)}</text>',
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>',
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">0</text>',
        f'<text x="{LEFT + wide}" y="{floor + 15}" text-anchor="end">{hours[-1]:g} h</text>',
    ]
